/** Topics between processes: a message too large for one packet travels in parts, and is gone if one of them is lost. */
import type { Topic } from "../bus.ts"
import { ByteReader, ByteWriter } from "../bytes.ts"
import { PacketKind, readPacketHeader, TOPIC_HEADER, writePacketHeader } from "./packets.ts"

/** Publishers whose message is half here. More than this many at once have died half way. */
const MAX_HALVES = 64

interface Half {
  readonly message: number
  readonly parts: Array<Uint8Array>
  bytes: number
}

/** Cuts messages into packets. */
export class TopicWriter {
  private readonly body = new ByteWriter()
  private readonly packet = new ByteWriter()
  private messages = 0

  write<M>(topic: Topic<M>, message: M, incarnation: Uint8Array, maxPacket: number): ReadonlyArray<Uint8Array> {
    const { body, packet } = this
    body.reset()
    if (topic.codec.encodeInto === undefined) body.raw(topic.codec.encode(message))
    else topic.codec.encodeInto(message, body)
    const room = maxPacket - TOPIC_HEADER
    const parts = Math.max(1, Math.ceil(body.length / room))
    const number = this.messages++ % 0x1_0000_0000
    const packets: Array<Uint8Array> = []
    for (let part = 0; part < parts; part++) {
      packet.reset()
      writePacketHeader(packet, PacketKind.Topic, incarnation)
      packet.u32(number)
      packet.u32(part)
      packet.u32(parts)
      packet.rawRange(body.memory, part * room, Math.min((part + 1) * room, body.length))
      packets.push(packet.copy())
    }
    return packets
  }
}

/** Puts the messages of one topic together again. */
export class TopicReader {
  private readonly halves = new Map<string, Half>()

  /** The bytes of a message that is complete with this packet; undefined if it is not, or was torn. */
  read(payload: Uint8Array): Uint8Array | undefined {
    const reader = new ByteReader(payload)
    const sender = readPacketHeader(reader, PacketKind.Topic)
    const message = reader.u32()
    const part = reader.u32()
    const parts = reader.u32()
    const bytes = reader.raw(reader.remaining)
    if (parts === 1) return bytes
    const half = part === 0 ? this.begin(sender, message) : this.halves.get(sender)
    if (half === undefined || half.message !== message || half.parts.length !== part) {
      this.halves.delete(sender)
      return undefined
    }
    half.parts.push(bytes)
    half.bytes += bytes.length
    if (part + 1 < parts) return undefined
    this.halves.delete(sender)
    return join(half)
  }

  private begin(sender: string, message: number): Half {
    if (this.halves.size >= MAX_HALVES) this.halves.clear()
    const half: Half = { message, parts: [], bytes: 0 }
    this.halves.set(sender, half)
    return half
  }
}

const join = (half: Half): Uint8Array => {
  const joined = new Uint8Array(half.bytes)
  let at = 0
  for (const part of half.parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
