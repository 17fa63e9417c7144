/** Runs seeds and schedules, and says what came of them. */
import type { Cast } from "./cast.ts"
import { Violation } from "./checks/violation.ts"
import type { Told } from "./observer.ts"
import type { Schedule } from "./schedule.ts"
import { World } from "./world.ts"

export interface Result {
  /** Undefined: all was well. */
  readonly failure: { readonly rule: string; readonly message: string } | undefined
  /** Of everything that has happened, in its order. */
  readonly digest: number
  readonly coverage: ReadonlyMap<string, number>
  /** What was said last. */
  readonly story: ReadonlyArray<Told>
  readonly transactions: number
  readonly answers: number
  readonly virtualMs: number
}

/** One run, to its end or to the first thing that went wrong. */
export const perform = (schedule: Schedule, cast: Cast): Result => {
  const world = new World(schedule, cast)
  let failure: Result["failure"]
  try {
    world.run()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    failure = { rule: cause instanceof Violation ? cause.rule : "thrown", message }
  }
  return {
    failure,
    digest: world.observer.digest,
    coverage: world.observer.coverage,
    get story() {
      return world.observer.story
    },
    transactions: world.history.txns.length,
    answers: world.clients.reduce((sum, client) => sum + client.answers, 0),
    virtualMs: world.timeline.now
  }
}

/**
 * The shortest schedule that still breaks the same rule, as far as `attempts` runs find it: faults and steps of clients
 * are left out in ever smaller parts, and time is cut off behind the last that matters.
 */
export const shrink = (schedule: Schedule, cast: Cast, rule: string, attempts: number): Schedule => {
  let best = schedule
  let left = attempts
  const fails = (candidate: Schedule): boolean => {
    if (left-- <= 0) return false
    if (perform(candidate, cast).failure?.rule !== rule) return false
    best = candidate
    return true
  }
  const { virtualMs } = perform(schedule, cast)
  if (virtualMs < schedule.troubleMs) fails(until(schedule, virtualMs + 1))
  const without = <T>(all: () => ReadonlyArray<T>, put: (kept: ReadonlyArray<T>) => Schedule): void => {
    for (let size = Math.ceil(all().length / 2); size >= 1 && left > 0; size = Math.floor(size / 2)) {
      for (let at = 0; at < all().length && left > 0; ) {
        const kept = [...all().slice(0, at), ...all().slice(at + size)]
        if (!fails(put(kept))) at += size
      }
    }
  }
  without(
    () => best.faults,
    (faults) => ({ ...best, faults })
  )
  for (let client = 0; client < schedule.clients; client++) {
    const put = (steps: Schedule["scripts"][number]): Schedule => ({
      ...best,
      scripts: best.scripts.map((script, index) => (index === client ? steps : script))
    })
    if (best.scripts[client]!.length > 0 && !fails(put([]))) without(() => best.scripts[client]!, put)
  }
  return best
}

const until = (schedule: Schedule, ms: number): Schedule => ({
  ...schedule,
  troubleMs: ms,
  faults: schedule.faults.filter(({ at }) => at < ms),
  scripts: schedule.scripts.map((script) => script.filter(({ at }) => at < ms))
})
