/** Sees everything that the actors of a process say to each other and to others, without touching it. */
import { type Address, Bus, type LinkEvent } from "@zkmesh/bus"

export interface Heard {
  /** Who hears it, and from whom. */
  readonly local: Address
  readonly remote: Address
  readonly protocol: string
  readonly event: "Opened" | "Broken" | "Received"
  readonly messages: ReadonlyArray<{ readonly _tag: string }>
  readonly detail: string
}

export interface TapHost {
  readonly heard: (heard: Heard) => void
  readonly published: (topic: string, message: { readonly _tag: string }) => void
}

const NO_MESSAGES: Heard["messages"] = []

/** The bus, with `host` told of every event before its listener is. */
export const tappedBus = (bus: Bus["Service"], host: TapHost): Bus["Service"] => {
  const tell = (protocol: string, event: LinkEvent<unknown, unknown>): void =>
    host.heard({
      local: event.link.local,
      remote: event.link.remote,
      protocol,
      event: event._tag,
      messages: event._tag === "Received" ? (event.messages as Heard["messages"]) : NO_MESSAGES,
      detail: event._tag === "Broken" ? `${event.reason}: ${event.detail}` : ""
    })
  return Bus.of({
    listen: (address, protocol, listener) =>
      bus.listen(address, protocol, (event) => {
        tell(protocol.name, event as LinkEvent<unknown, unknown>)
        listener(event)
      }),
    dial: (from, to, protocol, listener, limitMs) =>
      bus.dial(
        from,
        to,
        protocol,
        (event) => {
          tell(protocol.name, event as LinkEvent<unknown, unknown>)
          listener(event)
        },
        limitMs
      ),
    subscribe: (topic, listener) => bus.subscribe(topic, listener),
    publish: (topic, message) => {
      host.published(topic.name, message as { readonly _tag: string })
      return bus.publish(topic, message)
    }
  })
}
