/** Runs seed after seed, says how it goes, and tells the story of each failure. */
import { writeFileSync } from "node:fs"
import {
  type Cast,
  diagramOf,
  draw,
  perform,
  type Schedule,
  type Shape,
  sayFault,
  shrink,
  svgOf,
  terminalOf
} from "@zkmesh/simulator"
import { inTurn, type Outcome, onThreads } from "./runs.ts"

export interface Exploration extends Omit<Shape, "seed"> {
  readonly seeds: number
  readonly start: number
  /** Where the picture of a failure goes. */
  readonly out: string
  /** Runs that the search for a shorter schedule may take. */
  readonly shrinkRuns: number
  /** Threads that run seeds at the same time. */
  readonly jobs: number
  /** The first failure ends it. */
  readonly stopsAtFailure: boolean
}

export interface Summary {
  readonly runs: number
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly message: string }>
  readonly coverage: ReadonlyMap<string, number>
  readonly transactions: number
  readonly answers: number
  readonly virtualMs: number
}

export interface Screen {
  /** Replaces the line before it. */
  readonly progress: (line: string) => void
  readonly print: (text: string) => void
}

const PROGRESS_MS = 250
const LINES = 48

/** `pause` gives signals a turn between two runs. */
export const explore = async (
  options: Exploration,
  cast: Cast,
  screen: Screen,
  pause: () => Promise<void>
): Promise<Summary> => {
  const coverage = new Map<string, number>()
  const failures: Array<{ seed: number; message: string }> = []
  const sums = { runs: 0, transactions: 0, answers: 0, virtualMs: 0 }
  const beganAt = performance.now()
  let toldAt = 0
  const take = ({ seed, failure, ...outcome }: Outcome): boolean => {
    sums.runs++
    sums.transactions += outcome.transactions
    sums.answers += outcome.answers
    sums.virtualMs += outcome.virtualMs
    for (const [what, count] of outcome.coverage) coverage.set(what, (coverage.get(what) ?? 0) + count)
    if (failure !== undefined) {
      failures.push({ seed, message: failure.message })
      const { peers, minutes } = options
      tellFailure(options, draw({ seed, peers, minutes }), cast, failure, screen)
      if (options.stopsAtFailure) return false
    }
    const now = performance.now()
    if (now - toldAt < PROGRESS_MS) return true
    toldAt = now
    const seconds = (now - beganAt) / 1000
    const rate = (sums.runs / seconds).toFixed(1)
    screen.progress(
      `seed ${seed}: ${sums.runs} of ${options.seeds}, ${rate}/s, ${failures.length} failed, ` +
        `${coverage.size} kinds of messages and states, ${sums.answers} answers, ${hours(sums.virtualMs)}`
    )
    return true
  }
  const jobs = Math.min(options.jobs, options.seeds)
  if (jobs > 1) await onThreads(shapesOf(options), jobs, take)
  else await inTurn(shapesOf(options), cast, pause, take)
  return { ...sums, failures, coverage }
}

function* shapesOf({ start, seeds, peers, minutes }: Exploration): Generator<Shape, undefined> {
  for (let seed = start; seed < start + seeds; seed++) yield { seed, peers, minutes }
  return undefined
}

const hours = (ms: number): string =>
  ms < 3_600_000 ? `${(ms / 60_000).toFixed(1)} virtual minutes` : `${(ms / 3_600_000).toFixed(1)} virtual hours`

const tellFailure = (
  options: Exploration,
  schedule: Schedule,
  cast: Cast,
  failure: { readonly rule: string; readonly message: string },
  screen: Screen
): void => {
  const { seed } = schedule
  screen.print(`seed ${seed} fails: ${failure.message}`)
  const shortest = shrink(schedule, cast, failure.rule, options.shrinkRuns)
  const { failure: last, story } = perform(shortest, cast)
  screen.print(scheduleText(schedule, shortest))
  const diagram = diagramOf(story, LINES)
  screen.print(terminalOf(diagram))
  screen.print(last?.message ?? failure.message)
  writeFileSync(options.out, svgOf(diagram, `seed ${seed}: ${last?.message ?? failure.message}`))
  screen.print(
    `the picture is in ${options.out}; again: npm run sim -- --seeds 1 --start ${seed} --peers ${options.peers} --minutes ${options.minutes}`
  )
}

const scheduleText = (all: Schedule, shortest: Schedule): string => {
  const steps = (schedule: Schedule) => schedule.scripts.reduce((sum, script) => sum + script.length, 0)
  const faults = shortest.faults.map((fault) => `  ${fault.at.toFixed(2).padStart(10)} ${sayFault(fault)}`)
  const requests = shortest.scripts.flatMap((script, client) =>
    script.map(({ at, operation }) => `  ${at.toFixed(2).padStart(10)} client ${client}: ${JSON.stringify(operation)}`)
  )
  return [
    `shortest schedule: ${shortest.faults.length} of ${all.faults.length} faults, ${steps(shortest)} of ${steps(all)} requests`,
    `  ${shortest.voters} voters, ${shortest.observers} observers, ${shortest.frontends} frontends, ${shortest.placement}`,
    ...faults,
    ...requests.slice(0, 40)
  ].join("\n")
}

/** What the runs have reached, for a person: each kind of thing and how often. */
export const coverageText = (coverage: ReadonlyMap<string, number>): string => {
  const groups = new Map<string, Array<string>>()
  for (const [what, count] of [...coverage].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const colon = what.indexOf(":")
    const group = groups.get(what.slice(0, colon)) ?? []
    groups.set(what.slice(0, colon), group)
    group.push(`${what.slice(colon + 2)} ${count}`)
  }
  return [...groups].map(([group, entries]) => `${group}: ${entries.join(", ")}`).join("\n")
}
