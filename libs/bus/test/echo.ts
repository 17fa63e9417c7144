/** A process of its own for the tests: listens at `echo.1`, sends back what it hears, and says on stdout that it is there. */
import { Bus, natsLayer } from "@zkmesh/bus"
import { Console, Effect } from "effect"
import { protocol } from "./ends.ts"

const [, , servers] = process.argv

const echo = Effect.gen(function* () {
  const bus = yield* Bus
  yield* bus.listen("echo.1", protocol, (event) => {
    if (event._tag === "Received") for (const message of event.messages) event.link.send(message)
  })
  yield* Console.log("listening")
  return yield* Effect.never
})

await Effect.runPromise(echo.pipe(Effect.scoped, Effect.provide(natsLayer({ servers: servers!, ensemble: "test" }))))
