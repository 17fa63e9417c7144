import { assert, describe, it } from "@effect/vitest"
import { loopbackLayer } from "@zkmesh/bus"
import { epochOf, hex, type Sid } from "@zkmesh/numbers"
import { ErrorCode } from "@zkmesh/protocol"
import { MemoryDatabase } from "@zkmesh/store"
import { Effect } from "effect"
import { Changes, type PeerOptions, startPeer, type TestPeer, type TestSession } from "./harness.ts"

const ensembleOf = (sids: ReadonlyArray<Sid>, options: PeerOptions = {}) =>
  Effect.gen(function* () {
    const changes = new Changes()
    const databases = new Map(sids.map((sid) => [sid, new MemoryDatabase()]))
    const peers = new Map<Sid, TestPeer>()
    const start = (sid: Sid) =>
      Effect.map(startPeer(sid, sids, databases.get(sid)!, changes, options), (peer) => {
        peers.set(sid, peer)
        return peer.session
      })
    const kill = (sid: Sid) =>
      Effect.suspend(() => {
        const peer = peers.get(sid)!
        peers.delete(sid)
        return peer.kill
      })
    for (const sid of sids) yield* start(sid)
    const sessions = () => [...peers.values()].map((peer) => peer.session)
    const serving = changes.until("every session can write", () => sessions().every((session) => session.canWrite))
    const all = (what: string, check: (session: TestSession) => boolean) =>
      changes.until(what, () => sessions().every(check))
    return { changes, databases, peers, start, kill, serving, all, sessions }
  })

const openAt = (session: TestSession, changes: Changes, token: number) =>
  Effect.gen(function* () {
    session.open(token)
    yield* changes.until("the session is open", () => session.opened(token) !== undefined)
    return session.opened(token)!
  })

describe("a lone peer", () => {
  it.live("prepares, applies, answers, and finds everything again", () =>
    Effect.gen(function* () {
      const { changes, start, kill, serving, peers, databases } = yield* ensembleOf([1], { checkpointIntervalMs: 50 })
      yield* serving
      const { session } = peers.get(1)!
      assert.strictEqual(session.role.role, "leading")
      const id = yield* openAt(session, changes, 7)
      session.create(id, 1, 300)
      yield* changes.until("300 creates", () => session.txns.at(-1)?.seq === 300)
      assert.isTrue(session.txns.slice(1).every((txn) => txn.reply !== undefined && txn.events?.length === 1))
      session.exists(id, "/n1", "/n300", "/none")
      yield* changes.until("answers", () => session.replies.length === 3)
      assert.deepStrictEqual(
        session.replies.map((reply) => reply.err),
        [0, 0, ErrorCode.NONODE]
      )
      assert.strictEqual(session.replies[0]?.zxid, session.zxid)
      // What is asked after a checkpoint is answered with it.
      const asked = Effect.suspend(() => {
        session.query()
        return changes.until("stats", () => session.stats["znode_count"] !== undefined)
      })
      yield* Effect.repeat(asked, { until: () => session.stats["checkpoint_zxid"] === hex(session.zxid) })
      assert.include(session.stats, { role: "leading", znode_count: 305, prepared_count: 301 })
      assert.strictEqual(databases.get(1)!.checkpoint, session.zxid)
      session.create(id, 301, 400)
      yield* changes.until("100 more", () => session.txns.at(-1)?.seq === 400)
      const before = session.zxid
      yield* kill(1)

      const again = yield* start(1)
      yield* changes.until("it leads again", () => again.canWrite)
      assert.strictEqual(again.role.epoch, 2)
      assert.strictEqual(again.zxid, before)
      again.exists(id, "/n1", "/n400", "/n401")
      again.create(id, 400, 401)
      yield* changes.until("the rest", () => again.replies.length === 3 && again.txns.at(-1)?.seq === 401)
      assert.deepStrictEqual(
        again.replies.map((reply) => reply.err),
        [0, 0, ErrorCode.NONODE]
      )
      const [txn] = again.txns.slice(-1)
      assert.strictEqual(epochOf(txn!.zxid), 2)
      assert.strictEqual(again.txns.filter((t) => t.seq === 400 && epochOf(t.zxid) === 2).length, 0, "once is enough")
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )
})

describe("three peers", () => {
  it.live("apply the same, answer whom they serve, and compare digests", () =>
    Effect.gen(function* () {
      const { changes, serving, all, peers, sessions } = yield* ensembleOf([1, 2, 3])
      yield* serving
      const asker = peers.get(1)!.session
      const id = yield* openAt(asker, changes, 1)
      asker.create(id, 1, 1000)
      yield* all("everything everywhere", (session) => session.txns.at(-1)?.seq === 1000)
      for (const session of sessions()) {
        const answered = session.txns.filter((txn) => txn.reply !== undefined).length
        assert.strictEqual(answered, session === asker ? 1000 : 0, `peer ${session.sid}`)
      }
      // The leader's digest leaves with the next commit.
      asker.create(id, 1001, 1001)
      yield* all("one more", (session) => session.txns.at(-1)?.seq === 1001)
      for (const session of sessions()) session.query()
      yield* all("stats", (session) => session.stats["digests_compared"] !== undefined)
      const compared = sessions().map((session) => session.stats["digests_compared"])
      assert.isTrue(compared.some((count) => typeof count === "number" && count > 0))
      const sizes = new Set(sessions().map((session) => session.stats["approximate_data_size"]))
      assert.strictEqual(sizes.size, 1)
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("survive their leader: what was in the log stays, what was not is asked for again", () =>
    Effect.gen(function* () {
      const { changes, serving, peers, kill, all } = yield* ensembleOf([1, 2, 3])
      yield* serving
      const asker = peers.get(1)!.session
      const id = yield* openAt(asker, changes, 1)
      asker.create(id, 1, 50)
      yield* changes.until("50", () => asker.txns.at(-1)?.seq === 50)
      const killedAt = performance.now()
      asker.create(id, 51, 100)
      yield* kill(3)
      yield* changes.until("looking", () => asker.role.leader !== 3)
      yield* all("a new leader", (session) => session.role.epoch === 2 && session.canWrite)
      assert.isBelow(performance.now() - killedAt, 3000)
      // As the session service does: everything not answered yet, in order.
      const last = asker.txns.at(-1)!.seq
      if (last < 100) asker.create(id, last + 1, 100)
      yield* all("100", (session) => session.txns.at(-1)?.seq === 100)
      const seqs = asker.txns.filter((txn) => txn.seq > 0).map((txn) => txn.seq)
      assert.deepStrictEqual(
        seqs,
        Array.from({ length: 100 }, (_, i) => i + 1)
      )
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )

  it.live("take the whole tree anew when the log does not reach back", () =>
    Effect.gen(function* () {
      const options = { snapCount: 200, logRetain: 50, windowBytes: 4096 }
      const { changes, serving, peers, kill, start, databases } = yield* ensembleOf([1, 2, 3], options)
      yield* serving
      const asker = peers.get(2)!.session
      const id = yield* openAt(asker, changes, 1)
      yield* kill(1)
      for (let seq = 1; seq <= 2000; seq += 100) {
        asker.create(id, seq, seq + 99)
        yield* changes.until(`up to ${seq}`, () => asker.txns.at(-1)?.seq === seq + 99)
      }
      const asked = Effect.suspend(() => {
        asker.query()
        return changes.until("stats", () => asker.stats["znode_count"] !== undefined)
      })
      const isPurged = () => [2, 3].every((sid) => databases.get(sid)!.floor > databases.get(1)!.last)
      yield* Effect.repeat(asked, { until: isPurged })
      const late = yield* start(1)
      yield* changes.until("it has caught up", () => late.role.role === "following" && late.zxid === asker.zxid)
      assert.isAbove(databases.get(1)!.checkpoint, 0)
      late.query()
      yield* changes.until("stats", () => late.stats["znode_count"] !== undefined)
      assert.strictEqual(late.stats["znode_count"], 2005)
      late.exists(id, "/n1", "/n2000")
      yield* changes.until("answers", () => late.replies.length === 2)
      assert.deepStrictEqual(
        late.replies.map((reply) => reply.err),
        [0, 0]
      )
    }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
  )
})
