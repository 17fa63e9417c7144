/** Another process: the links with it, what is about to be sent to it, and when it was last heard. */
import { ByteWriter } from "../bytes.ts"
import { DATA_HEADER, FrameKind, PACKET_HEADER, PacketKind, Whose, writePacketHeader } from "./packets.ts"
import type { RemoteLink } from "./remoteLink.ts"

/** What a neighbour needs of the bus that it belongs to. */
export interface Post {
  /** The incarnation of this process, in bytes. */
  readonly incarnation: Uint8Array
  /** The largest packet that may be published, in bytes. */
  readonly maxPacket: number
  /** Has `flush` called at the end of this turn. */
  schedule(neighbour: Neighbour): void
  publish(subject: string, packet: Uint8Array, reply?: string): void
}

export class Neighbour {
  readonly incarnation: string
  readonly subject: string
  /** Links that this process dialled, by their number; and those that the neighbour dialled, by its own. */
  readonly dialled = new Map<number, RemoteLink>()
  readonly taken = new Map<number, RemoteLink>()
  lastHeardMs: number
  /** Heartbeats in a row that the broker answered itself: nobody is there. */
  unanswered = 0
  private readonly post: Post
  private readonly writer = new ByteWriter(4096)
  private openFrame: RemoteLink | undefined
  private frameSizeAt = 0

  constructor(incarnation: string, subject: string, post: Post, nowMs: number) {
    this.incarnation = incarnation
    this.subject = subject
    this.post = post
    this.lastHeardMs = nowMs
  }

  get isIdle(): boolean {
    return this.dialled.size === 0 && this.taken.size === 0
  }

  links(): Array<RemoteLink> {
    return [...this.dialled.values(), ...this.taken.values()]
  }

  /** Queues the first `length` bytes as part of a link's stream; cuts them if they are too large for one packet. */
  append(link: RemoteLink, bytes: Uint8Array, length: number): void {
    const { maxPacket } = this.post
    const fits = length <= maxPacket - PACKET_HEADER - DATA_HEADER
    // A message that a packet of its own can hold whole is spared the receiver's copy.
    if (fits && this.writer.length + DATA_HEADER + length > maxPacket) this.flush()
    for (let at = 0; at < length; ) {
      const room = this.roomFor(link)
      const next = Math.min(at + room, length)
      this.writer.rawRange(bytes, at, next)
      link.sent += next - at
      at = next
    }
  }

  /** Queues a frame without bytes: it carries what has been taken and where the stream stands. */
  touch(link: RemoteLink): void {
    if (this.writer.length + DATA_HEADER > this.post.maxPacket) this.flush()
    this.beginFrame(link)
  }

  /** Queues an Accept or a Break (`more` writes what follows the link's number). */
  control(kind: number, whose: number, number: number, more?: (writer: ByteWriter) => void): void {
    this.endFrame()
    if (this.writer.length + 1024 > this.post.maxPacket) this.flush()
    this.begin()
    this.writer.u8(kind)
    this.writer.u8(whose)
    this.writer.u32(number)
    more?.(this.writer)
  }

  /** Publishes what has queued. */
  flush(): void {
    this.endFrame()
    if (this.writer.length === 0) return
    const packet = this.writer.copy()
    this.writer.reset()
    this.post.publish(this.subject, packet)
  }

  /** Publishes a packet that the broker answers itself if the neighbour is gone. */
  probe(reply: string): void {
    for (const link of this.dialled.values()) this.touch(link)
    for (const link of this.taken.values()) this.touch(link)
    this.endFrame()
    this.begin()
    const packet = this.writer.copy()
    this.writer.reset()
    this.post.publish(this.subject, packet, reply)
  }

  /** The room for bytes of `link` in a frame that is open for it: at least one byte. */
  private roomFor(link: RemoteLink): number {
    const { maxPacket } = this.post
    if (this.openFrame !== link) {
      if (this.writer.length + DATA_HEADER >= maxPacket) this.flush()
      this.beginFrame(link)
    } else if (this.writer.length >= maxPacket) {
      this.flush()
      this.beginFrame(link)
    }
    return maxPacket - this.writer.length
  }

  private begin(): void {
    if (this.writer.length > 0) return
    writePacketHeader(this.writer, PacketKind.Frames, this.post.incarnation)
    this.post.schedule(this)
  }

  private beginFrame(link: RemoteLink): void {
    this.endFrame()
    this.begin()
    this.writer.u8(FrameKind.Data)
    this.writer.u8(link.dialledHere ? Whose.Sender : Whose.Receiver)
    this.writer.u32(link.number)
    this.writer.f64(link.sent)
    this.writer.f64(link.acknowledge())
    this.frameSizeAt = this.writer.length
    this.writer.u32(0)
    this.openFrame = link
  }

  private endFrame(): void {
    if (this.openFrame === undefined) return
    this.writer.u32At(this.frameSizeAt, this.writer.length - this.frameSizeAt - 4)
    this.openFrame = undefined
  }
}
