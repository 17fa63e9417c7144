/** Run by hand: what an embedded Postgres does on this machine. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { zxid } from "@zkmesh/numbers"
import { Effect, Stream } from "effect"
import { LogStore, postgresLayer, startEmbedded, TreeStore } from "../src/index.ts"
import { batch } from "./data.ts"
import { manyNodes } from "./snapshots.ts"
import { delta, life } from "./suite.ts"

const MEASURE_MS = 2000
const ENTRY_BYTES = 150
const NODES = 100_000

const say = (what: string, value: string) => console.log(`${what.padEnd(36)} ${value}`)

const timed = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const started = performance.now()
    const result = yield* effect
    say(what, `${(performance.now() - started).toFixed(0)} ms`)
    return result
  })

const appends = Effect.gen(function* () {
  const log = yield* LogStore
  let next = 1
  for (const count of [1, 50, 200, 1000]) {
    const times: number[] = []
    const until = performance.now() + MEASURE_MS
    while (performance.now() < until) {
      const entries = batch(zxid(1, next), count, ENTRY_BYTES)
      const started = performance.now()
      yield* log.append(entries)
      times.push(performance.now() - started)
      next += count
    }
    times.sort((a, b) => a - b)
    const seconds = times.reduce((sum, time) => sum + time, 0) / 1000
    const [p50, p99] = [0.5, 0.99].map((part) => times[Math.floor(times.length * part)]!.toFixed(2))
    say(
      `append, batches of ${count}`,
      `${Math.round((times.length * count) / seconds)} rows/s, p50 ${p50} p99 ${p99} ms`
    )
  }
})

const replay = Effect.gen(function* () {
  const log = yield* LogStore
  const started = performance.now()
  let bytes = 0
  for (let after = 0, more = true; more; ) {
    const batches = yield* log.read(after, 1 << 20)
    more = batches.length > 0
    for (const one of batches) {
      bytes += one.bytes.length
      after = one.last
    }
  }
  say(
    "read the log",
    `${(bytes / 1e3 / (performance.now() - started)).toFixed(0)} MB/s of ${(bytes / 1e6).toFixed(0)} MB`
  )
})

const checkpoints = Effect.gen(function* () {
  const [log, tree] = [yield* LogStore, yield* TreeStore]
  yield* Effect.scoped(Effect.flatMap(tree.load, (state) => Stream.runDrain(state.nodes)))
  yield* tree.load
  const nodes = manyNodes(NODES)
  yield* timed(`checkpoint of ${NODES} znodes`, tree.checkpoint(delta(0, zxid(1, 1), { upserted: nodes })))
  const changed = nodes.slice(0, 1000)
  yield* timed("checkpoint of 1000 of them", tree.checkpoint(delta(zxid(1, 1), zxid(1, 2), { upserted: changed })))
  for (const round of ["cold", "warm"]) {
    const load = Effect.scoped(Effect.flatMap(tree.load, (state) => Stream.runDrain(state.nodes)))
    yield* timed(`load of ${NODES} znodes, ${round}`, load)
  }
  const restore = Effect.scoped(
    Effect.gen(function* () {
      const snapshot = yield* log.snapshot
      const target = yield* log.restore(snapshot.zxid)
      yield* Stream.runForEach(snapshot.chunks, target.write)
      yield* target.commit
    })
  )
  yield* timed("snapshot and restore of them", restore)
})

const root = mkdtempSync(join(tmpdir(), "zkmesh-rates-"))
chmodSync(root, 0o755)
const program = Effect.gen(function* () {
  const server = yield* timed("first start, with initdb", startEmbedded({ dir: join(root, "pg") }))
  const layer = postgresLayer({ url: server.url("rates") })
  yield* life(
    layer,
    Effect.gen(function* () {
      yield* timed(
        "first open, with the schema",
        Effect.flatMap(LogStore, (log) => log.open)
      )
      yield* appends
      yield* replay
      yield* checkpoints
    })
  )
})
try {
  await Effect.runPromise(Effect.scoped(program))
} finally {
  rmSync(root, { recursive: true, force: true })
}
