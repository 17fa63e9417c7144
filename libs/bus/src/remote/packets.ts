/**
 * What processes say to each other by the broker.
 *
 * A **packet** is one publish. It begins with the format's version, its kind and the incarnation of its sender: 16
 * characters, drawn anew for each connection to the broker.
 *
 * | kind   | subject                                 | content                                                    |
 * | ------ | --------------------------------------- | ---------------------------------------------------------- |
 * | Open   | `zkmesh.<ensemble>.<address>`           | u32 link, f64 limitMs, from, to, protocol (strings)        |
 * | Frames | `zkmesh.<ensemble>.process.<incarnation>.in` | any number of frames, see below                       |
 * | Topic  | `zkmesh.<ensemble>.topic.<name>`        | u32 message, u32 part, u32 parts, the part's bytes         |
 *
 * A link is named by its dialler's incarnation and number. Each direction is a stream of bytes (a message: u32 size and
 * the codec's bytes), cut anywhere into frames; a frame says where in the stream it stands, so that a lost one is found
 * out by the next, and how much of the other direction has been taken. Frames without bytes are sent with each
 * heartbeat: they find out a loss at the end of the stream, and a link that the other end knows nothing of. An Open is
 * sent again with each heartbeat until it is answered; the first frame of a link's stream stands for a lost Accept.
 *
 * | frame  | content                                                                  |
 * | ------ | ------------------------------------------------------------------------ |
 * | Data   | u8 kind, u8 whose, u32 link, f64 offset, f64 taken, u32 size, the bytes  |
 * | Accept | u8 kind, u8 whose, u32 link                                              |
 * | Break  | u8 kind, u8 whose, u32 link, u8 reason, detail (string)                  |
 */
import type { BreakReason } from "../bus.ts"
import type { ByteReader, ByteWriter } from "../bytes.ts"

export const VERSION = 1
export const INCARNATION_LENGTH = 16

export const PacketKind = { Open: 1, Frames: 2, Topic: 3 } as const
export const FrameKind = { Data: 1, Accept: 2, Break: 3 } as const
/** Whose number a frame's link is: the packet's sender dialled it, or its receiver did. */
export const Whose = { Sender: 0, Receiver: 1 } as const

export const PACKET_HEADER = 2 + INCARNATION_LENGTH
export const DATA_HEADER = 1 + 1 + 4 + 8 + 8 + 4
export const TOPIC_HEADER = PACKET_HEADER + 12

const REASONS: ReadonlyArray<BreakReason> = ["closed", "dead", "silent", "gap", "absent", "disconnected", "overrun"]

export const reasonCode = (reason: BreakReason): number => REASONS.indexOf(reason)
export const reasonOf = (code: number): BreakReason => REASONS[code] ?? "closed"

/** Another zkmesh's packet, or none of ours at all. */
export class ForeignPacket extends Error {
  override readonly name = "ForeignPacket"
}

export const writePacketHeader = (writer: ByteWriter, kind: number, incarnation: Uint8Array): void => {
  writer.u8(VERSION)
  writer.u8(kind)
  writer.raw(incarnation)
}

/** Reads and checks the header; returns the sender's incarnation. */
export const readPacketHeader = (reader: ByteReader, kind: number): string => {
  const version = reader.u8()
  if (version !== VERSION) throw new ForeignPacket(`a packet of version ${version}, not ${VERSION}`)
  const actual = reader.u8()
  if (actual !== kind) throw new ForeignPacket(`a packet of kind ${actual}, not ${kind}`)
  return reader.ascii(INCARNATION_LENGTH)
}

export interface Open {
  readonly link: number
  readonly limitMs: number
  readonly from: string
  readonly to: string
  readonly protocol: string
}

export const writeOpen = (writer: ByteWriter, open: Open): void => {
  writer.u32(open.link)
  writer.f64(open.limitMs)
  writer.string(open.from)
  writer.string(open.to)
  writer.string(open.protocol)
}

export const readOpen = (reader: ByteReader): Open => ({
  link: reader.u32(),
  limitMs: reader.f64(),
  from: reader.string(),
  to: reader.string(),
  protocol: reader.string()
})
