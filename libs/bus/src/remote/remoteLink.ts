/** One end of a link whose other end is in another process. */
import type { Address, BreakReason, Codec } from "../bus.ts"
import type { ByteWriter } from "../bytes.ts"
import type { AnyEvent, AnyListener } from "../delivery.ts"
import type { AnyLink } from "../loopback.ts"
import type { Neighbour } from "./neighbour.ts"
import { StreamReader } from "./streamReader.ts"

/** Bytes taken and not yet acknowledged that are worth a frame of their own; below that the next heartbeat will do. */
const ACK_BYTES = 128 * 1024

/** What a link needs of the bus that it belongs to. */
export interface LinkHome {
  /** Memory for encoding one message at a time. */
  readonly scratch: ByteWriter
  /** More bytes than this in flight break a link. */
  readonly maxInFlightBytes: number
  readonly report: (message: string, cause?: unknown) => void
  /** Hands an event to its listener at the end of this turn. */
  later(delivery: () => void): void
  /** Takes the link out of all tables and tells the other end, unless the reason came from there. */
  forget(link: RemoteLink, reason: BreakReason, detail: string, tellOther: boolean): void
}

export interface LinkEnds {
  readonly id: string
  readonly local: Address
  readonly remote: Address
  /** Its number among the links of the process that dialled it. */
  readonly number: number
  readonly dialledHere: boolean
  readonly limitMs: number
  readonly outgoing: Codec<unknown>
  readonly incoming: Codec<unknown>
}

export class RemoteLink implements AnyLink {
  readonly id: string
  readonly local: Address
  readonly remote: Address
  readonly number: number
  readonly dialledHere: boolean
  readonly limitMs: number
  /** Bytes of the stream sent so far; only the neighbour's packets move it. */
  sent = 0
  /** Undefined until the other end has answered. */
  neighbour: Neighbour | undefined
  private readonly home: LinkHome
  private readonly listener: AnyListener
  private readonly outgoing: Codec<unknown>
  private readonly stream: StreamReader
  private ended = false
  private taken = 0
  private acknowledged = 0
  private takenByOther = 0

  constructor(home: LinkHome, ends: LinkEnds, listener: AnyListener) {
    this.home = home
    this.listener = listener
    this.id = ends.id
    this.local = ends.local
    this.remote = ends.remote
    this.number = ends.number
    this.dialledHere = ends.dialledHere
    this.limitMs = ends.limitMs
    this.outgoing = ends.outgoing
    this.stream = new StreamReader(ends.incoming)
  }

  get isOpen(): boolean {
    return this.neighbour !== undefined && !this.ended
  }

  get hasEnded(): boolean {
    return this.ended
  }

  get inFlight(): number {
    return this.sent - this.takenByOther
  }

  send(message: unknown): boolean {
    const { neighbour } = this
    if (neighbour === undefined || this.ended) return false
    const { scratch, maxInFlightBytes } = this.home
    scratch.reset()
    scratch.u32(0)
    if (this.outgoing.encodeInto === undefined) scratch.raw(this.outgoing.encode(message))
    else this.outgoing.encodeInto(message, scratch)
    scratch.u32At(0, scratch.length - 4)
    if (this.inFlight + scratch.length > maxInFlightBytes && this.inFlight > 0) {
      this.end("overrun", `${this.inFlight} bytes in flight from ${this.local} to ${this.remote}`)
      return false
    }
    neighbour.append(this, scratch.memory, scratch.length)
    return true
  }

  break(detail: string): void {
    this.end("closed", detail)
  }

  end(reason: BreakReason, detail: string): void {
    this.finish(reason, detail, true)
  }

  /** The other end said so: it need not be told. */
  endedByOther(reason: BreakReason, detail: string): void {
    this.finish(reason, detail, false)
  }

  opened(neighbour: Neighbour): void {
    this.neighbour = neighbour
    this.hear({ _tag: "Opened", link: this })
  }

  /** A frame of the other end's stream has come. `bytes` is a view on the packet. */
  receive(offset: number, takenByOther: number, bytes: Uint8Array): void {
    if (this.ended) return
    if (offset !== this.taken) {
      this.end("gap", `${this.local} has ${this.taken} bytes from ${this.remote}, the next frame begins at ${offset}`)
      return
    }
    this.takenByOther = takenByOther
    if (bytes.length === 0) return
    this.taken += bytes.length
    const messages = this.decode(bytes)
    if (messages === undefined) return
    if (this.taken - this.acknowledged >= ACK_BYTES) this.neighbour?.touch(this)
    if (messages.length > 0) this.hear({ _tag: "Received", link: this, messages })
  }

  /** What a frame to the other end says has been taken. */
  acknowledge(): number {
    this.acknowledged = this.taken
    return this.taken
  }

  private decode(bytes: Uint8Array): ReadonlyArray<unknown> | undefined {
    try {
      return this.stream.take(bytes)
    } catch (cause) {
      this.home.report(`${this.local} cannot read what ${this.remote} says`, cause)
      this.end("closed", `${this.local} cannot read what ${this.remote} says: ${String(cause)}`)
      return undefined
    }
  }

  private finish(reason: BreakReason, detail: string, tellOther: boolean): void {
    if (this.ended) return
    this.ended = true
    this.home.forget(this, reason, detail, tellOther)
    this.home.later(() => this.hear({ _tag: "Broken", link: this, reason, detail }))
  }

  private hear(event: AnyEvent): void {
    try {
      this.listener(event)
    } catch (cause) {
      this.home.report(`${this.local}: its listener failed at ${event._tag} from ${this.remote}`, cause)
      this.end("closed", `${this.local} failed: ${String(cause)}`)
    }
  }
}
