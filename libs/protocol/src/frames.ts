import { MAX_FRAME_BYTES } from "./reader.ts"

const EMPTY = new Uint8Array(0)
const FIRST_GATHER_BYTES = 64 * 1024

/** What `FrameSplitter.next` found. */
export type SplitResult =
  /** A frame: `buffer`, `start`, `end`. */
  | "frame"
  /** The next frame is not complete yet. */
  | "more"
  /** A length that is negative or too great: the stream is unusable. `length` holds it. */
  | "badLength"

/**
 * Cuts the chunks of a socket into frames, without a copy unless a frame straddles two chunks.
 *
 * A frame is a view on the chunk that it came in, and stays valid for as long as the chunk's memory is not reused
 * (Node never reuses it). A straddling frame is gathered in memory that grows with what has really arrived, each byte
 * copied a bounded number of times.
 */
export class FrameSplitter {
  /** The frame that `next` found is `[start, end)` of `buffer`, its length field not included. */
  buffer: Uint8Array = EMPTY
  start = 0
  end = 0
  /** The last length field: after "badLength" the one that was refused (a four-letter word, on a fresh connection). */
  length = 0

  private readonly maxFrameBytes: number
  private chunk: Uint8Array = EMPTY
  private position = 0
  /** The frame under way, when it straddles chunks. */
  private gathered: Uint8Array = EMPTY
  private have = 0
  /** Its length; -1 as long as the length field itself is not complete. */
  private need = -1
  /** Bytes of a straddling length field so far. */
  private headerBytes = 0
  private header = 0
  private broken = false

  constructor(maxFrameBytes: number = MAX_FRAME_BYTES) {
    this.maxFrameBytes = maxFrameBytes
  }

  /** Takes the next chunk, once `next` has said "more" about the one before. */
  push(chunk: Uint8Array): void {
    this.chunk = chunk
    this.position = 0
  }

  next(): SplitResult {
    if (this.broken) return "badLength"
    if (this.need >= 0) return this.gather()
    const { chunk, position } = this
    if (this.headerBytes === 0 && chunk.length - position >= 4) {
      this.length =
        (chunk[position]! << 24) | (chunk[position + 1]! << 16) | (chunk[position + 2]! << 8) | chunk[position + 3]!
      this.position = position + 4
    } else if (!this.readHeader()) return "more"
    return this.body()
  }

  private body(): SplitResult {
    const length = this.length
    if (length < 0 || length > this.maxFrameBytes) {
      this.broken = true
      return "badLength"
    }
    const start = this.position
    if (this.chunk.length - start >= length) {
      this.buffer = this.chunk
      this.start = start
      this.end = this.position = start + length
      return "frame"
    }
    this.need = length
    this.have = 0
    return this.gather()
  }

  /** A length field that came in pieces. */
  private readHeader(): boolean {
    while (this.headerBytes < 4) {
      if (this.position === this.chunk.length) return false
      this.header = (this.header << 8) | this.chunk[this.position++]!
      this.headerBytes++
    }
    this.length = this.header
    this.headerBytes = 0
    this.header = 0
    return true
  }

  private gather(): SplitResult {
    const available = Math.min(this.chunk.length - this.position, this.need - this.have)
    const total = this.have + available
    if (total > this.gathered.length) {
      const size = Math.min(this.need, Math.max(total, this.have * 2, FIRST_GATHER_BYTES))
      const larger = Buffer.allocUnsafeSlow(size)
      larger.set(this.gathered.subarray(0, this.have))
      this.gathered = larger
    }
    if (available > 0) {
      this.gathered.set(this.chunk.subarray(this.position, this.position + available), this.have)
      this.position += available
      this.have = total
    }
    if (this.have < this.need) return "more"
    this.buffer = this.gathered
    this.start = 0
    this.end = this.need
    this.need = -1
    this.have = 0
    // The frame's memory is the receiver's now.
    this.gathered = EMPTY
    return "frame"
  }

  /** Whether a part of a frame has come, or more than one frame of which `next` has not been asked yet. */
  get isPartial(): boolean {
    return this.need >= 0 || this.headerBytes > 0 || this.position < this.chunk.length
  }

  /** What is left of the last chunk, not yet split. */
  rest(): Uint8Array {
    return this.chunk.subarray(this.position)
  }
}
