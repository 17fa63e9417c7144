/** Links and topics between processes, over a broker. What stays in this process goes through `Loopback` instead. */
import type { Machine } from "@zkmesh/actor"
import type { Address, BreakReason, Link, Protocol, Topic } from "../bus.ts"
import { ByteReader, ByteWriter } from "../bytes.ts"
import type { AnyListener, Report } from "../delivery.ts"
import type { Loopback } from "../loopback.ts"
import type { Broker, BrokerMessage } from "./broker.ts"
import { Neighbour, type Post } from "./neighbour.ts"
import { type OpeningHome, Openings } from "./openings.ts"
import {
  FrameKind,
  INCARNATION_LENGTH,
  PACKET_HEADER,
  PacketKind,
  readOpen,
  readPacketHeader,
  reasonCode,
  reasonOf,
  Whose
} from "./packets.ts"
import { type LinkHome, RemoteLink } from "./remoteLink.ts"
import { TopicReader, TopicWriter } from "./topics.ts"

export interface RemoteBusOptions {
  readonly ensemble: string
  readonly heartbeatMs: number
  /** Heartbeats in a row that the broker must answer with "nobody is there" before the neighbour counts as dead. */
  readonly deadAfterProbes: number
  readonly maxInFlightBytes: number
  /** Packets are no larger than this, however much the broker takes. */
  readonly maxPacketBytes: number
}

const DETAIL_LENGTH = 256

/** A subscription at the broker that several listeners of this process share. */
interface Shared {
  users: number
  readonly unsubscribe: () => void
}

export class RemoteBus implements Post, LinkHome, OpeningHome {
  readonly scratch = new ByteWriter()
  readonly maxInFlightBytes: number
  readonly report: Report
  private readonly loopback: Loopback
  private readonly broker: Broker
  private readonly options: RemoteBusOptions
  readonly prefix: string
  private readonly machine: Machine
  private readonly neighbours = new Map<string, Neighbour>()
  private readonly opening = new Openings(this)
  private readonly unsent = new Set<Neighbour>()
  private readonly subscriptions = new Map<string, Shared>()
  private readonly topicWriter = new TopicWriter()
  private name = ""
  private nameBytes = new Uint8Array(0)
  private leaveInbox = (): void => {}
  private flushing = false
  private links = 0
  private lastTickMs: number

  constructor(loopback: Loopback, broker: Broker, options: RemoteBusOptions, machine: Machine) {
    this.loopback = loopback
    this.broker = broker
    this.options = options
    this.machine = machine
    this.report = loopback.report
    this.maxInFlightBytes = options.maxInFlightBytes
    this.prefix = `zkmesh.${options.ensemble}`
    this.lastTickMs = machine.now()
    broker.onDown = () => this.down()
    this.renew()
  }

  // What the actors of this process ask for.

  dial(from: Address, to: Address, protocol: Protocol<unknown, unknown>, listener: AnyListener, limitMs: number) {
    const number = ++this.links
    const link = new RemoteLink(
      this,
      {
        id: `${this.name}-${number}`,
        local: from,
        remote: to,
        number,
        dialledHere: true,
        limitMs,
        outgoing: protocol.up,
        incoming: protocol.down
      },
      listener
    )
    if (!this.broker.isUp) {
      link.endedByOther("disconnected", "the broker is lost")
      return link as Link<unknown>
    }
    // What was said before, a Break perhaps, arrives before.
    this.flushAll()
    this.opening.begin(link, protocol.name, this.machine.now())
    return link as Link<unknown>
  }

  /** Takes Opens for an address; returns the end of it. */
  attend(address: Address): () => void {
    return this.share(`${this.prefix}.${address}`, (message) => this.onOpen(message))
  }

  subscribe<M>(topic: Topic<M>): () => void {
    const reader = new TopicReader()
    return this.share(`${this.prefix}.topic.${topic.name}`, ({ payload }) => {
      const bytes = reader.read(payload)
      if (bytes !== undefined) this.loopback.deliver(topic.name, topic.codec.decode(bytes))
    })
  }

  publishTopic<M>(topic: Topic<M>, message: M): boolean {
    if (!this.broker.isUp) return false
    // One publisher's links and topics arrive in the order in which it used them.
    this.flushAll()
    const subject = `${this.prefix}.topic.${topic.name}`
    const packets = this.topicWriter.write(topic, message, this.nameBytes, this.maxPacket)
    let left = true
    for (const packet of packets) left = this.broker.publish(subject, packet) && left
    return left
  }

  /** Each `heartbeatMs`: asks the broker whether the neighbours live, tells them so of this process, and ends silences. */
  tick(): void {
    const nowMs = this.machine.now()
    // If this process itself stood still, what the others said meanwhile has not been read yet: they get one more tick.
    const stoodStill = nowMs - this.lastTickMs > this.options.heartbeatMs + Math.max(2 * this.options.heartbeatMs, 100)
    this.lastTickMs = nowMs
    for (const neighbour of [...this.neighbours.values()]) {
      const silentMs = nowMs - neighbour.lastHeardMs
      if (!stoodStill) this.endSilent(neighbour, silentMs)
      if (neighbour.isIdle) this.flushNeighbour(neighbour)
      else neighbour.probe(`${this.inbox}.p${neighbour.incarnation}`)
    }
    if (!stoodStill) this.opening.tick(nowMs, this.options.heartbeatMs)
  }

  /** Breaks every link with a last word. */
  close(): void {
    for (const link of this.allLinks()) link.end("dead", `the process of ${link.local} ends`)
    this.flushAll()
    this.leaveInbox()
  }

  // What links and neighbours ask for.

  get incarnation(): Uint8Array {
    return this.nameBytes
  }

  get maxPacket(): number {
    return Math.min(this.options.maxPacketBytes, this.broker.maxPayload)
  }

  schedule(neighbour: Neighbour): void {
    this.unsent.add(neighbour)
    if (this.flushing) return
    this.flushing = true
    this.machine.microtask(() => {
      this.flushing = false
      this.flushAll()
    })
  }

  publish(subject: string, packet: Uint8Array, reply?: string): void {
    // False means that the broker is lost: every link has been told or is about to be.
    this.broker.publish(subject, packet, reply)
  }

  later(delivery: () => void): void {
    this.loopback.deliveries.add(delivery)
  }

  forget(link: RemoteLink, reason: BreakReason, detail: string, tellOther: boolean): void {
    // The other process numbers what it dials as this one does.
    if (link.dialledHere) this.opening.delete(link.number)
    const neighbour = link.neighbour
    if (neighbour === undefined) return
    const table = link.dialledHere ? neighbour.dialled : neighbour.taken
    table.delete(link.number)
    if (tellOther) sayBreak(neighbour, link.dialledHere ? Whose.Sender : Whose.Receiver, link.number, reason, detail)
  }

  // What the broker brings.

  private onOpen({ payload }: BrokerMessage): void {
    const reader = new ByteReader(payload)
    const neighbour = this.neighbourOf(readPacketHeader(reader, PacketKind.Open))
    const open = readOpen(reader)
    if (neighbour.taken.has(open.link)) {
      // It is asked again: the answer has been lost, or is on its way.
      neighbour.control(FrameKind.Accept, Whose.Receiver, open.link)
      return
    }
    const listening = this.loopback.listeningAt(open.to, open.protocol)
    if (listening === undefined) {
      sayBreak(neighbour, Whose.Receiver, open.link, "absent", `nobody listens at ${open.to} for ${open.protocol}`)
      return
    }
    const link: RemoteLink = new RemoteLink(
      this,
      {
        id: `${neighbour.incarnation}-${open.link}`,
        local: open.to,
        remote: open.from,
        number: open.link,
        dialledHere: false,
        limitMs: open.limitMs,
        outgoing: listening.protocol.down,
        incoming: listening.protocol.up
      },
      (event) => {
        if (event._tag === "Broken") listening.links.delete(link)
        listening.listener(event)
      }
    )
    listening.links.add(link)
    neighbour.taken.set(open.link, link)
    neighbour.control(FrameKind.Accept, Whose.Receiver, open.link)
    link.opened(neighbour)
  }

  private onInbox(message: BrokerMessage): void {
    if (message.noResponders) {
      this.onNoResponders(message.subject.slice(this.inbox.length + 1))
      return
    }
    const reader = new ByteReader(message.payload)
    const neighbour = this.neighbourOf(readPacketHeader(reader, PacketKind.Frames))
    while (reader.remaining > 0) {
      const kind = reader.u8()
      const mine = reader.u8() === Whose.Receiver
      const number = reader.u32()
      if (kind === FrameKind.Data) this.onData(neighbour, mine, number, reader)
      else if (kind === FrameKind.Accept) this.onAccept(neighbour, number)
      else this.onBreak(neighbour, mine, number, reasonOf(reader.u8()), reader.string())
    }
  }

  private onData(neighbour: Neighbour, mine: boolean, number: number, reader: ByteReader): void {
    const offset = reader.f64()
    const taken = reader.f64()
    const bytes = reader.raw(reader.u32())
    // Whose answer has been lost is known by what follows it.
    if (mine && this.opening.get(number) !== undefined) this.onAccept(neighbour, number)
    const link = (mine ? neighbour.dialled : neighbour.taken).get(number)
    if (link !== undefined) {
      link.receive(offset, taken, bytes)
      return
    }
    sayBreak(neighbour, mine ? Whose.Sender : Whose.Receiver, number, "gap", "the link is unknown there")
  }

  private onAccept(neighbour: Neighbour, number: number): void {
    const link = this.opening.get(number)
    if (link === undefined) {
      // One who was asked twice has answered twice.
      if (!neighbour.dialled.has(number)) sayBreak(neighbour, Whose.Sender, number, "closed", "not wanted any more")
      return
    }
    this.opening.delete(number)
    neighbour.dialled.set(number, link)
    link.opened(neighbour)
  }

  private onBreak(neighbour: Neighbour, mine: boolean, number: number, reason: BreakReason, detail: string): void {
    const link = mine ? (neighbour.dialled.get(number) ?? this.opening.get(number)) : neighbour.taken.get(number)
    link?.endedByOther(reason, detail)
  }

  /** The broker's own answer: nobody subscribes there. */
  private onNoResponders(token: string): void {
    const rest = token.slice(1)
    if (token.startsWith("o")) {
      const link = this.opening.get(Number(rest))
      link?.endedByOther("absent", `nobody listens at ${link.remote}`)
      return
    }
    const neighbour = this.neighbours.get(rest)
    if (neighbour === undefined || ++neighbour.unanswered < this.options.deadAfterProbes) return
    for (const link of neighbour.links()) link.endedByOther("dead", `the process of ${link.remote} has gone`)
    this.neighbours.delete(rest)
  }

  /** The broker is lost: nobody can be told anything, and what was under way may be gone. */
  private down(): void {
    for (const link of this.allLinks()) link.endedByOther("disconnected", "the broker is lost")
    this.neighbours.clear()
    this.unsent.clear()
    this.renew()
  }

  // The bus itself.

  get inbox(): string {
    return `${this.prefix}.process.${this.name}`
  }

  /** A new incarnation, so that nobody takes this process for the one that it was before the broker was lost. */
  private renew(): void {
    this.leaveInbox()
    this.name = Buffer.from(this.machine.randomBytes((INCARNATION_LENGTH * 3) / 4)).toString("base64url")
    this.nameBytes = new Uint8Array(Buffer.from(this.name, "latin1"))
    this.leaveInbox = this.broker.subscribe(
      `${this.inbox}.*`,
      this.guarded((message) => this.onInbox(message))
    )
  }

  private neighbourOf(incarnation: string): Neighbour {
    const known = this.neighbours.get(incarnation)
    const nowMs = this.machine.now()
    if (known !== undefined) {
      known.lastHeardMs = nowMs
      known.unanswered = 0
      return known
    }
    const subject = `${this.prefix}.process.${incarnation}.in`
    const neighbour = new Neighbour(incarnation, subject, this, nowMs)
    this.neighbours.set(incarnation, neighbour)
    return neighbour
  }

  private endSilent(neighbour: Neighbour, silentMs: number): void {
    for (const link of neighbour.links()) {
      if (silentMs > link.limitMs)
        link.end("silent", `${link.remote} has not been heard for ${Math.round(silentMs)} ms`)
    }
  }

  private allLinks(): Array<RemoteLink> {
    const links = [...this.opening.links]
    for (const neighbour of this.neighbours.values()) links.push(...neighbour.links())
    return links
  }

  private flushAll(): void {
    for (const neighbour of this.unsent) this.flushNeighbour(neighbour)
  }

  private flushNeighbour(neighbour: Neighbour): void {
    this.unsent.delete(neighbour)
    neighbour.flush()
    // The same process may have come back under its name since, with links of its own.
    if (neighbour.isIdle && this.neighbours.get(neighbour.incarnation) === neighbour) {
      this.neighbours.delete(neighbour.incarnation)
    }
  }

  /** One subscription at the broker for all listeners of this process to the same subject. */
  private share(subject: string, listener: (message: BrokerMessage) => void): () => void {
    const shared = this.subscriptions.get(subject) ?? {
      users: 0,
      unsubscribe: this.broker.subscribe(subject, this.guarded(listener))
    }
    shared.users++
    this.subscriptions.set(subject, shared)
    return () => {
      if (--shared.users > 0) return
      this.subscriptions.delete(subject)
      shared.unsubscribe()
    }
  }

  /** A packet that cannot be read, or whose reading fails, must not end the broker's reading of all others. */
  private guarded(listener: (message: BrokerMessage) => void): (message: BrokerMessage) => void {
    return (message) => {
      try {
        listener(message)
      } catch (cause) {
        this.report(`cannot read a message on ${message.subject}`, cause)
      }
    }
  }
}

const sayBreak = (neighbour: Neighbour, whose: number, number: number, reason: BreakReason, detail: string): void =>
  neighbour.control(FrameKind.Break, whose, number, (writer) => {
    writer.u8(reasonCode(reason))
    writer.string(detail.slice(0, DETAIL_LENGTH))
  })

/** The smallest payload that a broker must take for packets to make progress. */
export const LEAST_PAYLOAD = PACKET_HEADER + 4096
