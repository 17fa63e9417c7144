/** `start --detach`, `stop`, `restart`: the messages and exit codes of zkServer.sh. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdir, open, readFile, stat } from "node:fs/promises"
import { relative } from "node:path"
import { startTimeOf, waitForEnd } from "@zkmesh/store"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Ready } from "./ready.ts"
import { DaemonError, type Files, findRun, forgetRun, type Run, writeRun } from "./record.ts"

/** How long a start may take before it counts as failed; it goes on trying in the background. */
const START_MS = 60_000
/** A clean stop is bounded by 5 s; a little more for a machine that is busy. */
const STOP_MS = 10_000
const TAIL_LINES = 20

const failed = (message: string) => new DaemonError({ message })
const promised = <A>(run: () => Promise<A>): Effect.Effect<A, DaemonError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => failed(cause instanceof Error ? cause.message : String(cause))
  })

const shown = (path: string): string => relative("", path) || "."

/** Starts the command line `argv` in the background; returns once clients may connect. */
export const startDetached = (files: Files, argv: ReadonlyArray<string>): Effect.Effect<void, DaemonError> =>
  Effect.gen(function* () {
    const found = yield* findRun(files)
    if (found?.isRunning === true) {
      return yield* failed(`already running as process ${found.run.pid} (${shown(files.pid)})`)
    }
    yield* Console.log("Starting zkmesh ...")
    const before = yield* promised(() => sizeOf(files.log))
    const child = yield* promised(() => launch(files, argv))
    const run: Run = {
      pid: child.pid!,
      startTime: yield* promised(() => startTimeOf(child.pid!)),
      startedAt: new Date().toISOString(),
      argv,
      endpoints: []
    }
    yield* writeRun(files, run)
    const outcome = yield* promised(() => settled(child))
    if (outcome._tag === "Ended") {
      // What was asked for stays known: a restart tries it again once the reason is gone.
      yield* Console.error(yield* promised(() => tailOf(files.log, before)))
      return yield* failed(`FAILED TO START (${outcome.how}): see ${shown(files.log)}`)
    }
    if (outcome._tag === "Late") {
      return yield* failed(`does not serve after ${START_MS / 1000} s, and goes on trying: see ${shown(files.log)}`)
    }
    yield* writeRun(files, { ...run, endpoints: outcome.endpoints })
    yield* Console.log(`STARTED process ${run.pid}, clients connect to ${outcome.endpoints.join(",")}`)
    yield* Console.log(`log in ${shown(files.log)}`)
  })

const launch = async (files: Files, argv: ReadonlyArray<string>): Promise<ChildProcess> => {
  await mkdir(files.directory, { recursive: true })
  const log = await open(files.log, "a")
  try {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...argv], {
      // A session of its own: it outlives the terminal.
      detached: true,
      stdio: ["ignore", log.fd, log.fd, "ipc"]
    })
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject))
    return child
  } finally {
    await log.close()
  }
}

type Outcome =
  | { readonly _tag: "Ready"; readonly endpoints: ReadonlyArray<string> }
  | { readonly _tag: "Ended"; readonly how: string }
  | { readonly _tag: "Late" }

/** What comes first: its word that it serves, its end, or the end of patience. Leaves it alone then. */
const settled = (child: ChildProcess): Promise<Outcome> =>
  new Promise((resolve) => {
    const end = (outcome: Outcome): void => {
      clearTimeout(timer)
      child.removeAllListeners()
      if (child.connected) child.disconnect()
      child.unref()
      resolve(outcome)
    }
    const timer = setTimeout(() => end({ _tag: "Late" }), START_MS)
    child.on("message", (message) => {
      const ready = Schema.decodeUnknownOption(Ready)(message)
      if (Option.isSome(ready)) end({ _tag: "Ready", endpoints: ready.value.ready })
    })
    child.once("exit", (code, signal) => end({ _tag: "Ended", how: signal ?? `exit code ${code}` }))
  })

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return 0
      throw error
    }
  )

/** The last lines of what has been written since the file had `before` bytes. */
const tailOf = async (path: string, before: number): Promise<string> =>
  (await readFile(path)).subarray(before).toString().trimEnd().split("\n").slice(-TAIL_LINES).join("\n")

/** Stops what runs. Nothing to stop is no error, as with zkServer.sh. */
export const stopDetached = (files: Files): Effect.Effect<void, DaemonError> =>
  Effect.gen(function* () {
    yield* Console.log("Stopping zkmesh ...")
    const found = yield* findRun(files)
    if (found === undefined) {
      yield* Console.log(`no zkmesh to stop (could not find file ${shown(files.pid)})`)
      return
    }
    const { pid } = found.run
    if (found.isRunning) {
      yield* promised(async () => process.kill(pid, "SIGTERM"))
      if (!(yield* promised(() => waitForEnd(pid, STOP_MS)))) {
        return yield* failed(`process ${pid} does not stop`)
      }
    }
    yield* forgetRun(files)
    yield* Console.log(found.isRunning ? "STOPPED" : `process ${pid} had ended by itself`)
  })

/** Stops what runs, and starts the same again. */
export const restartDetached = (files: Files): Effect.Effect<void, DaemonError> =>
  Effect.gen(function* () {
    const found = yield* findRun(files)
    if (found === undefined) {
      return yield* failed(`nothing was started here that could be started again (no ${shown(files.run)})`)
    }
    yield* stopDetached(files)
    yield* startDetached(files, found.run.argv)
  })
