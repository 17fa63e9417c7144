/** How a process in the background tells the one that started it that clients may come. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Ready = Schema.Struct({ ready: Schema.Array(Schema.String) })

/** Says where clients connect, to the process that waits for it, if one does. */
export const reportReady = (endpoints: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const done = (): void => resume(Effect.void)
    if (process.send === undefined || !process.connected) {
      done()
      return
    }
    // Whoever was waiting may have given up: that is no matter of ours.
    process.send({ ready: endpoints }, () => {
      if (process.connected) process.disconnect()
      done()
    })
  })
