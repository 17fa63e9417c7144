/** A tour of the museum: every exhibit is run until a seed catches it, or for as many seeds as are wanted. */
import { draw, type Fault, perform, type Schedule, type Shape } from "@zkmesh/simulator"
import type { Exhibit } from "./exhibits.ts"
import { mutatedCast } from "./loader.ts"

export interface Visit {
  readonly exhibit: Exhibit
  readonly seeds: number
  /** The seeds that caught it, and by which rule. */
  readonly caught: ReadonlyArray<{ readonly seed: number; readonly rule: string }>
}

/** Runs `exhibit` with these seeds; `isQuick`: until the first that catches it. */
export const visit = async (
  exhibit: Exhibit,
  seeds: Iterable<number>,
  shape: Omit<Shape, "seed">,
  isQuick: boolean
): Promise<Visit> => {
  const cast = await mutatedCast(exhibit)
  const caught: Array<{ seed: number; rule: string }> = []
  let count = 0
  for (const seed of seeds) {
    count++
    const drawn = draw({ ...shape, seed })
    const { faults } = exhibit
    const { failure } = perform(faults === undefined || !isQuick ? drawn : staged(drawn, faults), cast)
    if (failure === undefined) continue
    caught.push({ seed, rule: failure.rule })
    if (isQuick) break
  }
  return { exhibit, seeds: count, caught }
}

/** One process per peer, each keeping its log, and just these faults. */
const staged = (schedule: Schedule, faults: ReadonlyArray<Fault>): Schedule => ({
  ...schedule,
  placement: "server",
  observers: 0,
  snapCount: 1000,
  logRetain: 0,
  faults
})

/** The table: each exhibit, in how many seeds it was caught, and by which rules. */
export const tableOf = (visits: ReadonlyArray<Visit>, all: ReadonlyArray<Exhibit>): string => {
  const width = Math.max(...all.map(({ name }) => name.length))
  const rows = visits.map(({ exhibit, seeds, caught }) => {
    const rules = [...new Set(caught.map(({ rule }) => rule))].join(", ")
    const first = caught[0] === undefined ? "" : `, first ${caught[0].seed}`
    const verdict = caught.length === 0 ? "NOT CAUGHT" : `${rules}${first}`
    return `${exhibit.name.padEnd(width)}  ${String(caught.length).padStart(4)} of ${String(seeds).padEnd(4)}  ${verdict}`
  })
  return rows.join("\n")
}
