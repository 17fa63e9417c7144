/** Rows that are not what was written: found, named, and set aside. */
import { assert, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import { Effect, Stream } from "effect"
import {
  LogStore,
  MemoryDatabase,
  memoryLayer,
  postgresLayer,
  type StoredConfiguration,
  StoreError,
  TreeStore
} from "../src/index.ts"
import { batch, node, session } from "./data.ts"
import { query, testServer } from "./server.ts"
import { delta, life, loaded, type StoreLayer } from "./suite.ts"

const server = testServer()
const at = (counter: number) => zxid(1, counter)

const acl = [{ perms: 3, id: { scheme: "digest", id: "a\0b:c" } }]
const NODES = [node("/"), node("/a", { acl }), node("/ü", { data: null }), node("/empty", { data: new Uint8Array(0) })]

/** Three batches of ten, and a checkpoint at the first. */
const fill = (layer: StoreLayer) =>
  life(
    layer,
    Effect.gen(function* () {
      const log = yield* LogStore
      const tree = yield* TreeStore
      yield* log.open
      yield* log.setAcceptedEpoch(4)
      yield* log.setCurrentEpoch(3)
      for (const first of [1, 11, 21]) yield* log.append(batch(at(first), 10))
      yield* tree.load
      yield* tree.checkpoint(delta(0, at(10), { upserted: NODES, sessions: [session(at(1)), session(at(2))] }))
    })
  )

/** The error of a life that reads everything there is. */
const fault = (layer: StoreLayer) =>
  Effect.flip(
    life(
      layer,
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.open
        yield* loaded
        yield* log.read(0, 1e9)
        const { chunks } = yield* log.snapshot
        yield* Stream.runDrain(chunks)
      })
    )
  )

const BYTE = "bytes = set_byte(bytes, 50, get_byte(bytes, 50) # 4)"
const DAMAGES: ReadonlyArray<readonly [what: string, sql: string, named: RegExp]> = [
  ["a znode that is gone", "DELETE FROM znodes WHERE path = '/a'", /it is of 4 znodes, but the table has 3/],
  [
    "a changed byte of the last batch",
    `UPDATE log_batch SET ${BYTE} WHERE last_zxid = ${at(30)}`,
    /log_batch row 4294967326 \(0x100000015 to 0x10000001e\) is corrupt: its checksum/
  ],
  [
    "a changed byte of an earlier batch",
    `UPDATE log_batch SET ${BYTE} WHERE last_zxid = ${at(10)}`,
    /log_batch row 4294967306 .* is corrupt: its checksum/
  ],
  [
    "a batch that is gone",
    `DELETE FROM log_batch WHERE last_zxid = ${at(20)}`,
    /log_batch row 4294967326 .* does not follow 0x10000000a/
  ],
  ["changed data", "UPDATE znodes SET data = 'x' WHERE path = '/a'", /znodes row \/a is corrupt: its checksum/],
  ["data instead of none", "UPDATE znodes SET data = '' WHERE path = '/ü'", /znodes row \/ü is corrupt/],
  [
    "a changed ACL",
    `UPDATE znodes SET acl = jsonb_set(acl, '{0,perms}', '31') WHERE path = '/a'`,
    /znodes row \/a is corrupt/
  ],
  ["a changed number", "UPDATE znodes SET pzxid = pzxid + 1 WHERE path = '/empty'", /znodes row \/empty is corrupt/],
  [
    "a changed session",
    `UPDATE sessions SET timeout_ms = 1 WHERE id = ${at(2)}`,
    /sessions row 0x100000002 is corrupt: its checksum/
  ],
  ["a session that is gone", `DELETE FROM sessions WHERE id = ${at(2)}`, /it is of 2 sessions, but the table has 1/],
  [
    "a changed checkpoint",
    "UPDATE checkpoint SET digest = digest + 1",
    /checkpoint row 0x10000000a is corrupt: its checksum/
  ],
  ["a checkpoint that is gone", "DELETE FROM checkpoint", /epochs, checkpoint or configuration is empty/]
]

for (const [what, sql, named] of DAMAGES) {
  it.live(`finds ${what}, and names the row`, () =>
    Effect.gen(function* () {
      const options = server.options()
      yield* fill(postgresLayer(options))
      yield* query(options.url, sql)
      const error = yield* fault(postgresLayer(options))
      assert.instanceOf(error, StoreError)
      assert.match(error.message, named)
      assert.strictEqual(error.fault, "corrupt")
    })
  )
}

const noObjection = () => undefined

it.live("sets a database aside: all of it is kept, what was promised stays, and the tables are as new", () =>
  Effect.gen(function* () {
    const options = server.options()
    const columns = `SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
                     WHERE table_schema = 'public' ORDER BY 1, ordinal_position`
    const indexes = "SELECT count(*) AS count FROM pg_indexes WHERE schemaname = 'public'"
    yield* fill(postgresLayer(options))
    const shape = yield* Effect.all([query(options.url, columns), query(options.url, indexes)])
    for (const round of [1, 2]) {
      const where = yield* life(
        postgresLayer(options),
        Effect.flatMap(LogStore, (log) => log.setAside({ reason: "it's corrupt", objection: noObjection }))
      )
      const [, schema] = /schema (set_aside_\d+) of database/.exec(where)!
      const rows = round === 1 ? "3" : "1"
      assert.deepStrictEqual(yield* query(options.url, `SELECT count(*) FROM ${schema}.log_batch`), [{ count: rows }])
      const [kept] = yield* query(options.url, `SELECT count(*) FROM ${schema}.log`)
      assert.deepStrictEqual(kept, { count: round === 1 ? "30" : "10" })
      const [why] = yield* query(options.url, `SELECT obj_description('${schema}'::regnamespace) AS why`)
      assert.deepStrictEqual(why, { why: "it's corrupt" })
      assert.deepStrictEqual(yield* Effect.all([query(options.url, columns), query(options.url, indexes)]), shape)
      const empty = { acceptedEpoch: 4, currentEpoch: 3, checkpoint: 0, floor: 0, last: 0, rebuilding: true }
      yield* life(
        postgresLayer(options),
        Effect.gen(function* () {
          const log = yield* LogStore
          assert.deepStrictEqual(yield* log.open, empty)
          const { zxid: from, nodes, sessions } = yield* loaded
          assert.deepStrictEqual([from, nodes.size, sessions.length], [0, 0, 0])
          yield* log.append(batch(at(1), 10))
          assert.deepStrictEqual(yield* query(options.url, "SELECT count(*) FROM log"), [{ count: "10" }])
          yield* log.setRebuilt
        })
      )
      const again = yield* life(
        postgresLayer(options),
        Effect.flatMap(LogStore, (log) => log.open)
      )
      assert.isUndefined(again.rebuilding)
      yield* life(
        postgresLayer(options),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          yield* log.setRebuilding
        })
      )
      const lost = yield* life(
        postgresLayer(options),
        Effect.flatMap(LogStore, (log) => Effect.andThen(log.open, (found) => Effect.as(log.setRebuilt, found)))
      )
      assert.isTrue(lost.rebuilding)
    }
  })
)

it.live("does not set aside what may not go, nor a database that has forgotten its promises", () =>
  Effect.gen(function* () {
    const options = server.options()
    yield* fill(postgresLayer(options))
    const setAside = (objection: () => string | undefined) =>
      Effect.flip(
        life(
          postgresLayer(options),
          Effect.flatMap(LogStore, (log) => log.setAside({ reason: "", objection }))
        )
      )
    assert.match((yield* setAside(() => "nobody else has it")).message, /is not set aside: nobody else has it/)
    yield* query(options.url, "DELETE FROM epochs")
    assert.match((yield* setAside(noObjection)).message, /what this peer has promised/)
    assert.deepStrictEqual(yield* query(options.url, "SELECT count(*) FROM log_batch"), [{ count: "3" }])
  })
)

it.live("whoever judges whether it may go is told of both configurations, as they stand", () =>
  Effect.gen(function* () {
    for (const stores of [postgresLayer(server.options()), memoryLayer(new MemoryDatabase())]) {
      const told: Array<StoredConfiguration> = []
      const objection = (configuration: StoredConfiguration) => {
        told.push(configuration)
        return "it is needed"
      }
      const refused = Effect.flatMap(LogStore, (log) => Effect.flip(log.setAside({ reason: "corrupt", objection })))
      const knowing = (configuration: StoredConfiguration) =>
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          yield* log.setConfiguration(configuration)
        })
      const known = [
        { committed: undefined, proposed: undefined },
        { committed: "version=1", proposed: undefined },
        { committed: "version=1", proposed: "version=2" }
      ]
      for (const configuration of known) {
        yield* life(stores, knowing(configuration))
        assert.match((yield* life(stores, refused)).message, /is not set aside: it is needed/)
      }
      assert.deepStrictEqual(told, known)
    }
  })
)

it.live("disconnects whoever still works with a database that is set aside", () =>
  Effect.gen(function* () {
    const options = { ...server.options(), lockWaitMs: 2000 }
    yield* fill(postgresLayer(options))
    const refused = yield* life(
      postgresLayer(options),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.open
        yield* life(
          postgresLayer(options),
          Effect.flatMap(LogStore, (other) => other.setAside({ reason: "corrupt", objection: noObjection }))
        )
        return yield* Effect.flip(log.append(batch(at(31), 10)))
      })
    )
    assert.instanceOf(refused, StoreError)
    assert.deepStrictEqual(yield* query(options.url, "SELECT count(*) FROM log_batch"), [{ count: "0" }])
  })
)

it.live("a memory begins anew as well", () =>
  Effect.gen(function* () {
    const database = new MemoryDatabase()
    yield* fill(memoryLayer(database))
    const recovered = yield* life(
      memoryLayer(database),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.setAside({ reason: "corrupt", objection: noObjection })
        return yield* log.open
      })
    )
    const empty = { acceptedEpoch: 4, currentEpoch: 3, checkpoint: 0, floor: 0, last: 0, rebuilding: true }
    assert.deepStrictEqual(recovered, empty)
  })
)
