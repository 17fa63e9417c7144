/** The two ends of a link as tests use them: every event in a queue, in order. */
import { type Address, Bus, type Codec, type LinkEvent, type Protocol, type Topic } from "@zkmesh/bus"
import { Context, Effect, Layer, Queue, type Scope } from "effect"

const text: Codec<string> = {
  encode: (message) => new TextEncoder().encode(message),
  decode: (bytes) => new TextDecoder().decode(bytes)
}
export const protocol: Protocol<string, string> = { name: "test", up: text, down: text }
export const topic: Topic<string> = { name: "news", codec: text }

const bytes: Codec<Uint8Array> = { encode: (message) => message, decode: (message) => message }
export const byteProtocol: Protocol<Uint8Array, Uint8Array> = { name: "bytes", up: bytes, down: bytes }
export const byteTopic: Topic<Uint8Array> = { name: "blobs", codec: bytes }

export type Event<M = string> = LinkEvent<M, M>
export type Events<M = string> = Queue.Queue<Event<M>>

/** A bus of its own, as another process would have it. */
export const process = <E>(layer: Layer.Layer<Bus, E>): Effect.Effect<Bus["Service"], E, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Bus))

export const listen = <M = string>(
  bus: Bus["Service"],
  address: Address,
  spoken: Protocol<M, M> = protocol as unknown as Protocol<M, M>
) =>
  Effect.gen(function* () {
    const events = yield* Queue.unbounded<Event<M>>()
    yield* bus.listen(address, spoken, (event) => Queue.offerUnsafe(events, event))
    return events
  })

export const dial = <M = string>(
  bus: Bus["Service"],
  from: Address,
  to: Address,
  options: { readonly limitMs?: number; readonly spoken?: Protocol<M, M> } = {}
) =>
  Effect.gen(function* () {
    const events = yield* Queue.unbounded<Event<M>>()
    const spoken = options.spoken ?? (protocol as unknown as Protocol<M, M>)
    const link = bus.dial(from, to, spoken, (event) => Queue.offerUnsafe(events, event), options.limitMs ?? 2000)
    return { link, events }
  })

/** The next event, which must be an Opened: its link. */
export const opened = <M>(events: Events<M>) =>
  Effect.flatMap(Queue.take(events), (event) =>
    event._tag === "Opened" ? Effect.succeed(event.link) : Effect.die(new Error(`${event._tag} came, not Opened`))
  )

/** The next `count` messages, over as many events as they take. */
export const messages = <M>(events: Events<M>, count: number) =>
  Effect.gen(function* () {
    const all: Array<M> = []
    while (all.length < count) {
      const event = yield* Queue.take(events)
      if (event._tag !== "Received")
        return yield* Effect.die(new Error(`${JSON.stringify(event._tag)} came, not messages`))
      all.push(...event.messages)
    }
    return all
  })

/** What comes until the link breaks: why it did. */
export const broken = <M>(events: Events<M>) =>
  Effect.gen(function* () {
    for (;;) {
      const event = yield* Queue.take(events)
      if (event._tag === "Broken") return event
    }
  })
