import { Effect, Layer } from "effect"
import type { Link } from "./bus.ts"
import { Bus } from "./bus.ts"

/**
 * The bus as one owner (a peer, a lone service, a frontend) uses it: links that it has dialled break when its scope
 * closes. So a peer that is torn down is heard of by all of its neighbours, and leaves nothing behind.
 */
export const ownedBusLayer: Layer.Layer<Bus, never, Bus> = Layer.effect(
  Bus,
  Effect.gen(function* () {
    const bus = yield* Bus
    const dialled = new Set<Link<never>>()
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const link of [...dialled]) link.break(`${link.local} has ended`)
      })
    )
    return Bus.of({
      ...bus,
      dial: (from, to, protocol, listener, limitMs) => {
        const forgetting: typeof listener = (event) => {
          if (event._tag === "Broken") dialled.delete(link)
          listener(event)
        }
        const link = bus.dial(from, to, protocol, forgetting, limitMs)
        dialled.add(link as Link<never>)
        return link
      }
    })
  })
)
