/** What a process measures of itself, wherever it stands in the ensemble. */
import { readdirSync, readFileSync } from "node:fs"
import type { Config } from "@zkmesh/config"
import type { Registry } from "@zkmesh/metrics"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

/** What a Linux says of this process; elsewhere nothing: monitors take a missing key better than a wrong one. */
const proc = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined
    throw error
  }
}
const openFiles = (): number | undefined => proc(() => readdirSync("/proc/self/fd").length)
const fileLimit = (): number | undefined => {
  const soft = proc(() => /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1])
  return soft === undefined ? undefined : Number(soft)
}

/** What the admin server counts: nothing yet, and where there is none, nothing ever. */
const OF_OPERATORS = [
  "insecure_admin_count",
  "snapshot_error_count",
  "snapshot_rate_limited_count",
  "restore_error_count",
  "restore_rate_limited_count"
] as const

/** How the pause monitor looks, and what it tells of. */
export interface PauseSettings {
  /** How often, ms: how much later than this it comes to look is the time of a stall. */
  readonly everyMs: number
  /** Stalls longer than these are logged, ms; undefined: none is. */
  readonly told?: { readonly infoMs: number; readonly warnMs: number } | undefined
}

/** What the operator's `jvm.pause.` keys come to. */
export const pauseSettings = ({ knobs }: Pick<Config, "knobs">): PauseSettings => ({
  everyMs: knobs["jvm.pause.sleep.time.ms"],
  told: knobs["jvm.pause.monitor"]
    ? { infoMs: knobs["jvm.pause.info-threshold.ms"], warnMs: knobs["jvm.pause.warn-threshold.ms"] }
    : undefined
})

/** Measures until the scope closes. */
export const observeProcess = (
  metrics: Registry,
  { everyMs, told }: PauseSettings
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    const counts = { info: 0, warn: 0 }
    const tell = (pauseMs: number): void => {
      if (told === undefined || pauseMs <= Math.min(told.infoMs, told.warnMs)) return
      const isWarning = pauseMs > told.warnMs
      counts[isWarning ? "warn" : "info"]++
      const line = `the process stood still for about ${Math.round(pauseMs)} ms (so far ${counts.info} times to tell of, and ${counts.warn} to warn of)`
      run(isWarning ? Effect.logWarning(line) : Effect.logInfo(line))
    }
    for (const name of OF_OPERATORS) metrics.counter(name)
    metrics.summary("restore_time")
    const pauses = metrics.summary("jvm_pause_time_ms")
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const unobserve = metrics.observe("process", () => ({
          open_file_descriptor_count: openFiles(),
          max_file_descriptor_count: fileLimit()
        }))
        let last = performance.now()
        const timer = setInterval(() => {
          const now = performance.now()
          const pauseMs = Math.max(0, now - last - everyMs)
          pauses.record(pauseMs)
          tell(pauseMs)
          last = now
        }, everyMs).unref()
        return () => {
          clearInterval(timer)
          unobserve()
        }
      }),
      (stop) => Effect.sync(stop)
    )
  })
