/** The bus within one process: messages pass by reference, everything sent in one turn arrives as one event. */
import { Machine } from "@zkmesh/actor"
import { Effect, Layer } from "effect"
import { type Address, type BreakReason, Bus, BusError, type Link, type Protocol } from "./bus.ts"
import { type AnyEvent, type AnyListener, DeliveryQueue, erase, makeReport, type Report } from "./delivery.ts"

/** A link as the tables of this package see it. */
export interface AnyLink extends Link<unknown> {
  /** Ends it for both, with a reason that only the bus may give. */
  end(reason: BreakReason, detail: string): void
}

/** One end of a link within the process. */
class LoopbackLink implements AnyLink {
  readonly id: string
  readonly local: Address
  readonly remote: Address
  isOpen = false
  /** Set by whichever end goes first; nothing is sent any more. */
  ended = false
  /** Set on the end that broke the link: what the other one said before that no longer interests it. */
  private deaf = false
  private readonly listener: AnyListener
  private readonly loopback: Loopback
  private other: LoopbackLink | undefined
  private batch: Array<unknown> | undefined
  private era = 0
  private waiting = 0

  constructor(id: string, local: Address, remote: Address, listener: AnyListener, loopback: Loopback) {
    this.id = id
    this.local = local
    this.remote = remote
    this.listener = listener
    this.loopback = loopback
  }

  get inFlight(): number {
    return this.waiting
  }

  /** Joins the two ends and tells both. */
  static open(dialler: LoopbackLink, acceptor: LoopbackLink): void {
    dialler.other = acceptor
    acceptor.other = dialler
    dialler.isOpen = acceptor.isOpen = true
    acceptor.hear({ _tag: "Opened", link: acceptor })
    if (!dialler.ended) dialler.hear({ _tag: "Opened", link: dialler })
  }

  send(message: unknown): boolean {
    if (!this.isOpen) return false
    this.waiting++
    const { deliveries } = this.loopback
    if (this.batch !== undefined && this.era === deliveries.era) {
      this.batch.push(message)
      return true
    }
    const batch: Array<unknown> = [message]
    this.batch = batch
    this.era = deliveries.era
    deliveries.add(() => this.deliver(batch))
    return true
  }

  break(detail: string): void {
    this.end("closed", detail)
  }

  end(reason: BreakReason, detail: string): void {
    if (this.ended) return
    this.deaf = true
    this.finish(reason, detail)
    this.other?.finish(reason, detail)
  }

  private finish(reason: BreakReason, detail: string): void {
    this.ended = true
    this.isOpen = false
    this.loopback.deliveries.add(() => this.hear({ _tag: "Broken", link: this, reason, detail }))
  }

  private deliver(messages: ReadonlyArray<unknown>): void {
    if (this.batch === messages) this.batch = undefined
    this.waiting -= messages.length
    const other = this.other
    if (other !== undefined && !other.deaf) other.hear({ _tag: "Received", link: other, messages })
  }

  private hear(event: AnyEvent): void {
    try {
      this.listener(event)
    } catch (cause) {
      this.loopback.report(`${this.local}: its listener failed at ${event._tag} from ${this.remote}`, cause)
      this.end("closed", `${this.local} failed: ${String(cause)}`)
    }
  }
}

/** A place where links are taken: its listener, and whatever links it has taken (from this process or others). */
export interface Listening {
  readonly protocol: Protocol<unknown, unknown>
  readonly listener: AnyListener
  readonly links: Set<AnyLink>
}

/** The listeners and subscribers of one process. The bus between processes looks here first. */
export class Loopback {
  readonly deliveries: DeliveryQueue
  readonly report: Report
  /** Random, so that no two links of the ensemble ever have the same id. */
  private readonly incarnation: string
  private links = 0
  private readonly listenings = new Map<string, Listening>()
  private readonly topics = new Map<string, Set<(message: unknown) => void>>()

  constructor(report: Report, machine: Machine) {
    this.report = report
    this.deliveries = new DeliveryQueue(machine.microtask)
    this.incarnation = Buffer.from(machine.randomBytes(9)).toString("base64url")
  }

  private static key(address: Address, protocol: string): string {
    return `${address}/${protocol}`
  }

  /** Who takes links of this protocol at an address of this process. */
  listeningAt(address: Address, protocol: string): Listening | undefined {
    return this.listenings.get(Loopback.key(address, protocol))
  }

  /** Registers a listener; returns its removal, which breaks the links that it has taken. Undefined if it is taken. */
  listen(address: Address, protocol: Protocol<unknown, unknown>, listener: AnyListener): (() => void) | undefined {
    const key = Loopback.key(address, protocol.name)
    if (this.listenings.has(key)) return undefined
    const listening: Listening = { protocol, listener, links: new Set() }
    this.listenings.set(key, listening)
    return () => {
      this.listenings.delete(key)
      for (const link of [...listening.links]) link.end("dead", `${address} has ended`)
    }
  }

  dial(from: Address, to: Address, protocol: string, listener: AnyListener): Link<unknown> {
    const id = `${this.incarnation}-${++this.links}`
    const dialler = new LoopbackLink(id, from, to, listener, this)
    this.deliveries.add(() => {
      if (dialler.ended) return
      const listening = this.listeningAt(to, protocol)
      if (listening === undefined) {
        dialler.end("absent", `nobody listens at ${to}`)
        return
      }
      const taking: AnyListener = (event) => {
        if (event._tag === "Broken") listening.links.delete(acceptor)
        listening.listener(event)
      }
      const acceptor = new LoopbackLink(id, to, from, taking, this)
      listening.links.add(acceptor)
      LoopbackLink.open(dialler, acceptor)
    })
    return dialler
  }

  subscribe(topic: string, listener: (message: unknown) => void): () => void {
    const existing = this.topics.get(topic)
    const subscribers = existing ?? new Set()
    if (existing === undefined) this.topics.set(topic, subscribers)
    // A function of its own, so that one listener may subscribe twice; and a throw is the subscriber's own affair.
    const subscriber = (message: unknown): void => {
      try {
        listener(message)
      } catch (cause) {
        this.report(`a subscriber of ${topic} failed`, cause)
      }
    }
    subscribers.add(subscriber)
    return () => void subscribers.delete(subscriber)
  }

  /** Queues the message for the topic's subscribers in this process. */
  publish(topic: string, message: unknown): void {
    this.deliveries.era++
    if (this.topics.has(topic)) this.deliveries.add(() => this.deliver(topic, message))
  }

  /** Hands a message to the topic's subscribers in this process, now. */
  deliver(topic: string, message: unknown): void {
    const subscribers = this.topics.get(topic)
    if (subscribers !== undefined) for (const subscriber of [...subscribers]) subscriber(message)
  }
}

/** `listen`'s error for an address that has its listener already. */
export const alreadyListening = (address: Address, protocol: string): BusError =>
  new BusError({ message: `${address} is already listened at for ${protocol}` })

/** `Bus` over the listeners of this process alone. */
const loopbackBus = (loopback: Loopback): Bus["Service"] => ({
  listen: (address, protocol, listener) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const remove = loopback.listen(address, protocol as Protocol<unknown, unknown>, erase(listener))
          return remove === undefined ? Effect.fail(alreadyListening(address, protocol.name)) : Effect.succeed(remove)
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
  publish: (topic, message) => {
    loopback.publish(topic.name, message)
    return true
  }
})

/** A bus of its own for one process: peers that share this layer form an ensemble without any broker. */
export const loopbackLayer: Layer.Layer<Bus> = Layer.effect(
  Bus,
  Effect.gen(function* () {
    const report = yield* makeReport
    return Bus.of(loopbackBus(new Loopback(report, yield* Machine)))
  })
)
