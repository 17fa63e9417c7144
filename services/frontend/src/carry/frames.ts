import { WORD, type Zxid } from "@zkmesh/numbers"
import { Xid } from "@zkmesh/protocol"

const XID_AT = 4
const ZXID_AT = 8
const ERR_AT = 16
const BODY_AT = 20
const PATH_AT = BODY_AT + 8

/** Reads, of a run of whole frames, what a frontend has to know: which of them are events, and how the others ended. */
export class FrameWalk {
  private readonly bytes: Buffer
  /** The frame at hand: [start, end). */
  start = 0
  end = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  next(): boolean {
    if (this.end >= this.bytes.length) return false
    this.start = this.end
    this.end = this.start + 4 + this.bytes.readInt32BE(this.start)
    return true
  }

  get xid(): number {
    return this.bytes.readInt32BE(this.start + XID_AT)
  }

  get isEvent(): boolean {
    return this.xid === Xid.notification
  }

  /** -1 for an event that is of no transaction. */
  get zxid(): Zxid {
    return this.bytes.readInt32BE(this.start + ZXID_AT) * WORD + this.bytes.readUInt32BE(this.start + ZXID_AT + 4)
  }

  get err(): number {
    return this.bytes.readInt32BE(this.start + ERR_AT)
  }

  get eventType(): number {
    return this.bytes.readInt32BE(this.start + BODY_AT)
  }

  get eventPath(): string {
    const length = this.bytes.readInt32BE(this.start + PATH_AT)
    return this.bytes.toString("utf8", this.start + PATH_AT + 4, this.start + PATH_AT + 4 + length)
  }
}

/** A copy of a reply's frame, with another zxid. */
export const withZxid = (frame: Uint8Array, zxid: Zxid): Uint8Array => {
  const copy = Buffer.from(frame)
  copy.writeInt32BE(Math.floor(zxid / WORD), ZXID_AT)
  copy.writeUInt32BE(zxid % WORD, ZXID_AT + 4)
  return copy
}
