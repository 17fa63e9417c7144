/** What is known of a process in the background: files in its data directory. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { isAlive, startTimeOf } from "@zkmesh/store"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** What an operator asked for cannot be done; the message says why. */
export class DaemonError extends Data.TaggedError("DaemonError")<{ readonly message: string }> {}

const Run = Schema.Struct({
  pid: Schema.Int,
  /** Tells the process from a later one with the same pid, where the platform says. */
  startTime: Schema.optional(Schema.String),
  startedAt: Schema.String,
  /** The command line after the program's name: `restart` says it again. */
  argv: Schema.Array(Schema.String),
  /** Where clients connect, host:port. */
  endpoints: Schema.Array(Schema.String)
})
export type Run = typeof Run.Type
const RunText = Schema.fromJsonString(Run)

/** The files of one process: the pid alone for scripts, all there is to know, and what it prints. */
export interface Files {
  readonly directory: string
  readonly pid: string
  readonly run: string
  readonly log: string
}

/** A server of its own has its id in the names: several may share a directory. */
export const filesIn = (dataDir: string | undefined, id: number | undefined): Files => {
  const directory = resolve(dataDir ?? "data")
  const name = id === undefined ? "zkmesh" : `zkmesh-${id}`
  const file = (ending: string) => join(directory, `${name}.${ending}`)
  return { directory, pid: file("pid"), run: file("run"), log: file("log") }
}

/** Whether a file of a data directory is one of these, and no data. */
export const isDaemonFile = (name: string): boolean => /^zkmesh(-\d+)?\.(pid|run|run\.new|log)$/.test(name)

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, DaemonError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new DaemonError({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

export const writeRun = (files: Files, run: Run): Effect.Effect<void, DaemonError> =>
  attempt(`${files.run} cannot be written`, async () => {
    await mkdir(files.directory, { recursive: true })
    await writeFile(`${files.run}.new`, `${JSON.stringify(run)}\n`)
    await rename(`${files.run}.new`, files.run)
    await writeFile(files.pid, `${run.pid}\n`)
  })

export const forgetRun = (files: Files): Effect.Effect<void, DaemonError> =>
  attempt(`${files.run} cannot be removed`, async () => {
    await rm(files.pid, { force: true })
    await rm(files.run, { force: true })
  })

/** What was started here last, and whether it still runs; undefined if nothing was, or it was stopped. */
export const findRun = (
  files: Files
): Effect.Effect<{ readonly run: Run; readonly isRunning: boolean } | undefined, DaemonError> =>
  Effect.gen(function* () {
    const text = yield* attempt(`${files.run} cannot be read`, () =>
      readFile(files.run, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined
        throw error
      })
    )
    if (text === undefined) return undefined
    const read = Schema.decodeUnknownResult(RunText)(text)
    if (Result.isFailure(read)) return yield* new DaemonError({ message: `${files.run} is damaged` })
    const run = read.success
    return { run, isRunning: yield* attempt("the process", () => runs(run)) }
  })

const runs = async ({ pid, startTime }: Run): Promise<boolean> => isAlive(pid) && (await startTimeOf(pid)) === startTime
