/** Seeds, run one after another in this thread or in several threads at once. */
import { Worker } from "node:worker_threads"
import { type Cast, draw, perform, type Shape } from "@zkmesh/simulator"

/** What came of a seed, as it can be sent from thread to thread. */
export interface Outcome {
  readonly seed: number
  readonly failure: { readonly rule: string; readonly message: string } | undefined
  readonly coverage: ReadonlyMap<string, number>
  readonly transactions: number
  readonly answers: number
  readonly virtualMs: number
}

/** Hears of each seed in the order in which they end; false: no more of them. */
export type Take = (outcome: Outcome) => boolean

/** Short-lived objects are most of what a run makes: with room for them, few outlive a collection. */
const YOUNG_MEGABYTES = 64

export const runSeed = (shape: Shape, cast: Cast): Outcome => {
  const { failure, coverage, transactions, answers, virtualMs } = perform(draw(shape), cast)
  return { seed: shape.seed, failure, coverage, transactions, answers, virtualMs }
}

/** In this thread; `pause` gives signals a turn between two runs. */
export const inTurn = async (
  shapes: Iterable<Shape>,
  cast: Cast,
  pause: () => Promise<void>,
  take: Take
): Promise<void> => {
  for (const shape of shapes) {
    if (!take(runSeed(shape, cast))) return
    await pause()
  }
}

/** In `jobs` threads, each of which takes the next seed when it is done with one. */
export const onThreads = (shapes: Iterable<Shape>, jobs: number, take: Take): Promise<void> => {
  const waiting = shapes[Symbol.iterator]()
  const threads = new Set<Worker>()
  const over = new AbortController()
  const work = (): Promise<void> =>
    new Promise((done, failed) => {
      const thread = new Worker(new URL("./thread.ts", import.meta.url), {
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES }
      })
      threads.add(thread)
      const next = (): void => {
        const shape = over.signal.aborted ? undefined : waiting.next()
        if (shape === undefined || shape.done === true) done()
        else thread.postMessage(shape.value)
      }
      thread.on("message", (outcome: Outcome) => {
        if (!over.signal.aborted && !take(outcome)) over.abort()
        next()
      })
      thread.on("error", failed)
      thread.on("exit", (code) => failed(new Error(`a thread has ended with ${code}`)))
      over.signal.addEventListener("abort", () => done())
      next()
    })
  return Promise.all(Array.from({ length: jobs }, work))
    .then(() => undefined)
    .finally(() => Promise.all([...threads].map((thread) => thread.terminate())))
}
