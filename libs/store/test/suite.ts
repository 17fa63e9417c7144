/** What every store has to do, whatever it is made of. */
import { assert, describe, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { joinBatches } from "@zkmesh/txn"
import type { Layer, Scope } from "effect"
import { Effect, Stream } from "effect"
import type { CheckpointDelta, StoredNode } from "../src/index.ts"
import { LogStore, StoreError, TreeStore } from "../src/index.ts"
import { batch, batchOf, bodyWithPath, node, session } from "./data.ts"

type Stores = LogStore | TreeStore
export type StoreLayer = Layer.Layer<Stores, StoreError>

/** One life of the peer: a new layer over the same database, closed at the end. */
export const life = <A, E>(layer: StoreLayer, use: Effect.Effect<A, E, Stores | Scope.Scope>) =>
  Effect.provide(Effect.scoped(use), layer)

export const bytesOf = (batches: ReadonlyArray<TxnBatch>): string =>
  batches.length === 0 ? "" : Buffer.from(joinBatches(batches).bytes).toString("hex")

export const delta = (from: number, to: number, fields: Partial<CheckpointDelta> = {}): CheckpointDelta => ({
  from,
  to,
  digest: to % 1_000_003,
  upserted: [],
  deleted: [],
  sessions: [],
  closedSessions: [],
  ...fields
})

/** The checkpoint as it is loaded. */
export const loaded = Effect.gen(function* () {
  const tree = yield* TreeStore
  const state = yield* tree.load
  const nodes = new Map<string, StoredNode>()
  yield* Stream.runForEach(state.nodes, (part) =>
    Effect.sync(() => {
      for (const found of part) nodes.set(found.path, found)
    })
  )
  return { zxid: state.zxid, digest: state.digest, sessions: state.sessions, nodes }
})

/** Compares as data: what comes from a database may be a Buffer. */
const plain = (found: StoredNode | undefined) =>
  found === undefined ? undefined : { ...found, data: found.data === null ? null : [...found.data] }

export const sameNode = (actual: StoredNode | undefined, expected: StoredNode | undefined): void =>
  assert.deepStrictEqual(plain(actual), plain(expected))

export const refusal = <A, R>(effect: Effect.Effect<A, StoreError, R>) =>
  Effect.map(Effect.orDie(Effect.flip(effect)), (error) => {
    assert.instanceOf(error, StoreError)
    return error.message
  })

const at = (counter: number) => zxid(1, counter)

/** `fresh` gives an empty database, as a function that makes layers over it. */
export const storeSuite = (name: string, fresh: () => Effect.Effect<() => StoreLayer, StoreError>) => {
  const test = (title: string, body: (layer: () => StoreLayer) => Effect.Effect<void, StoreError>) =>
    it.live(title, () => Effect.flatMap(fresh(), body))

  describe(`${name}: the log`, () => {
    test("starts empty and survives its process", (layer) =>
      Effect.gen(function* () {
        const first = yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            const recovered = yield* log.open
            yield* log.setAcceptedEpoch(1)
            yield* log.setCurrentEpoch(1)
            yield* log.append(batch(at(1), 3))
            yield* log.append(batch(at(4), 1))
            return recovered
          })
        )
        assert.deepStrictEqual(first, { acceptedEpoch: 0, currentEpoch: 0, checkpoint: 0, floor: 0, last: 0 })
        const second = yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            const recovered = yield* log.open
            const batches = yield* log.read(0, 1 << 20)
            assert.strictEqual(bytesOf(batches), bytesOf([batch(at(1), 3), batch(at(4), 1)]))
            return recovered
          })
        )
        assert.deepStrictEqual(second, { acceptedEpoch: 1, currentEpoch: 1, checkpoint: 0, floor: 0, last: at(4) })
      }))

    test("keeps appends in order when several are in flight", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          const batches = Array.from({ length: 50 }, (_, index) => batch(at(1 + index * 2), 2))
          yield* Effect.all(
            batches.map((one) => log.append(one)),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(bytesOf(yield* log.read(0, 1 << 20)), bytesOf(batches))
        })
      ))

    test("refuses a hole and a batch that lies about itself", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          const good = batch(at(1), 3)
          assert.match(yield* refusal(log.append(batch(at(2), 1))), /hole/)
          assert.match(yield* refusal(log.append({ ...good, count: 2 })), /holds 3 transactions, not 2/)
          assert.match(yield* refusal(log.append({ ...good, last: at(4) })), /last zxid/)
          assert.match(yield* refusal(log.append({ ...good, bytes: good.bytes.subarray(0, 150) })), /leaves its batch/)
          const entries = [1, 2, 4].map((counter) => ({ zxid: at(counter), type: 5, body: bodyWithPath("/a") }))
          assert.match(yield* refusal(log.append(batchOf(entries))), /hole/)
          yield* log.append(good)
          assert.match(yield* refusal(log.append(good)), /hole/)
          yield* log.append(batch(zxid(4, 1), 2))
          assert.match(yield* refusal(log.append(batch(zxid(3, 1), 1))), /hole/)
        })
      ))

    test("reads from anywhere, trimmed, about as much as asked for", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          for (let index = 0; index < 20; index++) yield* log.append(batch(at(1 + index * 5), 5, 1000))
          const part = yield* log.read(at(7), 12_000)
          assert.strictEqual(part[0]!.first, at(8))
          assert.strictEqual(part[0]!.count, 3)
          const size = part.reduce((sum, one) => sum + one.bytes.length, 0)
          assert.isTrue(size >= 12_000 && size < 20_000, `${size} bytes`)
          const seen: number[] = []
          for (let after = 0, more = true; more; ) {
            const batches = yield* log.read(after, 1)
            more = batches.length > 0
            assert.isAtMost(batches.length, 1)
            for (const one of batches) {
              seen.push(one.count)
              after = one.last
            }
          }
          assert.deepStrictEqual(seen, new Array(20).fill(5))
          assert.deepStrictEqual(yield* log.read(at(100), 1000), [])
        })
      ))

    test("knows what it holds", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          yield* log.append(batch(at(1), 5))
          yield* log.append(joinBatches([batch(at(6), 2), batch(zxid(3, 1), 3)]))
          for (const held of [0, at(1), at(5), at(7), zxid(3, 1), zxid(3, 3)]) {
            assert.isTrue(yield* log.has(held), String(held))
            assert.strictEqual(yield* log.lastAtOrBefore(held), held)
          }
          for (const not of [at(0), at(8), zxid(2, 1), zxid(3, 0), zxid(3, 4)]) assert.isFalse(yield* log.has(not))
          assert.strictEqual(yield* log.lastAtOrBefore(at(0)), 0)
          assert.strictEqual(yield* log.lastAtOrBefore(at(8)), at(7))
          assert.strictEqual(yield* log.lastAtOrBefore(zxid(2, 9)), at(7))
          assert.strictEqual(yield* log.lastAtOrBefore(zxid(9, 9)), zxid(3, 3))
        })
      ))

    test("truncates between batches, inside one, and to nothing", (layer) =>
      Effect.gen(function* () {
        yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            yield* log.open
            yield* log.append(batch(at(1), 10))
            yield* log.append(batch(at(11), 10))
            yield* log.append(batch(at(21), 10))
            assert.match(yield* refusal(log.truncate(at(31))), /does not hold/)
            yield* log.truncate(at(30))
            yield* log.truncate(at(20))
            yield* log.truncate(at(13))
            assert.isTrue(yield* log.has(at(13)))
            assert.isFalse(yield* log.has(at(14)))
            assert.match(yield* refusal(log.append(batch(at(15), 1))), /hole/)
            yield* log.append(batch(zxid(2, 1), 2))
          })
        )
        const kept = [batch(at(1), 10), batchPart(batch(at(11), 10), 3), batch(zxid(2, 1), 2)]
        yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            assert.strictEqual((yield* log.open).last, zxid(2, 2))
            assert.strictEqual(bytesOf(yield* log.read(0, 1 << 20)), bytesOf(kept))
            yield* log.truncate(0)
            assert.deepStrictEqual(yield* log.read(0, 100), [])
            yield* log.append(batch(at(1), 1))
          })
        )
      }))

    test("never lets an epoch go back", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          assert.match(yield* refusal(log.setCurrentEpoch(1)), /above the accepted/)
          yield* log.setAcceptedEpoch(5)
          yield* log.setAcceptedEpoch(5)
          yield* log.setCurrentEpoch(4)
          assert.match(yield* refusal(log.setAcceptedEpoch(4)), /below the accepted/)
          assert.match(yield* refusal(log.setCurrentEpoch(3)), /below the current/)
        })
      ))

    test("purges whole batches, never beyond the checkpoint", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          const tree = yield* TreeStore
          yield* log.open
          yield* tree.load
          const empty = yield* log.sizes
          for (let index = 0; index < 10; index++) yield* log.append(batch(at(1 + index * 10), 10))
          assert.isAbove((yield* log.sizes).log, empty.log)
          assert.strictEqual(yield* log.purge(at(50)), 0)
          yield* tree.checkpoint(delta(0, at(47)))
          assert.strictEqual(yield* log.purge(at(25)), at(20))
          assert.strictEqual(yield* log.purge(at(100)), at(40))
          assert.strictEqual(yield* log.purge(at(10)), at(40))
          assert.isTrue(yield* log.has(at(40)))
          assert.isFalse(yield* log.has(at(39)))
          assert.strictEqual(yield* log.lastAtOrBefore(at(39)), undefined)
          assert.match(yield* refusal(log.read(at(39), 100)), /starts after/)
          assert.strictEqual((yield* log.read(at(40), 1))[0]!.first, at(41))
          assert.match(yield* refusal(log.truncate(at(46))), /before the checkpoint/)
          yield* log.truncate(at(47))
          yield* tree.checkpoint(delta(at(47), at(47)))
          assert.strictEqual(yield* log.purge(at(47)), at(47))
          yield* log.append(batch(at(48), 1))
        })
      ))

    test("is refused to a second process", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          const tree = yield* TreeStore
          yield* log.open
          yield* tree.load
          const other = yield* refusal(
            life(
              layer(),
              Effect.flatMap(LogStore, (second) => second.open)
            )
          )
          assert.match(other, /in use/)
          assert.match(
            yield* refusal(
              life(
                layer(),
                Effect.flatMap(TreeStore, (second) => second.load)
              )
            ),
            /in use/
          )
          // The same layer may load once more, as it does after a SNAP.
          yield* tree.load
        })
      ))

    test("says so when it is not open", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const log = yield* LogStore
          const tree = yield* TreeStore
          assert.match(yield* refusal(log.append(batch(at(1), 1))), /not open/)
          assert.match(yield* refusal(log.read(0, 1)), /not open/)
          assert.match(yield* refusal(tree.checkpoint(delta(0, 1))), /not open/)
        })
      ))
  })

  describe(`${name}: the tree`, () => {
    test("keeps every field of znodes and sessions", (layer) =>
      Effect.gen(function* () {
        const nodes = [
          node("/", { data: null, kind: "container" }),
          node("/zero", { data: new Uint8Array(0), acl: [], version: -1, ttlMs: 2 ** 39, kind: "ttl" }),
          node("/żółć 🐘\u007f", { data: Buffer.from([0, 255, 0, 92]), ephemeralOwner: at(9), kind: "ephemeral" }),
          node("/acl", {
            acl: [
              { perms: 1, id: { scheme: "digest", id: 'a"b\\:c\u0000d' } },
              { perms: 31, id: { scheme: "ip", id: "10.0.0.0/8" } },
              { perms: 4, id: { scheme: "x509", id: "\ud800 ünïcode" } }
            ]
          }),
          node(`/long/${"p".repeat(5000)}`, { cversion: 2 ** 31 - 1, aversion: -(2 ** 31) }),
          node(`/long/${"p".repeat(5000)}q`, { czxid: 2 ** 53 - 1, ctime: 0, mtime: 8.64e15 }),
          node("/big", { data: Buffer.alloc(1_000_000, 7) })
        ]
        const sessions = [session(at(9)), session(at(12), { seq: 0, token: 0 })]
        yield* life(
          layer(),
          Effect.gen(function* () {
            const tree = yield* TreeStore
            const empty = yield* loaded
            assert.deepStrictEqual([empty.zxid, empty.digest, empty.nodes.size, empty.sessions.length], [0, 0, 0, 0])
            yield* tree.checkpoint(delta(0, at(20), { upserted: nodes, sessions, digest: 2 ** 52 + 1 }))
          })
        )
        const state = yield* life(layer(), loaded)
        assert.deepStrictEqual([state.zxid, state.digest, state.nodes.size], [at(20), 2 ** 52 + 1, nodes.length])
        for (const expected of nodes) sameNode(state.nodes.get(expected.path), expected)
        assert.deepStrictEqual(
          [...state.sessions].sort((a, b) => a.id - b.id).map((one) => ({ ...one, password: [...one.password] })),
          sessions.map((one) => ({ ...one, password: [...one.password] }))
        )
      }))

    test("applies a change, and only to the checkpoint it builds on", (layer) =>
      life(
        layer(),
        Effect.gen(function* () {
          const tree = yield* TreeStore
          yield* tree.load
          const two = [session(at(1)), session(at(2))]
          yield* tree.checkpoint(delta(0, at(3), { upserted: [node("/a"), node("/b"), node("/c")], sessions: two }))
          const changed = node("/b", { version: 9, data: null })
          yield* tree.checkpoint(
            delta(at(3), at(7), {
              upserted: [changed, node("/d")],
              deleted: ["/a", "/never"],
              sessions: [session(at(2), { timeoutMs: 4000 })],
              closedSessions: [at(1)]
            })
          )
          assert.match(yield* refusal(tree.checkpoint(delta(at(3), at(8), { deleted: ["/b"] }))), /builds on/)
          const state = yield* loaded
          assert.strictEqual(state.zxid, at(7))
          assert.deepStrictEqual([...state.nodes.keys()].sort(), ["/b", "/c", "/d"])
          sameNode(state.nodes.get("/b"), changed)
          assert.deepStrictEqual(
            state.sessions.map((one) => [one.id, one.timeoutMs]),
            [[at(2), 4000]]
          )
        })
      ))
  })
}

/** The first `count` transactions of a batch. */
const batchPart = (whole: TxnBatch, count: number): TxnBatch => {
  const size = whole.bytes.length / whole.count
  return { first: whole.first, last: whole.first + count - 1, count, bytes: whole.bytes.subarray(0, count * size) }
}
