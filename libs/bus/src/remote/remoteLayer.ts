/** `Bus` over a broker: the same for every broker that keeps `Broker`'s promises. */
import { Machine } from "@zkmesh/actor"
import { Effect, type Scope } from "effect"
import { Bus, BusError, type Link, type Protocol } from "../bus.ts"
import { erase, type Report } from "../delivery.ts"
import { alreadyListening, Loopback } from "../loopback.ts"
import type { Broker } from "./broker.ts"
import { RemoteBus, type RemoteBusOptions } from "./remoteBus.ts"

const TOKENS = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/

/** Refuses what cannot be the tail of a subject. */
const checked = (kind: string, name: string): Effect.Effect<void, BusError> =>
  TOKENS.test(name) ? Effect.void : Effect.fail(new BusError({ message: `"${name}" cannot be ${kind} of the bus` }))

/** Builds the bus; `settle` returns once the broker knows of the subscriptions made so far. */
export const makeRemoteBus = (
  broker: Broker,
  report: Report,
  settle: Effect.Effect<void>,
  options: RemoteBusOptions
): Effect.Effect<Bus["Service"], BusError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* checked("an ensemble", options.ensemble)
    const machine = yield* Machine
    const loopback = new Loopback(report, machine)
    const remote = yield* Effect.acquireRelease(
      Effect.sync(() => new RemoteBus(loopback, broker, options, machine)),
      (remote) =>
        Effect.andThen(
          Effect.sync(() => remote.close()),
          settle
        )
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => machine.every(options.heartbeatMs, () => remote.tick())),
      (cancel) => Effect.sync(cancel)
    )
    return Bus.of({
      listen: (address, protocol, listener) =>
        Effect.gen(function* () {
          yield* checked("an address", address)
          yield* Effect.acquireRelease(
            Effect.suspend(() => {
              const remove = loopback.listen(address, protocol as Protocol<unknown, unknown>, erase(listener))
              return remove === undefined
                ? Effect.fail(alreadyListening(address, protocol.name))
                : Effect.succeed(remove)
            }),
            (remove) => Effect.sync(remove)
          )
          yield* Effect.acquireRelease(
            Effect.sync(() => remote.attend(address)),
            (leave) => Effect.sync(leave)
          )
          yield* settle
        }),
      dial: <Up, Down>(from: string, to: string, protocol: Protocol<Up, Down>, listener: unknown, limitMs: number) =>
        (loopback.listeningAt(to, protocol.name) === undefined
          ? remote.dial(from, to, protocol as Protocol<unknown, unknown>, listener as never, limitMs)
          : loopback.dial(from, to, protocol.name, listener as never)) as Link<Up>,
      subscribe: (topic, listener) =>
        Effect.gen(function* () {
          yield* checked("a topic", topic.name)
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              const leave = loopback.subscribe(topic.name, listener as (message: unknown) => void)
              const unshare = remote.subscribe(topic)
              return () => {
                leave()
                unshare()
              }
            }),
            (leave) => Effect.sync(leave)
          )
          yield* settle
        }),
      publish: (topic, message) => {
        loopback.publish(topic.name, message)
        return remote.publishTopic(topic, message)
      }
    })
  })
