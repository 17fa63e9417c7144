/** The bus within one process: messages pass by reference, everything sent in one turn arrives as one event. */
import { Effect, Layer } from "effect"
import type { Address, BreakReason, Link, LinkListener, Topic } from "./bus.ts"
import { Bus, BusError } from "./bus.ts"

/** What an address takes: the listener as it was given, its types erased. The protocol's name has matched. */
type AnyListener = LinkListener<unknown, unknown>

let links = 0

/** One end of a link within the process. */
class LoopbackLink implements Link<unknown> {
  readonly id: string
  readonly local: Address
  readonly remote: Address
  isOpen = false
  private readonly listener: AnyListener
  private other: LoopbackLink | undefined
  private outbox: Array<unknown> = []
  private ended = false

  constructor(id: string, local: Address, remote: Address, listener: AnyListener) {
    this.id = id
    this.local = local
    this.remote = remote
    this.listener = listener
  }

  get inFlight(): number {
    return this.outbox.length
  }

  /** Joins the two ends and tells both. */
  static open(dialler: LoopbackLink, acceptor: LoopbackLink): void {
    dialler.other = acceptor
    acceptor.other = dialler
    dialler.isOpen = acceptor.isOpen = true
    acceptor.listener({ _tag: "Opened", link: acceptor })
    if (!dialler.ended) dialler.listener({ _tag: "Opened", link: dialler })
  }

  get hasEnded(): boolean {
    return this.ended
  }

  send(message: unknown): boolean {
    if (!this.isOpen) return false
    if (this.outbox.push(message) === 1) queueMicrotask(() => this.flush())
    return true
  }

  private flush(): void {
    const messages = this.outbox
    const other = this.other
    if (messages.length === 0 || other === undefined || !other.isOpen) return
    this.outbox = []
    other.listener({ _tag: "Received", link: other, messages })
  }

  break(detail: string): void {
    this.end("closed", detail)
  }

  /** Ends both ends, once. What was sent before still arrives first. */
  end(reason: BreakReason, detail: string): void {
    if (this.ended) return
    if (this.isOpen) this.flush()
    const other = this.other
    if (this.ended) return
    this.ended = true
    this.isOpen = false
    this.outbox = []
    queueMicrotask(() => this.listener({ _tag: "Broken", link: this, reason, detail }))
    other?.end(reason, detail)
  }
}

/** The listeners and subscribers of one process. The NATS bus looks here first. */
export class Loopback {
  private readonly listeners = new Map<string, { readonly listener: AnyListener; readonly links: Set<LoopbackLink> }>()
  private readonly topics = new Map<string, Set<(message: unknown) => void>>()

  private static key(address: Address, protocol: string): string {
    return `${address}/${protocol}`
  }

  has(address: Address, protocol: string): boolean {
    return this.listeners.has(Loopback.key(address, protocol))
  }

  /** The listener of an address of this process, for links that come from elsewhere. */
  listenerAt(address: Address, protocol: string): AnyListener | undefined {
    return this.listeners.get(Loopback.key(address, protocol))?.listener
  }

  /** Registers a listener; returns its removal, which breaks the links that it has taken. Undefined if the place is taken. */
  listen(address: Address, protocol: string, listener: AnyListener): (() => void) | undefined {
    const key = Loopback.key(address, protocol)
    if (this.listeners.has(key)) return undefined
    const entry = { listener, links: new Set<LoopbackLink>() }
    this.listeners.set(key, entry)
    return () => {
      this.listeners.delete(key)
      for (const link of [...entry.links]) link.end("dead", `${address} has ended`)
    }
  }

  dial(from: Address, to: Address, protocol: string, listener: AnyListener): Link<unknown> {
    const id = `local-${++links}`
    const dialler = new LoopbackLink(id, from, to, listener)
    queueMicrotask(() => {
      if (dialler.hasEnded) return
      const entry = this.listeners.get(Loopback.key(to, protocol))
      if (entry === undefined) {
        dialler.end("absent", `nobody listens at ${to}`)
        return
      }
      const acceptor: LoopbackLink = new LoopbackLink(id, to, from, (event) => {
        if (event._tag === "Broken") entry.links.delete(acceptor)
        entry.listener(event)
      })
      entry.links.add(acceptor)
      LoopbackLink.open(dialler, acceptor)
    })
    return dialler
  }

  subscribe(topic: string, listener: (message: unknown) => void): () => void {
    const existing = this.topics.get(topic)
    const set = existing ?? new Set()
    if (existing === undefined) this.topics.set(topic, set)
    // A function of its own, so that one listener may subscribe twice.
    const entry = (message: unknown): void => listener(message)
    set.add(entry)
    return () => {
      set.delete(entry)
    }
  }

  publish(topic: string, message: unknown): void {
    const subscribers = this.topics.get(topic)
    if (subscribers === undefined) return
    for (const subscriber of subscribers) queueMicrotask(() => subscriber(message))
  }
}

/** `Bus` over the listeners of this process alone. */
export const loopbackBus = (loopback: Loopback): Bus["Service"] => ({
  listen: (address, protocol, listener) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const remove = loopback.listen(address, protocol.name, erase(listener))
          return remove === undefined
            ? Effect.fail(new BusError({ message: `${address} is already listened at for ${protocol.name}` }))
            : Effect.succeed(remove)
        }),
        (remove) => Effect.sync(remove)
      )
    ),
  dial: (from, to, protocol, listener) => loopback.dial(from, to, protocol.name, erase(listener)),
  subscribe: (topic, listener) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => loopback.subscribe(topic.name, listener as (message: unknown) => void)),
        (remove) => Effect.sync(remove)
      )
    ),
  publish: <M>(topic: Topic<M>, message: M) => {
    loopback.publish(topic.name, message)
    return true
  }
})

/** The protocol's name is the proof that both ends mean the same messages; the table itself need not know them. */
export const erase = <In, Out>(listener: LinkListener<In, Out>): AnyListener => listener as AnyListener

export const loopbackLayer: Layer.Layer<Bus> = Layer.sync(Bus, () => Bus.of(loopbackBus(new Loopback())))
