/** How a peer comes back: by DIFF, SNAP or TRUNC, and how long a start from disk takes. */
import { isDeepStrictEqual } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { dump } from "./recorder/checker.ts"
import { Session } from "./recorder/session.ts"
import { eventually, resident } from "./setup/processes.ts"
import { assertSame } from "./setup/trees.ts"
import { databaseOf, Ensemble, Servers, serving } from "./setup/zkmesh.ts"

type Way = "diff" | "snap" | "trunc"

const ZNODES = 100_000

/** Creates `count` znodes of `size` bytes under `root`, as fast as the ensemble takes them. */
async function fill(ports: ReadonlyArray<number>, root: string, count: number, size = 100): Promise<void> {
  const session = await Session.open({ ports, timeoutMs: 20_000 })
  const value = "v".repeat(size)
  assert.strictEqual((await session.create(root, "")).error, 0)
  let next = 0
  const lane = async () => {
    while (next < count) {
      const { error } = await session.create(`${root}/node-${String(next++).padStart(6, "0")}`, value)
      if (error !== 0) throw new Error(`create failed with ${error}`)
    }
  }
  await Promise.all(Array.from({ length: 500 }, lane))
  await session.close()
}

describe("a peer that rejoins", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({
      settings: ["checkpoint.intervalMs=1000", "log.retain=10000", "broadcast.windowBytes=1048576"]
    })
  })
  afterAll(() => servers?.stop())

  /** How often the present leader has brought a learner up in each way; it says so once a second. */
  async function synchronisations(): Promise<Record<Way, number>> {
    return eventually(
      async () => {
        const monitor = await servers.monitor(await servers.leader())
        const [diff, snap, trunc] = ["diff", "snap", "trunc"].map((kind) => Number(monitor.get(`zk_${kind}_count`)))
        // A leader of less than a second has said nothing yet.
        return Number.isNaN(diff) ? undefined : { diff: diff!, snap: snap!, trunc: trunc! }
      },
      "the leader's count of synchronisations",
      5000
    )
  }

  async function assertOneMore(way: Way, before: Record<Way, number>): Promise<void> {
    const after = { ...before, [way]: before[way] + 1 }
    let seen = before
    const look = async () => isDeepStrictEqual((seen = await synchronisations()), after) || undefined
    await eventually(look, `one more ${way}`, 5000).catch(() => assert.deepStrictEqual(seen, after))
  }

  it("by DIFF after it has been away", async () => {
    const follower = ((await servers.leader()) + 1) % 3
    await servers.peer(follower).kill()
    await fill(alive(follower), "/away", 5000)
    const before = await synchronisations()
    await servers.startPeers(follower)
    await assertOneMore("diff", before)
    await assertSame(servers.ports)
  })

  it("by SNAP when its database has been emptied", async () => {
    // A history that goes back to the beginning would do as well: on disk it has to have been purged, and in memory to
    // have grown out of the window.
    await fill(servers.ports, "/more", 12_000, 1000)
    const floor = async () => Number((await servers.monitor(await servers.leader())).get("zk_log_floor_zxid"))
    await eventually(async () => ((await floor()) > 0 ? true : undefined), "the log to be purged", 30_000)
    const follower = ((await servers.leader()) + 1) % 3
    await servers.peer(follower).stop()
    await servers.ground.database(follower).emptyDatabase(databaseOf(follower + 1))
    const before = await synchronisations()
    await servers.startPeers(follower)
    await assertOneMore("snap", before)
    await assertSame(servers.ports)
  })

  it("by TRUNC when it has a tail that was never committed", async () => {
    const leader = await servers.leader()
    const followers = [0, 1, 2].filter((index) => index !== leader)
    const logged = async () => Number((await servers.monitor(leader)).get("zk_last_durable_zxid"))
    const session = await Session.open({ ports: [servers.ports[leader]!], timeoutMs: 20_000 })
    await session.create("/committed", "")
    const logEnd = await logged()
    // Both followers hold still: the leader logs what it is asked, and nobody else does.
    for (const index of followers) servers.peer(index).signal("SIGSTOP")
    const lost = Promise.allSettled([session.create("/tail-1", ""), session.create("/tail-2", "")])
    await eventually(async () => ((await logged()) > logEnd ? true : undefined), "the tail in the leader's log", 10_000)
    await Promise.all([0, 1, 2].map((index) => servers.peer(index).kill()))
    assert.deepStrictEqual(
      (await lost).map((one) => one.status),
      ["rejected", "rejected"]
    )
    session.abandon()
    await servers.startPeers(...followers)
    await fill(alive(leader), "/afterwards", 10)
    const before = await eventually(settled, "the new leader's count", 5000)
    await servers.startPeers(leader)
    await assertOneMore("trunc", before)
    await assertSame(servers.ports)
    const tree = await dump(servers.ports[leader]!)
    assert.isTrue(tree.has("/committed"))
    assert.isFalse(tree.has("/tail-1") || tree.has("/tail-2"))
  })

  /** A leader that has just been elected has nothing to say for a second. */
  async function settled(): Promise<Record<Way, number> | undefined> {
    const counts = await synchronisations()
    return counts.diff === 1 && counts.trunc === 0 ? counts : undefined
  }

  const alive = (away: number) => servers.ports.filter((_, index) => index !== away)
})

describe(`${ZNODES.toLocaleString("en-US")} znodes of 100 bytes`, () => {
  it("start again from disk in under five seconds, in the server placement", async () => {
    const servers = await Servers.start()
    try {
      const empty = await restartedMemory(servers)
      await fill(servers.ports, "/many", ZNODES)
      const full = await restartedMemory(servers)
      console.log(`memory per znode: ${Math.round((full - empty) / ZNODES)} bytes (resident, after a restart)`)
      const began = performance.now()
      await servers.startPeers(...(await kill(servers)))
      const took = performance.now() - began
      console.log(`three peers of ${ZNODES} znodes started from disk in ${(took / 1000).toFixed(2)} s`)
      assert.isBelow(took, 5000)
      await assertCount(servers.ports)
    } finally {
      await servers.stop()
    }
  })

  it("start again from disk in under five seconds, in the ensemble placement", async () => {
    const ensemble = await Ensemble.start()
    try {
      await fill(ensemble.ports, "/many", ZNODES)
      await ensemble.stop()
      const began = performance.now()
      await ensemble.start()
      const took = performance.now() - began
      console.log(`an ensemble of ${ZNODES} znodes started from disk in ${(took / 1000).toFixed(2)} s`)
      assert.isBelow(took, 5000)
      await assertCount(ensemble.ports)
    } finally {
      await ensemble.stop()
    }
  })
})

async function kill(servers: Servers): Promise<Array<number>> {
  await Promise.all([0, 1, 2].map((index) => servers.peer(index).kill()))
  return [0, 1, 2]
}

/** Resident bytes of a peer that has just been started from disk. */
async function restartedMemory(servers: Servers): Promise<number> {
  for (const index of [0, 1, 2]) await servers.peer(index).stop()
  await servers.startPeers(0, 1, 2)
  const follower = ((await servers.leader()) + 1) % 3
  return resident(servers.peer(follower).pid)
}

/** Resident bytes of a process. */

async function assertCount(ports: ReadonlyArray<number>): Promise<void> {
  await serving(ports)
  for (const port of ports) {
    const session = await Session.open({ ports: [port], timeoutMs: 20_000 })
    const reply = await session.children("/many")
    assert.strictEqual(reply.body.texts().length, ZNODES)
    await session.close()
  }
}
