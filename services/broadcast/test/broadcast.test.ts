import { assert, describe, it } from "@effect/vitest"
import { loopbackLayer } from "@zkmesh/bus"
import { statsAt } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import { MemoryDatabase, StoreError } from "@zkmesh/store"
import { Effect } from "effect"
import { Changes, type PeerOptions, startPeer, type TestPeer } from "./harness.ts"

const makeEnsemble = (sids: ReadonlyArray<Sid>, options: PeerOptions) =>
  Effect.gen(function* () {
    const changes = new Changes()
    const databases = new Map(sids.map((sid) => [sid, new MemoryDatabase()]))
    const peers = new Map<Sid, TestPeer>()
    const start = (sid: Sid) =>
      Effect.map(startPeer(sid, databases.get(sid)!, changes, options), (peer) => {
        peers.set(sid, peer)
        return peer
      })
    for (const sid of sids) yield* start(sid)
    const znodes = () => [...peers.values()].map((peer) => peer.znode)
    const leader = Effect.andThen(
      changes.until("a leader", () => znodes().some((znode) => znode.role.role === "leading")),
      Effect.sync(() => peers.get(znodes().find((znode) => znode.role.role === "leading")!.sid)!)
    )
    const all = (what: string, check: (peer: TestPeer) => boolean) =>
      changes.until(what, () => [...peers.values()].every(check))
    const kill = (sid: Sid) =>
      Effect.andThen(
        peers.get(sid)!.kill,
        Effect.sync(() => void peers.delete(sid))
      )
    return { changes, databases, peers, start, leader, all, kill }
  })

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`)

describe("three peers", () => {
  it.live("elect, propose, commit everywhere, in order", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3] })
      const leader = yield* ensemble.leader
      assert.strictEqual(leader.znode.sid, 3)
      for (let index = 1; index <= 100; index++) leader.znode.propose(`${index}`)
      leader.znode.propose(...numbers(101, 300))
      yield* ensemble.all("300 everywhere", (peer) => peer.znode.texts.length === 300)
      for (const peer of ensemble.peers.values()) assert.deepStrictEqual(peer.znode.texts, numbers(1, 300))
      yield* ensemble.all("roles", (peer) => peer.znode.role.leader === 3 && peer.znode.role.epoch === 1)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("go on when the leader's scope closes, and take it back", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3] })
      const first = yield* ensemble.leader
      first.znode.propose("a", "b")
      yield* ensemble.all("a and b", (peer) => peer.znode.texts.length === 2)
      const killedAt = performance.now()
      yield* ensemble.kill(first.znode.sid)
      yield* ensemble.changes.until("looking", () => ensemble.peers.get(2)!.znode.role.role !== "following")
      const second = yield* ensemble.leader
      assert.isBelow(performance.now() - killedAt, 1000)
      assert.strictEqual(second.znode.role.epoch, 2)
      second.znode.propose("c")
      yield* ensemble.all("c", (peer) => peer.znode.texts.length === 3)
      const back = yield* ensemble.start(first.znode.sid)
      yield* ensemble.changes.until("all of it", () => back.znode.texts.join("") === "abc")
      assert.deepStrictEqual(back.znode.role, { _tag: "Role", role: "following", epoch: 2, leader: second.znode.sid })
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("bring a peer back by a snapshot when the log no longer reaches it", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3], logRetain: 10, windowBytes: 2000 })
      const leader = yield* ensemble.leader
      leader.znode.propose(...numbers(1, 5))
      yield* ensemble.all("5", (peer) => peer.znode.texts.length === 5)
      yield* ensemble.kill(1)
      const left = leader.znode.applied
      // Awaited step by step, so that the log has many batches: only whole ones are purged.
      for (let index = 6; index <= 400; index += 79) {
        leader.znode.propose(...numbers(index, index + 78))
        yield* ensemble.all("the next ones", (peer) => peer.znode.texts.length === index + 78)
      }
      yield* leader.znode.checkpoint(leader.tree)
      yield* ensemble.changes.until("a purge", () => Number(leader.znode.stats["log_floor_zxid"] ?? 0) > left)
      leader.znode.propose("401")
      const back = yield* ensemble.start(1)
      yield* ensemble.changes.until("all 401", () => back.znode.texts.length === 401)
      assert.deepStrictEqual(back.znode.texts, numbers(1, 401))
      assert.isAbove(back.znode.reloads, 0)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("bring a peer back by a snapshot that the log could, where that is asked for", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3], forceSnapshotSync: true })
      const leader = yield* ensemble.leader
      leader.znode.propose(...numbers(1, 5))
      yield* ensemble.all("5", (peer) => peer.znode.texts.length === 5)
      yield* ensemble.kill(1)
      leader.znode.propose(...numbers(6, 9))
      yield* ensemble.all("9", (peer) => peer.znode.texts.length === 9)
      const snaps = () => Number(leader.znode.stats["snap_count"])
      yield* leader.znode.checkpoint(leader.tree)
      leader.znode.propose("10")
      const before = snaps()
      const back = yield* ensemble.start(1)
      yield* ensemble.changes.until("all 10", () => back.znode.texts.length === 10)
      assert.deepStrictEqual(back.znode.texts, numbers(1, 10))
      assert.isAbove(back.znode.reloads, 0)
      yield* ensemble.changes.until("the leader to say so", () => snaps() > before)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("give up leadership when the leader's znode goes, and say what there is to know", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3] })
      const leader = yield* ensemble.leader
      leader.znode.propose("a")
      yield* ensemble.all("a", (peer) => peer.znode.texts.length === 1)
      const { znode } = leader
      yield* ensemble.changes.until(
        "stats",
        () => znode.stats["synced_followers"] === 2 && znode.stats["proposal_count"] === 1
      )
      assert.strictEqual(leader.znode.stats["quorum_size"], 3)
      assert.strictEqual(statsAt(leader.znode.stats, "figures")["cnt_quorum_ack_latency"], 1)
      const figure = (key: string) => statsAt(znode.stats, "figures")[key]
      assert.isAbove(Number(figure("last_proposal_size")), 0)
      znode.reset()
      yield* ensemble.changes.until("a new beginning", () => figure("cnt_quorum_ack_latency") === 0)
      assert.deepStrictEqual(
        ["proposal_count", "commit_count", "looking_count", "last_proposal_size", "synced_followers"].map(figure),
        [0, 0, 0, -1, 2]
      )
      znode.propose("b")
      yield* ensemble.changes.until("one more", () => figure("proposal_count") === 1)
      leader.znode.close()
      yield* ensemble.changes.until("another epoch", () =>
        [1, 2].some((sid) => ensemble.peers.get(sid)!.znode.role.epoch === 2)
      )
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )
})

describe("a peer in trouble", () => {
  it.live("catches up far behind the window while the others go on", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2, 3], windowBytes: 65_536 })
      const leader = yield* ensemble.leader
      yield* ensemble.kill(1)
      for (let from = 1; from <= 30_000; from += 1000) {
        leader.znode.propose(...numbers(from, from + 999))
        yield* ensemble.all("so many", (peer) => peer.znode.texts.length === from + 999)
      }
      const back = yield* ensemble.start(1)
      // A live stream all the while: each proposal leaves when the one before it has been applied.
      let last = 30_000
      yield* ensemble.changes.until("caught up in the middle of it", () => {
        if (leader.znode.texts.length === last && last < 30_300) leader.znode.propose(`${++last}`)
        return last === 30_300 && back.znode.texts.length === last
      })
      assert.deepStrictEqual(back.znode.texts, numbers(1, 30_300))
      assert.isAtMost(Number(leader.znode.stats["window_bytes"] ?? 0), 200_000)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("ends when its disk fails, and the rest of the ensemble does not", () =>
    Effect.gen(function* () {
      let isBroken = false
      const changes = new Changes()
      const disk = (operation: string) =>
        isBroken ? Effect.fail(new StoreError({ operation, message: "no space left" })) : Effect.void
      const voters = [1, 2, 3]
      const one = yield* startPeer(1, new MemoryDatabase(), changes, { voters, disk })
      const two = yield* startPeer(2, new MemoryDatabase(), changes, { voters })
      const three = yield* startPeer(3, new MemoryDatabase(), changes, { voters })
      yield* changes.until("all follow", () => one.znode.role.leader === 3 && two.znode.role.leader === 3)
      yield* changes.until("and one leads", () => three.znode.role.role === "leading")
      isBroken = true
      three.znode.propose("a")
      const reason = yield* Effect.flip(one.died)
      assert.include(String(reason), "no space left")
      yield* changes.until("a at the others", () => two.znode.texts.length === 1 && three.znode.texts.length === 1)
      assert.deepStrictEqual(one.znode.texts, [])
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )
})

describe("other shapes", () => {
  it.live("one voter is an ensemble", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1], { voters: [1] })
      const leader = yield* ensemble.leader
      leader.znode.propose("a")
      yield* ensemble.all("a", (peer) => peer.znode.texts.length === 1)
      yield* ensemble.kill(1)
      yield* ensemble.start(1)
      const again = yield* ensemble.leader
      yield* ensemble.changes.until("a again", () => again.znode.texts.join("") === "a")
      assert.strictEqual(again.znode.role.epoch, 2)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("an observer gets everything and counts for nothing", () =>
    Effect.gen(function* () {
      const ensemble = yield* makeEnsemble([1, 2, 3], { voters: [1, 2], observers: [3] })
      const leader = yield* ensemble.leader
      assert.strictEqual(leader.znode.sid, 2)
      leader.znode.propose("a", "b")
      yield* ensemble.all("a and b", (peer) => peer.znode.texts.length === 2)
      yield* ensemble.all("roles", (peer) => peer.znode.role.role !== "looking")
      assert.strictEqual(ensemble.peers.get(3)!.znode.role.role, "observing")
      assert.strictEqual(ensemble.databases.get(3)!.last, leader.znode.applied)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )
})
