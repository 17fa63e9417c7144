/** Postgres's binary forms: arrays as parameters, rows of a COPY in both directions. Exact, and no text to parse. */
import { WORD } from "@zkmesh/numbers"

export const OID = { bytea: 17, int8: 20, int4: 23, text: 25, jsonb: 3802 } as const

/** A growing buffer, for arrays and rows alike. */
export class BinaryWriter {
  buffer: Buffer
  at = 0

  constructor(size = 4096) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  int16(value: number): void {
    this.reserve(2)
    this.at = this.buffer.writeInt16BE(value, this.at)
  }

  int32(value: number): void {
    this.reserve(4)
    this.at = this.buffer.writeInt32BE(value, this.at)
  }

  /** The values below come with their length, as fields and as elements alike. */
  int4(value: number): void {
    this.int32(4)
    this.int32(value)
  }

  int8(value: number): void {
    this.int32(8)
    this.reserve(8)
    this.buffer.writeInt32BE(Math.floor(value / WORD), this.at)
    this.buffer.writeUInt32BE(value >>> 0, this.at + 4)
    this.at += 8
  }

  text(value: string): void {
    const size = Buffer.byteLength(value)
    this.int32(size)
    this.reserve(size)
    this.at += this.buffer.write(value, this.at, "utf8")
  }

  jsonb(json: string): void {
    const size = Buffer.byteLength(json)
    this.int32(size + 1)
    this.reserve(size + 1)
    // The version of the form.
    this.at = this.buffer.writeUInt8(1, this.at)
    this.at += this.buffer.write(json, this.at, "utf8")
  }

  bytea(value: Uint8Array | null): void {
    this.int32(value === null ? -1 : value.length)
    if (value === null) return
    this.reserve(value.length)
    this.buffer.set(value, this.at)
    this.at += value.length
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at)
  }

  /** Hands out what was written and begins anew, in memory of its own. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes())
    this.at = 0
    return taken
  }

  private reserve(size: number): void {
    if (this.at + size <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + size))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }
}

/** An array parameter in the making. pg sends a Buffer in binary, and the statement's cast says what it is. */
export class BinaryArray extends BinaryWriter {
  private static readonly header = 20
  private readonly oid: number
  private count = 0

  constructor(oid: number) {
    super()
    this.oid = oid
    this.at = BinaryArray.header
  }

  /** Counts an element; write it next. */
  element(): this {
    this.count++
    return this
  }

  finish(): Buffer {
    const { buffer, oid, count } = this
    buffer.writeInt32BE(count === 0 ? 0 : 1, 0)
    // "May hold nulls" is always true: nothing checks it against the elements.
    buffer.writeInt32BE(1, 4)
    buffer.writeInt32BE(oid, 8)
    buffer.writeInt32BE(count, 12)
    buffer.writeInt32BE(1, 16)
    return count === 0 ? buffer.subarray(0, 12) : this.bytes()
  }
}

/** "PGCOPY\n\377\r\n\0", no flags, no extension. */
export const COPY_HEADER = Buffer.from("5047434f50590aff0d0a000000000000000000", "hex")
export const COPY_END = Buffer.from("ffff", "hex")

export class CorruptCopy extends Error {
  override readonly name = "CorruptCopy"
}

/** Reads the fields of COPY's rows, in the order in which they were asked for. */
export class RowReader {
  private buffer: Buffer = Buffer.alloc(0)
  private at = 0
  private started = false

  /** The next message of the server: whole rows, the header before the first and the end mark after the last. */
  set(message: Buffer): void {
    this.buffer = message
    this.at = 0
    if (this.started) return
    if (!message.subarray(0, COPY_HEADER.length).equals(COPY_HEADER)) throw new CorruptCopy("an unknown form of COPY")
    this.at = COPY_HEADER.length
    this.started = true
  }

  /** True if a row of `fields` fields begins here; false at the end of the message, or of all. */
  next(fields: number): boolean {
    if (this.at >= this.buffer.length) return false
    const count = this.buffer.readInt16BE(this.at)
    this.at += 2
    if (count === -1) return false
    if (count !== fields) throw new CorruptCopy(`a row of ${count} fields, not ${fields}`)
    return true
  }

  int4(): number {
    const at = this.field(4)
    return this.buffer.readInt32BE(at)
  }

  int8(): number {
    const at = this.field(8)
    return this.buffer.readInt32BE(at) * WORD + this.buffer.readUInt32BE(at + 4)
  }

  /** undefined: NULL. */
  int8OrNull(): number | undefined {
    if (this.buffer.readInt32BE(this.at) !== -1) return this.int8()
    this.at += 4
    return undefined
  }

  text(): string {
    const at = this.field(undefined)
    return this.buffer.toString("utf8", at, this.at)
  }

  /** Without the byte that says which form of jsonb it is. */
  jsonb(): string {
    const at = this.field(undefined)
    return this.buffer.toString("utf8", at + 1, this.at)
  }

  /** A copy: the message's memory is pg's, which uses it again. */
  bytea(): Uint8Array | null {
    if (this.buffer.readInt32BE(this.at) === -1) {
      this.at += 4
      return null
    }
    const at = this.field(undefined)
    return Uint8Array.prototype.slice.call(this.buffer, at, this.at)
  }

  /** Where the field's value starts; `at` moves on to its end. */
  private field(size: number | undefined): number {
    const length = this.buffer.readInt32BE(this.at)
    const start = this.at + 4
    if (length < 0 || (size !== undefined && length !== size) || start + length > this.buffer.length) {
      throw new CorruptCopy(`a field of ${length} bytes`)
    }
    this.at = start + length
    return start
  }
}
