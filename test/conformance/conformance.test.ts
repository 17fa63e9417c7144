import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Ensemble } from "../setup/zkmesh.ts"
import type { ZooKeeper } from "../setup/zookeeper.ts"
import { compare, type Intended, unexpected } from "./compare.ts"
import { fromNewer, fromOlder } from "./differences.ts"
import { play, type Release } from "./play.ts"
import { scenarios } from "./scenarios/index.ts"
import type { Step } from "./stage.ts"
import { newerClassPath, startEnsemble, startZooKeeper } from "./targets.ts"

/** Debian has no ZooKeeper 3.9: Maven brings it to whoever asks for it, `npm run test:conformance`. */
const ASKS_NEWER = process.env["ZKMESH_ZOOKEEPER_NEWER"] === "yes"

const scriptFor = (release: Release) => scenarios.filter(({ skippedBy }) => skippedBy?.release !== release)

describe("the client protocol, frame by frame", () => {
  const running: Array<ZooKeeper | Ensemble> = []
  let answers: {
    readonly zkmesh: ReadonlyArray<Step>
    readonly older: ReadonlyArray<Step>
    readonly newer: ReadonlyArray<Step> | undefined
  }

  beforeAll(async () => {
    const keep = async <A extends ZooKeeper | Ensemble>(starting: Promise<A>): Promise<A> => {
      const one = await starting
      running.push(one)
      return one
    }
    const [ours, debians, newer] = await Promise.all([
      keep(startEnsemble()),
      keep(startZooKeeper()),
      ASKS_NEWER ? keep(newerClassPath().then(startZooKeeper)) : undefined
    ])
    const played = await Promise.all([
      play(ours.ports[0]!, scenarios),
      play(debians.ports[0]!, scriptFor("3.8")),
      newer && play(newer.ports[0]!, scriptFor("3.9"))
    ])
    answers = { zkmesh: played[0], older: played[1], newer: played[2] }
  }, 600_000)
  afterAll(() => Promise.all(running.map((one) => one.stop())))

  const check = (release: Release, theirs: ReadonlyArray<Step>, intended: ReadonlyArray<Intended>): void => {
    const script = new Set(scriptFor(release).map(({ name }) => name))
    const ours = answers.zkmesh.filter(({ scenario }) => script.has(scenario))
    const { differences, obsolete } = unexpected(compare(theirs, ours), intended)
    assert.deepStrictEqual(differences, [], `differences from ZooKeeper ${release}`)
    assert.deepStrictEqual(obsolete, [], `what is no difference from ZooKeeper ${release} any more`)
  }

  it.runIf(ASKS_NEWER)("is ZooKeeper 3.9's", () => check("3.9", answers.newer!, fromNewer))

  it("is that of Debian's ZooKeeper 3.8 but for what 3.9 has changed", () => {
    check("3.8", answers.older, [...fromNewer.filter(({ since }) => since !== "3.9"), ...fromOlder])
  })

  it("has been asked for with every operation, some hundreds of times", () => {
    assert.isAbove(answers.zkmesh.length, 1000)
  })
})
