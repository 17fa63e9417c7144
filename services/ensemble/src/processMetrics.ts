/** What a process measures of itself, wherever it stands in the ensemble. */
import { readdirSync, readFileSync } from "node:fs"
import type { Registry } from "@zkmesh/metrics"
import * as Effect from "effect/Effect"
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

/** As ZooKeeper's pause monitor: how long after this the timer of this length runs is the time of a stall. */
const PAUSE_MS = 500

/** Measures until the scope closes. */
export const observeProcess = (metrics: Registry): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const unobserve = metrics.observe("process", () => ({
        open_file_descriptor_count: openFiles(),
        max_file_descriptor_count: fileLimit()
      }))
      for (const name of OF_OPERATORS) metrics.counter(name)
      metrics.summary("restore_time")
      const pauses = metrics.summary("jvm_pause_time_ms")
      let last = performance.now()
      const timer = setInterval(() => {
        const now = performance.now()
        pauses.record(Math.max(0, now - last - PAUSE_MS))
        last = now
      }, PAUSE_MS).unref()
      return () => {
        clearInterval(timer)
        unobserve()
      }
    }),
    (stop) => Effect.sync(stop)
  ).pipe(Effect.asVoid)
