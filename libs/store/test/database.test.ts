/** What is particular to Postgres: what people can query, what is refused, what a crash leaves. */
import { assert, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import * as schema from "@zkmesh/store/schema"
import { getTableConfig, getViewConfig } from "drizzle-orm/pg-core"
import { Effect, Exit, Fiber, Stream } from "effect"
import { LogStore, type PostgresOptions, postgresLayer, TreeStore } from "../src/index.ts"
import { batch, batchOf, bodyWithPath, node, session } from "./data.ts"
import { query, testServer } from "./server.ts"
import { bytesOf, delta, life, loaded, refusal } from "./suite.ts"

const server = testServer()
const at = (counter: number) => zxid(1, counter)

const opened = (options: PostgresOptions) =>
  life(
    postgresLayer(options),
    Effect.flatMap(LogStore, (log) => log.open)
  )

/** A database with three batches of ten. */
const withLog = Effect.gen(function* () {
  const options = server.options()
  yield* life(
    postgresLayer(options),
    Effect.gen(function* () {
      const log = yield* LogStore
      yield* log.open
      for (const first of [1, 11, 21]) yield* log.append(batch(at(first), 10))
    })
  )
  return options
})

it.live("shows people the log, a row per transaction", () =>
  Effect.gen(function* () {
    const options = server.options()
    yield* life(
      postgresLayer(options),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.open
        yield* log.append(
          batchOf([
            { zxid: at(1), type: OpCode.createSession, body: new Uint8Array(20) },
            { zxid: at(2), type: OpCode.create, body: bodyWithPath("/żółć", 9) },
            { zxid: at(3), type: OpCode.error, body: Buffer.from([255, 255, 255, 155]) },
            { zxid: at(4), type: OpCode.multi, body: new Uint8Array(0) },
            { zxid: at(5), type: OpCode.setData, body: Buffer.from([0, 0, 0, 2, 0xff, 0xfe, 1]) },
            { zxid: at(6), type: OpCode.closeSession, body: new Uint8Array(0) },
            { zxid: at(7), type: OpCode.restore, body: bodyWithPath("/zookeeper/restore-1", 0) }
          ])
        )
      })
    )
    const rows = yield* query(options.url, "SELECT * FROM log ORDER BY zxid")
    assert.deepStrictEqual(
      rows.map(({ type, path, error }) => [type, path, error]),
      [
        ["createSession", null, null],
        ["create", "/żółć", null],
        ["error", null, -101],
        ["multi", null, null],
        ["setData", null, null],
        ["closeSession", null, null],
        ["restore", "/zookeeper/restore-1", null]
      ]
    )
    const { body, ...first } = rows[1]!
    assert.strictEqual(Buffer.compare(body as Buffer, bodyWithPath("/żółć", 9)), 0)
    assert.deepStrictEqual(first, {
      zxid: String(at(2)),
      zxid_hex: "0x100000002",
      time: new Date(1_700_000_000_123),
      type: "create",
      path: "/żółć",
      error: null,
      session: String(at(1)),
      session_hex: "0x100000001",
      seq: "7",
      cxid: -3,
      batch: String(at(7))
    })
  })
)

it.live("shows people the tree", () =>
  Effect.gen(function* () {
    const options = server.options()
    const upserted = [node("/text"), node("/binary", { data: Buffer.from([0xff, 0]), kind: "ttl", ttlMs: 90_000 })]
    yield* life(
      postgresLayer(options),
      Effect.gen(function* () {
        const tree = yield* TreeStore
        yield* tree.load
        yield* tree.checkpoint(delta(0, at(9), { upserted, sessions: [session(at(3))] }))
      })
    )
    const [row] = yield* query(
      options.url,
      "SELECT path, convert_from(data, 'UTF8') AS text FROM znodes WHERE data <> '\\xff00'"
    )
    assert.deepStrictEqual(row, { path: "/text", text: "data of /text" })
    const tree = yield* query(
      options.url,
      "SELECT path, text, size, czxid, created, extract(epoch FROM ttl)::int AS ttl, acl FROM tree ORDER BY path"
    )
    const acl = [{ perms: 31, scheme: "world", id: "anyone" }]
    const created = new Date(1_700_000_000_001)
    assert.deepStrictEqual(tree, [
      { path: "/binary", text: null, size: 2, czxid: "0x100000001", created, ttl: 90, acl },
      { path: "/text", text: "data of /text", size: 13, czxid: "0x100000001", created, ttl: null, acl }
    ])
  })
)

it.live("has the schema that drizzle is told of", () =>
  Effect.gen(function* () {
    const { url } = yield* withLog
    const { epochs, configuration, checkpoint, logBatch, znodes, sessions } = schema
    const tables = [epochs, configuration, checkpoint, logBatch, znodes, sessions].map((table) => {
      const { name, columns } = getTableConfig(table)
      return [name, columns.map((column) => [column.name, column.getSQLType(), column.notNull])] as const
    })
    const view = getViewConfig(schema.log)
    for (const [name, columns] of tables) {
      const found = yield* query(
        url,
        `SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
        [name]
      )
      assert.deepStrictEqual(sorted(found.map(Object.values)), sorted(columns), name)
    }
    const [columns] = yield* query(
      url,
      "SELECT array_agg(attname::text) AS names FROM pg_attribute WHERE attrelid = 'log'::regclass"
    )
    assert.sameMembers(
      columns?.["names"] as Array<string>,
      Object.values(view.selectedFields).map((field) => (field as { name: string }).name)
    )
  })
)

const sorted = (rows: ReadonlyArray<ReadonlyArray<unknown>>) =>
  rows
    .map((row) =>
      row
        .join(" ")
        .replace("timestamp with time zone", "timestamptz")
        .replace("timestamp (6) with time zone", "timestamptz")
    )
    .sort()

it.live("names a damaged row", () =>
  Effect.gen(function* () {
    const middle = yield* withLog
    yield* query(middle.url, `UPDATE log_batch SET bytes = set_byte(bytes, 50, 1) WHERE last_zxid = ${at(20)}`)
    yield* life(
      postgresLayer(middle),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.open
        assert.match(yield* refusal(log.read(0, 1 << 20)), /log_batch row 4294967316 \(0x10000000b to 0x100000014\)/)
      })
    )
    const last = yield* withLog
    yield* query(last.url, `UPDATE log_batch SET crc32 = 0 WHERE last_zxid = ${at(30)}`)
    assert.match(yield* refusal(opened(last)), /log_batch row 4294967326 .*checksum is wrong/)
  })
)

it.live("finds a hole, and tables that contradict each other", () =>
  Effect.gen(function* () {
    const hole = yield* withLog
    yield* query(hole.url, `DELETE FROM log_batch WHERE last_zxid = ${at(20)}`)
    assert.match(
      yield* refusal(opened(hole)),
      /row 4294967326 \(it begins at 0x100000015\) does not follow 0x10000000a/
    )
    const start = yield* withLog
    yield* query(start.url, `DELETE FROM log_batch WHERE last_zxid = ${at(10)}`)
    assert.match(yield* refusal(opened(start)), /does not follow 0x0/)
    const ahead = yield* withLog
    yield* query(ahead.url, `UPDATE checkpoint SET zxid = ${at(31)}`)
    assert.match(yield* refusal(opened(ahead)), /ends at 0x10000001e, before the checkpoint 0x10000001f/)
    const floor = yield* withLog
    yield* query(floor.url, `UPDATE epochs SET floor = ${at(3)}`)
    assert.match(yield* refusal(opened(floor)), /starts after 0x100000003, the checkpoint is 0x0/)
  })
)

it.live("says what is wrong with a server, at once", () =>
  Effect.gen(function* () {
    const started = performance.now()
    const { url } = server.options()
    assert.match(
      yield* refusal(opened({ url: "postgresql://u:secret@127.0.0.1:1/db" })),
      /database db at 127.0.0.1:1: .*ECONNREFUSED/
    )
    assert.match(yield* refusal(opened({ url: "postgresql://u:secret@no-such-host.invalid/db" })), /no-such-host/)
    assert.match(yield* refusal(opened({ url: "postgresql:///db?host=/nowhere&user=u" })), /\/nowhere.*ENOENT/)
    assert.match(
      yield* refusal(opened({ url: url.replace("user=zkmesh", "user=stranger") })),
      /role "stranger" does not exist/
    )
    assert.isBelow(performance.now() - started, 5000)
  })
)

it.live("refuses a database that it cannot work with, and mends what a session can mend", () =>
  Effect.gen(function* () {
    const latin = server.options()
    const name = new URL(latin.url).pathname.slice(1)
    const admin = server.running().url("postgres")
    yield* query(admin, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1'`)
    assert.match(yield* refusal(opened(latin)), /encoding is LATIN1/)
    const newer = yield* withLog
    yield* query(newer.url, "UPDATE drizzle.__drizzle_migrations SET created_at = created_at + 1")
    assert.match(yield* refusal(opened(newer)), /schema of a newer zkmesh/)
    const off = yield* withLog
    yield* query(off.url, `ALTER DATABASE ${new URL(off.url).pathname.slice(1)} SET synchronous_commit = off`)
    // A default that a session can set right is set right.
    assert.strictEqual((yield* opened(off)).last, at(30))
  })
)

it.live("gives up on a database that hangs", () =>
  Effect.gen(function* () {
    const options = server.options()
    // Made before, or the time to make it would count.
    yield* opened(options)
    yield* life(
      postgresLayer({ ...options, statementTimeoutMs: 1000 }),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.open
        yield* log.append(batch(at(1), 1))
        const [backend] = yield* query(
          options.url,
          "SELECT pid FROM pg_stat_activity WHERE application_name = 'zkmesh log'"
        )
        const pid = Number(backend?.["pid"])
        process.kill(pid, "SIGSTOP")
        assert.match(yield* refusal(log.append(batch(at(2), 1))), /timeout/i)
        assert.match(yield* refusal(log.append(batch(at(3), 1))), /timeout/i)
        process.kill(pid, "SIGCONT")
      })
    )
  })
)

it.live("says that a lost connection is lost", () =>
  Effect.gen(function* () {
    const options = server.options()
    yield* life(
      postgresLayer(options),
      Effect.gen(function* () {
        const [log, tree] = [yield* LogStore, yield* TreeStore]
        yield* log.open
        yield* tree.load
        yield* log.append(batch(at(1), 1))
        const lost = yield* Effect.forkChild(refusal(log.lost))
        yield* query(
          server.running().url("postgres"),
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'zkmesh %'"
        )
        // Nobody has asked for anything yet.
        assert.match(yield* Fiber.join(lost), /connection is lost/)
        assert.match(yield* refusal(log.append(batch(at(2), 1))), /connection is lost/)
        assert.match(yield* refusal(log.read(0, 1)), /connection is lost/)
        assert.match(yield* refusal(tree.checkpoint(delta(0, 1))), /connection is lost/)
      })
    )
    assert.strictEqual((yield* opened(options)).last, at(1))
  })
)

it.live(
  "keeps everything that was acknowledged when Postgres is killed",
  () =>
    Effect.gen(function* () {
      const options = server.options()
      let acknowledged = 0
      for (let round = 0; round < 2; round++) {
        const crash = life(
          postgresLayer(options),
          Effect.gen(function* () {
            const log = yield* LogStore
            const { last } = yield* log.open
            assert.isAtLeast(last, acknowledged)
            for (let next = Math.max(last, at(0)) + 1; ; next += 20) {
              yield* log.append(batch(next, 20))
              acknowledged = next + 19
              // In the middle of whatever comes next.
              if (next > last + 1000) setImmediate(() => kill(server.running().pid()))
            }
          })
        )
        assert.isTrue(Exit.isFailure(yield* Effect.exit(crash)))
        yield* restarted(options)
      }
      yield* life(
        postgresLayer(options),
        Effect.gen(function* () {
          const log = yield* LogStore
          const { last } = yield* log.open
          assert.isAtLeast(last, acknowledged)
          const batches = yield* log.read(0, 1 << 30)
          const expected = Array.from({ length: (last - at(0)) / 20 }, (_, index) => batch(at(1 + index * 20), 20))
          assert.strictEqual(bytesOf(batches), bytesOf(expected))
        })
      )
    }),
  60_000
)

const kill = (pid: number | undefined) => {
  if (pid !== undefined) process.kill(pid, "SIGKILL")
}

/** Waits until the killed server takes connections again. */
const restarted = (options: PostgresOptions) =>
  Effect.retry(opened(options), { while: () => Effect.as(Effect.sleep("20 millis"), true) })

it.live(
  "does not lose a checkpoint, nor half of one, when Postgres is killed",
  () =>
    Effect.gen(function* () {
      const options = server.options()
      const upserted = Array.from({ length: 20_000 }, (_, index) => node(`/n${index}`))
      const dies = life(
        postgresLayer(options),
        Effect.gen(function* () {
          const tree = yield* TreeStore
          yield* Effect.flatMap(tree.load, (state) => Stream.runDrain(state.nodes))
          yield* tree.checkpoint(delta(0, at(1), { upserted: upserted.slice(0, 10) }))
          setTimeout(() => kill(server.running().pid()), 50)
          for (let from = 1; ; from++) yield* tree.checkpoint(delta(at(from), at(from + 1), { upserted }))
        })
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(dies)))
      yield* Effect.retry(
        Effect.gen(function* () {
          const state = yield* life(postgresLayer(options), loaded)
          assert.strictEqual(state.nodes.size, state.zxid === at(1) ? 10 : 20_000)
        }),
        { while: () => Effect.as(Effect.sleep("20 millis"), true) }
      )
    }),
  60_000
)
