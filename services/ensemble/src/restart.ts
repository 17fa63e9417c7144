import { CurrentHealth } from "@zkmesh/health"
import { CurrentMetrics } from "@zkmesh/metrics"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export interface RestartPolicy {
  /** The first pause; doubled with each failure in a row. */
  readonly minMs: number
  readonly maxMs: number
}

/** A run that lasted this long was a success: the next failure is a new one, logged again and followed by a short pause. */
const STEADY_NS = 10_000_000_000n

/** Sees to what a failure has left behind, before the next try; what it says, if anything, goes into the log. */
export type Mend = (cause: Cause.Cause<unknown>) => Effect.Effect<string | undefined>

const nothingToMend: Mend = () => Effect.succeed(undefined)

/**
 * Runs `once` in a scope of its own, for ever: when it fails (an actor died, the store or the bus is lost) everything it
 * held is released, and after a pause it is built again from what is durable. The same reason is logged once in a row of
 * failures, however long the row.
 */
export const restarting = <E, R>(
  name: string,
  policy: RestartPolicy,
  once: Effect.Effect<never, E, R>,
  mend: Mend = nothingToMend
) =>
  Effect.gen(function* () {
    const health = yield* CurrentHealth
    const failures = (yield* CurrentMetrics).counter("unrecoverable_error_count")
    const told = new Set<string>()
    let pauseMs = policy.minMs
    while (true) {
      const startedAt = yield* Clock.currentTimeNanos
      health.set(name, { condition: "starting" })
      const exit = yield* Effect.exit(once)
      if (Exit.isSuccess(exit)) return yield* Effect.die(new Error(`${name} ended without a reason`))
      if ((yield* Clock.currentTimeNanos) - startedAt >= STEADY_NS) {
        told.clear()
        pauseMs = policy.minMs
      }
      const reason = reasonOf(exit.cause)
      failures.add()
      health.set(name, { condition: "failed", why: reason })
      if (!told.has(reason)) {
        told.add(reason)
        yield* Effect.logError(`${name} has stopped and is built again: ${reason}`)
        yield* Effect.logDebug(exit.cause)
      }
      const mended = yield* mend(exit.cause)
      if (mended !== undefined && !told.has(mended)) {
        told.add(mended)
        yield* Effect.logError(`${name}: ${mended}`)
      }
      yield* Effect.sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, policy.maxMs)
    }
  }) as Effect.Effect<never, never, R>

/** One line: the message of the first failure, with the message of its cause where that says more. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => messageOf(Cause.squash(cause))

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const own = error.message === "" ? error.name : error.message
  const below = error.cause === undefined ? "" : messageOf(error.cause)
  const line = below === "" || own.includes(below) ? own : `${own}: ${below}`
  return line.replace(/\s*\n\s*/g, " ")
}
