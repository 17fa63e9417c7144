import { assert, it } from "@effect/vitest"
import { Registry } from "@zkmesh/metrics"
import { LogStore, MemoryDatabase, memoryLayer } from "@zkmesh/store"
import { Effect, Logger, Scope } from "effect"
import { batch } from "../../../libs/store/test/data.ts"
import { Writer } from "../src/Lanes.ts"
import { Statistics } from "../src/Statistics.ts"

it.effect("a slow commit of the log is warned of, and no other", () => {
  const said: Array<string> = []
  const logger = Logger.make(({ message }) => void said.push(String(message)))
  return Effect.gen(function* () {
    const store = yield* LogStore
    yield* store.open
    // When each append begins and ends.
    const times = [0, 999, 1000, 2000]
    const now = () => times.shift()!
    const statistics = new Statistics(new Registry(), { wallClock: () => 0, now: () => 0 }, 2000, 0)
    const writer = new Writer(store, yield* Scope.Scope, statistics, now, 1000)
    yield* writer.perform({ _tag: "Append", batch: batch(1, 3) })
    assert.deepStrictEqual(said, [])
    yield* writer.perform({ _tag: "Append", batch: batch(4, 2) })
    assert.deepStrictEqual(said, ["a commit of the log took 1000 ms (2 transactions): the database is slow"])
  }).pipe(Effect.scoped, Effect.provide([memoryLayer(new MemoryDatabase()), Logger.layer([logger])]))
})
