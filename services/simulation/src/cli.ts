/** The command line of the simulator. */
import { availableParallelism } from "node:os"
import { setImmediate as nextTurn } from "node:timers/promises"
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { cast } from "./cast.ts"
import { coverageText, explore, type Screen } from "./explore.ts"
import { exhibits } from "./museum/exhibits.ts"
import { tableOf, type Visit, visit } from "./museum/visit.ts"

const seeds = Flag.Int("seeds").pipe(
  Flag.withDescription("how many runs (of each exhibit, with --museum)"),
  Flag.withDefault(100)
)
const start = Flag.Int("start").pipe(Flag.withDescription("the first seed"), Flag.withDefault(1))
const peers = Flag.Int("peers").pipe(
  Flag.withDescription("voters of each ensemble"),
  Flag.filter(
    (count) => count >= 1 && count <= 9,
    (count) => `1 to 9, got ${count}`
  ),
  Flag.withDefault(5)
)
const minutes = Flag.Finite("minutes").pipe(
  Flag.withDescription("virtual minutes of trouble in each run; peace follows"),
  Flag.withDefault(0.1)
)
const out = Flag.String("out").pipe(
  Flag.withDescription("where the picture of a failure is written"),
  Flag.withMetavar("FILE"),
  Flag.withDefault("simulation.svg")
)
const shrinkRuns = Flag.Int("shrink-runs").pipe(
  Flag.withDescription("runs that the search for a shorter schedule may take"),
  Flag.withDefault(200)
)
const keepGoing = Flag.Boolean("keep-going").pipe(
  Flag.withDescription("do not stop at the first failure"),
  Flag.withDefault(false)
)
const jobs = Flag.Int("jobs").pipe(
  Flag.withDescription("threads that run seeds at the same time; by default one for each core"),
  Flag.filter(
    (count) => count >= 1,
    (count) => `1 or more, got ${count}`
  ),
  Flag.withDefault(availableParallelism())
)
const museum = Flag.Boolean("museum").pipe(
  Flag.withDescription("put known bugs into the cores: each must be caught"),
  Flag.withDefault(false)
)
const quick = Flag.Boolean("quick").pipe(
  Flag.withDescription(
    "with --museum: only until a seed catches each, beginning with the one known to, in the ensemble known for it"
  ),
  Flag.withDefault(false)
)

/** What most exhibits are caught in, and within a second. */
const QUICK = { peers: 3, minutes: 0.05 }

const isTerminal = process.stdout.isTTY === true

const screen: Screen = {
  progress: (line) => {
    if (isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 120) - 1)}`)
  },
  print: (text) => void process.stdout.write(`${isTerminal ? "\r\x1b[K" : ""}${text}\n`)
}

/** Something has failed that should not have, or has not that should have; all has been said. */
class Unproved extends Error {
  override readonly name = "Unproved"
}

const run = Effect.fnUntraced(function* (options: {
  readonly seeds: number
  readonly start: number
  readonly peers: number
  readonly minutes: number
  readonly out: string
  readonly shrinkRuns: number
  readonly jobs: number
  readonly keepGoing: boolean
}) {
  const beganAt = performance.now()
  const exploration = { ...options, stopsAtFailure: !options.keepGoing }
  const { coverage, failures, ...sums } = yield* Effect.promise(() =>
    explore(exploration, cast, screen, () => nextTurn())
  )
  const seconds = (performance.now() - beganAt) / 1000
  screen.print(coverageText(coverage))
  yield* Console.log(
    `${sums.runs} seeds of ${options.peers} peers, ${failures.length} failed: ${(sums.runs / seconds).toFixed(1)} seeds/s, ` +
      `${sums.transactions} transactions, ${sums.answers} answers, ${Math.round(sums.virtualMs / 60_000)} virtual minutes`
  )
  if (failures.length > 0)
    return yield* Effect.fail(new Unproved(`seeds ${failures.map(({ seed }) => seed).join(", ")}`))
})

const tour = Effect.fnUntraced(function* (options: {
  readonly seeds: number
  readonly start: number
  readonly peers: number
  readonly minutes: number
  readonly quick: boolean
}) {
  const visits: Array<Visit> = []
  for (const exhibit of exhibits) {
    const range = Array.from({ length: options.seeds }, (_, index) => options.start + index)
    const known = options.quick ? [exhibit.seed, ...range] : range
    const shape = options.quick ? (exhibit.shape ?? QUICK) : options
    const one = yield* Effect.promise(() => visit(exhibit, known, shape, options.quick))
    visits.push(one)
    screen.print(tableOf([one], exhibits))
  }
  const missed = visits.filter(({ caught }) => caught.length === 0)
  yield* Console.log(`${visits.length - missed.length} of ${visits.length} exhibits are caught`)
  if (missed.length > 0) return yield* Effect.fail(new Unproved(missed.map(({ exhibit }) => exhibit.name).join(", ")))
})

export const sim = Command.make(
  "sim",
  { seeds, start, peers, minutes, out, shrinkRuns, jobs, keepGoing, museum, quick },
  (flags) => (flags.museum ? tour(flags) : run(flags))
).pipe(Command.withDescription("Runs simulated ensembles from seeds, and checks every promise that is made"))
