import { WORD } from "@zkmesh/numbers"

/** jute.maxbuffer's default: the longest frame that a client may send. */
export const MAX_FRAME_BYTES = 0xf_ffff
/** The longest string or buffer inside a record: jute.maxbuffer and as much again for what a transaction adds. */
export const MAX_FIELD_BYTES = 2 * MAX_FRAME_BYTES

export type JuteErrorCode =
  /** The record goes on after the end of its frame. */
  | "truncated"
  /** A string or buffer with a negative length, or one beyond MAX_FIELD_BYTES. */
  | "unreasonableLength"
  /** Null where the record needs a value. */
  | "null"
  /** A value that the record does not allow, such as an opcode inside a multi. */
  | "invalid"

/** Bytes that are not the record they should be. */
export class JuteError extends Error {
  override readonly name = "JuteError"
  readonly code: JuteErrorCode

  constructor(code: JuteErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Reads jute records from `[start, end)` of some bytes. Every read is checked against `end`; `reset` allows reuse. */
export class JuteReader {
  private source: Uint8Array
  private bytes: Buffer
  private position: number
  private end: number

  constructor(source: Uint8Array, start: number = 0, end: number = source.length) {
    this.source = source
    this.bytes = asBuffer(source)
    this.position = start
    this.end = Math.min(end, source.length)
  }

  reset(source: Uint8Array, start: number = 0, end: number = source.length): this {
    if (source !== this.source) {
      this.source = source
      this.bytes = asBuffer(source)
    }
    this.position = start
    this.end = Math.min(end, source.length)
    return this
  }

  /** The index in the source of the next byte to read. */
  get offset(): number {
    return this.position
  }
  get remaining(): number {
    return this.end - this.position
  }

  private advance(bytes: number): number {
    const at = this.position
    if (bytes > this.end - at) {
      throw new JuteError("truncated", `${bytes} bytes wanted, ${this.end - at} left`)
    }
    this.position = at + bytes
    return at
  }

  bool(): boolean {
    return this.bytes[this.advance(1)] !== 0
  }

  int(): number {
    const at = this.advance(4)
    const bytes = this.bytes
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  /** Exact if it is a safe integer; a value beyond 2^53 is never returned as one, so `Number.isSafeInteger` tells. */
  long(): number {
    const high = this.int()
    return high * WORD + (this.int() >>> 0)
  }

  /** A 64-bit number as its eight bytes, for ids that are only ever handed back or shown. */
  longBytes(): Uint8Array {
    const at = this.advance(8)
    return Uint8Array.prototype.slice.call(this.bytes, at, at + 8)
  }

  /** A 64-bit number as `0x…`, without leading zeros, as ZooKeeper prints ids. */
  longHex(): string {
    const high = this.int()
    const low = this.int() >>> 0
    if (high === 0) return `0x${low.toString(16)}`
    return `0x${(high >>> 0).toString(16)}${low.toString(16).padStart(8, "0")}`
  }

  private fieldLength(): number {
    const length = this.int()
    if (length < -1 || length > MAX_FIELD_BYTES) {
      throw new JuteError("unreasonableLength", `a field of ${length} bytes`)
    }
    return length
  }

  /** A view of the bytes, no copy; null if it was written as null. */
  buffer(): Uint8Array | null {
    const length = this.fieldLength()
    if (length < 0) return null
    const at = this.advance(length)
    return this.bytes.subarray(at, at + length)
  }

  /** Passes over a string or buffer: its length, -1 for null. Its bytes are the last `length` before `offset`. */
  skipField(): number {
    const length = this.fieldLength()
    if (length > 0) this.advance(length)
    return length
  }

  ustring(): string | null {
    const length = this.fieldLength()
    if (length < 0) return null
    const at = this.advance(length)
    return length === 0 ? "" : this.bytes.toString("utf8", at, at + length)
  }

  /** A string that may not be null. */
  string(): string {
    const value = this.ustring()
    if (value === null) throw new JuteError("null", "a string is null")
    return value
  }

  /** A vector's count: -1 for null; any other negative count is an empty vector, as ZooKeeper reads it. */
  count(): number {
    const count = this.int()
    return count < -1 ? 0 : count
  }

  /** Null is read as an empty vector. */
  ustrings(): Array<string> {
    const count = this.count()
    const values: Array<string> = []
    for (let i = 0; i < count; i++) values.push(this.string())
    return values
  }

  vector<T>(read: (reader: JuteReader) => T): Array<T> | null {
    const count = this.count()
    if (count < 0) return null
    // The array grows as items are really there: a count alone allocates nothing.
    const values: Array<T> = []
    for (let i = 0; i < count; i++) values.push(read(this))
    return values
  }
}

/** Eight bytes as `0x…` without leading zeros. */
export const hexOf = (bytes: Uint8Array): string => {
  const digits = asBuffer(bytes).toString("hex").replace(/^0+/, "")
  return `0x${digits === "" ? "0" : digits}`
}
