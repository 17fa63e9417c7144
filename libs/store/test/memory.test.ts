import { assert, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import { Deferred, Effect, Fiber } from "effect"
import { LogStore, MemoryDatabase, memoryLayer, StoreError } from "../src/index.ts"
import { configurationSuite } from "./configuration.ts"
import { batch } from "./data.ts"
import { snapshotSuite } from "./snapshots.ts"
import { life, refusal, storeSuite } from "./suite.ts"

const fresh = () =>
  Effect.sync(() => {
    const database = new MemoryDatabase()
    return () => memoryLayer(database)
  })

storeSuite("memory", fresh)
snapshotSuite("memory", fresh, 2000)
configurationSuite("memory", fresh)

it.live("a change that was not durable yet is lost with its process", () =>
  Effect.gen(function* () {
    const database = new MemoryDatabase()
    const reached = yield* Deferred.make<void>()
    const beforeDurable = () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
    const process = yield* Effect.forkChild(
      life(
        memoryLayer(database, { beforeDurable }),
        Effect.gen(function* () {
          const log = yield* LogStore
          yield* log.open
          yield* log.append(batch(zxid(1, 1), 1))
        })
      )
    )
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(process)
    const recovered = yield* life(
      memoryLayer(database),
      Effect.flatMap(LogStore, (log) => log.open)
    )
    assert.strictEqual(recovered.last, 0)
  })
)

it.live("a broken disk is a StoreError", () =>
  life(
    memoryLayer(new MemoryDatabase(), {
      beforeDurable: (operation) => Effect.fail(new StoreError({ operation, message: "no space left" }))
    }),
    Effect.gen(function* () {
      const log = yield* LogStore
      yield* log.open
      assert.match(yield* refusal(log.setAcceptedEpoch(1)), /no space left/)
    })
  )
)
