import { Effect } from "effect"
import { StoreError } from "./store.ts"

/** Runs it; whatever it is rejected with is a StoreError, of this operation unless it says otherwise itself. */
export const attempt = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof StoreError
        ? cause
        : new StoreError({ operation, message: cause instanceof Error ? cause.message : String(cause), cause })
  })
