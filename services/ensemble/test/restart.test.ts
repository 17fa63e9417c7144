import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { reasonOf, restarting } from "../src/restart.ts"

const POLICY = { minMs: 200, maxMs: 5000 }

/** Collects what is logged at error level. */
const collecting = (lines: Array<string>) =>
  Logger.layer([
    Logger.make(({ logLevel, message }) => {
      if (logLevel === "Error") lines.push(String(message))
    })
  ])

it.effect("builds a failed thing again after pauses that double up to the limit, and says each reason once", () =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    let runs = 0
    const once = Effect.suspend(() => Effect.fail(new Error(++runs === 3 ? "the disk is full" : "the bus is lost")))
    const fiber = yield* Effect.forkChild(Effect.provide(restarting("peer 1", POLICY, once), collecting(lines)))
    yield* TestClock.adjust(1)
    const seen: Array<number> = [runs]
    for (const ms of [199, 400, 800, 1600, 3200, 5000, 5000]) {
      yield* TestClock.adjust(ms)
      seen.push(runs)
    }
    assert.deepStrictEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8])
    assert.deepStrictEqual(lines, [
      "peer 1 has stopped and is built again: the bus is lost",
      "peer 1 has stopped and is built again: the disk is full"
    ])
    yield* Fiber.interrupt(fiber)
  })
)

it.effect("takes a failure after a steady run for a new one", () =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    let runs = 0
    const once = Effect.suspend(() => {
      runs++
      return Effect.delay(Effect.fail("lost"), 60_000)
    })
    const fiber = yield* Effect.forkChild(Effect.provide(restarting("peer 1", POLICY, once), collecting(lines)))
    // Six runs of a minute and the five shortest pauses between them.
    yield* TestClock.adjust(6 * 60_000 + 5 * POLICY.minMs)
    yield* Fiber.interrupt(fiber)
    assert.strictEqual(runs, 6)
    assert.lengthOf(lines, 6)
  })
)

it.effect("releases what a run held before the next begins, and when it is interrupted", () =>
  Effect.gen(function* () {
    let held = 0
    let most = 0
    const once = Effect.scoped(
      Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => (most = Math.max(most, ++held))),
          () => Effect.sync(() => held--)
        ),
        Effect.andThen(Effect.sleep(50), Effect.fail("lost"))
      )
    )
    const fiber = yield* Effect.forkChild(restarting("peer 1", POLICY, once))
    yield* TestClock.adjust(1010)
    assert.deepStrictEqual([held, most], [0, 1])
    yield* TestClock.adjust(5000)
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual([held, most], [0, 1])
    assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
  })
)

it("says a reason in one line", () => {
  const error = new Error("the store is lost", { cause: new Error("connect ECONNREFUSED\n 127.0.0.1:5432") })
  assert.strictEqual(reasonOf(Cause.fail(error)), "the store is lost: connect ECONNREFUSED 127.0.0.1:5432")
  assert.strictEqual(reasonOf(Cause.die("odd")), "odd")
})
