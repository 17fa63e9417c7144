/** Asks a process for its health: for container images that have no other way to ask. */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** What was asked is not ready, or does not answer. */
export class NotReady extends Data.TaggedError("NotReady")<{ readonly message: string }> {}

/** Prints in one line what `url` (`/health/ready` or `/health/live`) says; fails unless it says that all is well. */
export const probe = (url: string, timeoutMs: number): Effect.Effect<void, NotReady> =>
  Effect.gen(function* () {
    const { status, body } = yield* Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
        return { status: response.status, body: await response.text() }
      },
      catch: (cause) => new NotReady({ message: `${url} does not answer: ${reason(cause)}` })
    })
    const line = body.replaceAll(/\s*\n\s*/g, " ").trim()
    if (status !== 200) return yield* new NotReady({ message: `${status} ${line}` })
    yield* Console.log(line)
  })

const reason = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? cause.cause.message : cause.message
}
