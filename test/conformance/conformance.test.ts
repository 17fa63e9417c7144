import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { compare, type Intended, unexpected } from "./compare.ts"
import { fromNewer, fromOlder } from "./differences.ts"
import { play, type Release } from "./play.ts"
import { scenarios } from "./scenarios/index.ts"
import type { Step } from "./stage.ts"
import { newerClassPath, placements, startZooKeeper } from "./targets.ts"

/**
 * `npm run test:conformance` asks for all of it. Debian has no ZooKeeper 3.9: Maven brings it to whoever asks for it.
 */
const ASKS_ALL = process.env["ZKMESH_ZOOKEEPER_NEWER"] === "yes"

interface Target {
  readonly ports: ReadonlyArray<number>
  readonly stop: () => Promise<void>
}

const scriptFor = (release: Release) => scenarios.filter(({ skippedBy }) => skippedBy?.release !== release)
const played = placements.filter(({ isLong }) => ASKS_ALL || !isLong)

describe("the client protocol, frame by frame", () => {
  const ours = new Map<string, ReadonlyArray<Step>>()
  const theirs = new Map<Release, ReadonlyArray<Step>>()
  let running: Array<Target> = []

  /** Plays it, and then leaves the machine to the next. */
  const playTo = async (starting: Promise<Target>, script: typeof scenarios): Promise<ReadonlyArray<Step>> => {
    const target = await starting
    running.push(target)
    try {
      return await play(target.ports[0]!, script)
    } finally {
      running = running.filter((one) => one !== target)
      await target.stop()
    }
  }

  /**
   * ZooKeeper itself, now and then, reads no more from a connection that has just said who it is, and what is sent is left
   * in its socket. Then another one is asked all of it.
   */
  const playToZooKeeper = async (start: () => Promise<Target>, release: Release): Promise<void> => {
    for (let left = 2; !theirs.has(release); left--) {
      try {
        theirs.set(release, await playTo(start(), scriptFor(release)))
      } catch (cause) {
        if (left === 0 || !/waits for/.test(String(cause))) throw cause
        console.warn(`ZooKeeper ${release} is asked anew: ${cause}`)
      }
    }
  }

  beforeAll(async () => {
    const playOurs = async () => {
      for (const { placement, start } of played) ours.set(placement, await playTo(start(), scenarios))
    }
    const playTheirs = async () => {
      await playToZooKeeper(() => startZooKeeper(), "3.8")
      if (ASKS_ALL) await playToZooKeeper(() => newerClassPath().then(startZooKeeper), "3.9")
    }
    await Promise.all([playOurs(), playTheirs()])
  }, 900_000)
  afterAll(() => Promise.all(running.map((one) => one.stop())))

  const check = (placement: string, release: Release, intended: ReadonlyArray<Intended>): void => {
    const script = new Set(scriptFor(release).map(({ name }) => name))
    const steps = ours.get(placement)!.filter(({ scenario }) => script.has(scenario))
    const { differences, obsolete } = unexpected(compare(theirs.get(release)!, steps), intended)
    assert.deepStrictEqual(differences, [], `differences from ZooKeeper ${release}`)
    assert.deepStrictEqual(obsolete, [], `what is no difference from ZooKeeper ${release} any more`)
  }

  describe.each(played)("of the $placement placement", ({ placement }) => {
    it.runIf(ASKS_ALL)("is ZooKeeper 3.9's", () => check(placement, "3.9", fromNewer))

    it("is that of Debian's ZooKeeper 3.8 but for what 3.9 has changed", () => {
      check(placement, "3.8", [...fromNewer.filter(({ since }) => since !== "3.9"), ...fromOlder])
    })

    it("has been asked for with every operation, some hundreds of times", () => {
      assert.isAbove(ours.get(placement)!.length, 1000)
    })
  })
})
