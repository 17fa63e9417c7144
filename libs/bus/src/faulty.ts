/** A bus as one owner sees it through a faulty network. */
import { Effect, Layer } from "effect"
import { type Address, type BreakReason, Bus, type Codec, type Link, type Topic } from "./bus.ts"
import { type AnyEvent, type AnyListener, erase } from "./delivery.ts"
import { type FaultyNetwork, Network } from "./network.ts"

/** The limit of a link whose dialler does not use the network. */
const DEFAULT_LIMIT_MS = 2000

/** One end of a link through the network: a link of the bus below, whose events arrive as the network lets them. */
class FaultyLink implements Link<unknown> {
  readonly local: Address
  readonly remote: Address
  private readonly network: FaultyNetwork
  private readonly owner: string
  private readonly listener: AnyListener
  private readonly below: Link<unknown>
  private readonly dialled: boolean
  private readonly leave: () => void
  private isUp = false
  private ended = false
  private holed = false
  private silence: NodeJS.Timeout | undefined

  constructor(
    network: FaultyNetwork,
    owner: string,
    listener: AnyListener,
    below: Link<unknown>,
    side: "dialled" | "taken"
  ) {
    this.network = network
    this.dialled = side === "dialled"
    this.owner = owner
    this.listener = listener
    this.below = below
    this.local = below.local
    this.remote = below.remote
    this.leave = network.join({
      owner,
      other: () => this.other,
      onCut: () => this.onCut(),
      onHeal: () => this.onHeal()
    })
    if (this.isCut) this.onCut()
  }

  get id(): string {
    return this.below.id
  }

  get isOpen(): boolean {
    return this.isUp && !this.ended
  }

  get inFlight(): number {
    return this.below.inFlight
  }

  send(message: unknown): boolean {
    if (!this.isOpen) return false
    // The other end's faulty bus drops it if the network is cut; if the link below has broken, silence is to follow.
    this.below.send(message)
    return true
  }

  break(detail: string): void {
    this.end("closed", detail)
  }

  /** An event of the link below. */
  take(event: AnyEvent): void {
    if (this.ended) return
    if (this.isCut) {
      if (event._tag === "Received") this.holed = true
      return
    }
    if (event._tag === "Received" && this.network.loses(this.other, this.owner)) {
      this.end("gap", "the network has lost a message")
      return
    }
    this.network.arrive(this.other, this.owner, () => this.hand(event))
  }

  private get other(): string | undefined {
    return this.network.owners.get(this.remote)
  }

  private get isCut(): boolean {
    return this.network.isCut(this.other, this.owner)
  }

  private hand(event: AnyEvent): void {
    if (this.ended) return
    if (event._tag === "Opened") {
      this.isUp = true
      this.listener({ _tag: "Opened", link: this })
    } else if (event._tag === "Received") {
      this.listener({ _tag: "Received", link: this, messages: event.messages })
    } else {
      this.finish(this.network.causes.get(this.id) ?? event.reason, event.detail)
      this.network.causes.delete(this.id)
    }
  }

  private onCut(): void {
    if (this.silence !== undefined || this.ended) return
    const limitMs = this.network.limits.get(this.id) ?? DEFAULT_LIMIT_MS
    this.silence = setTimeout(() => this.end("silent", `${this.remote} is behind a partition`), limitMs)
  }

  private onHeal(): void {
    clearTimeout(this.silence)
    this.silence = undefined
    if (this.ended) {
      // The other end could not be told before.
      this.leave()
      this.below.break("given up during a partition")
    } else if (this.holed || !this.below.isOpen) {
      this.end(this.isUp ? "gap" : "absent", "a partition has swallowed messages")
    }
  }

  private end(reason: BreakReason, detail: string): void {
    if (this.ended) return
    this.finish(reason, detail)
    // A loss is noticed by both ends; but through a partition nothing can be told.
    if (this.isCut) return
    if (reason !== "closed") this.network.causes.set(this.id, reason)
    this.below.break(detail)
  }

  private finish(reason: BreakReason, detail: string): void {
    this.ended = true
    clearTimeout(this.silence)
    this.silence = undefined
    if (!this.isCut) this.leave()
    // Who listens has never heard of a link that a partition kept from opening.
    if (!this.isUp && !this.dialled) return
    queueMicrotask(() => this.listener({ _tag: "Broken", link: this, reason, detail }))
  }
}

interface Envelope<M> {
  readonly from: string
  readonly message: M
}

/** The topic below, on which each message says whose it is. */
const enveloped = <M>(topic: Topic<M>): Topic<Envelope<M>> => {
  const codec: Codec<Envelope<M>> = {
    encode: ({ from, message }) =>
      Buffer.concat([Buffer.of(Buffer.byteLength(from)), Buffer.from(from), topic.codec.encode(message)]),
    decode: (bytes) => {
      const end = 1 + bytes[0]!
      return { from: Buffer.from(bytes.subarray(1, end)).toString(), message: topic.codec.decode(bytes.subarray(end)) }
    }
  }
  return { name: `${topic.name}-through-network`, codec }
}

/**
 * The bus of `owner` (a peer's or frontend's name, as the network's controls call it). Everybody who shares the network
 * must use one of these on top of the same bus: topics are not heard by others.
 */
export const faultyBusLayer = (owner: string): Layer.Layer<Bus, never, Bus | Network> =>
  Layer.effect(
    Bus,
    Effect.gen(function* () {
      const bus = yield* Bus
      const network = yield* Network
      return Bus.of({
        listen: (address, protocol, listener) => {
          const links = new Map<Link<unknown>, FaultyLink>()
          network.owners.set(address, owner)
          return bus.listen(address, protocol, (event) => {
            const below = event.link as Link<unknown>
            const known = links.get(below)
            const link = known ?? new FaultyLink(network, owner, erase(listener), below, "taken")
            if (known === undefined) links.set(below, link)
            if (event._tag === "Broken") links.delete(below)
            link.take(event as AnyEvent)
          })
        },
        dial: <Up, Down>(
          from: Address,
          to: Address,
          protocol: Parameters<typeof bus.dial<Up, Down>>[2],
          listener: Parameters<typeof bus.dial<Up, Down>>[3],
          limitMs: number
        ) => {
          network.owners.set(from, owner)
          const below = bus.dial(
            from,
            to,
            protocol,
            (event) => {
              if (event._tag === "Broken") network.limits.delete(below.id)
              link.take(event as AnyEvent)
            },
            limitMs
          )
          network.limits.set(below.id, limitMs)
          const link = new FaultyLink(network, owner, erase(listener), below as Link<unknown>, "dialled")
          return link as Link<Up>
        },
        subscribe: (topic, listener) =>
          bus.subscribe(enveloped(topic), ({ from, message }) => {
            if (network.isCut(from, owner) || network.loses(from, owner)) return
            network.arrive(from, owner, () => listener(message))
          }),
        publish: (topic, message) => bus.publish(enveloped(topic), { from: owner, message })
      })
    })
  )
