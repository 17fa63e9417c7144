import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import { isCliError } from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { run } from "./cli.ts"
import { reasonOf } from "./restart.ts"

/** A stop that takes longer than this has hung. */
const STOP_MS = 4_500

/** What stops the process before it runs is the operator's to mend: one line says it. */
const told = run.pipe(
  Effect.tapCause((cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.void
    const error = Cause.squash(cause)
    // The command line's own errors have been shown.
    if (isCliError(error)) return Effect.void
    return Cause.hasDies(cause) ? Console.error(Cause.pretty(cause)) : Console.error(`zkmesh: ${reasonOf(cause)}`)
  }),
  Effect.provide(NodeServices.layer)
)

/** Runs the command line, until it is done or a signal stops it; then the process ends with its exit code. */
export const main = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      const hung = () => {
        process.stderr.write(`zkmesh: the stop took longer than ${STOP_MS} ms and was cut short\n`)
        process.exit(1)
      }
      setTimeout(hung, STOP_MS).unref()
    })
  }
  NodeRuntime.runMain(told, {
    disableErrorReporting: true,
    // Stopped by a signal is stopped as it should be.
    teardown: (exit, done) => done(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
}
