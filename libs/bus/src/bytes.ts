/** Bytes, written and read by hand: what codecs of hot messages and the bus's own packets are made with. */
import { Buffer } from "node:buffer"

const FIRST_BYTES = 4 * 1024
/** Memory that a writer keeps between messages; a rare giant is given back. */
const KEPT_BYTES = 4 * 1024 * 1024
/** Up to here a loop beats the call into native code. */
const SHORT_STRING = 48

/** A growing piece of memory with a cursor. Big-endian throughout, as the wire of ZooKeeper is. */
export class ByteWriter {
  private buffer: Buffer
  /** The same memory as plain bytes, whose parts are made and copied without code of Node's. */
  private plain: Uint8Array<ArrayBuffer>
  private view: DataView
  private end = 0

  constructor(firstBytes = FIRST_BYTES) {
    const { buffer, plain, view } = memoryOf(firstBytes)
    this.buffer = buffer
    this.plain = plain
    this.view = view
  }

  get length(): number {
    return this.end
  }

  /** What has been written since the last `reset`: only valid until the next write. */
  get written(): Uint8Array {
    return this.plain.subarray(0, this.end)
  }

  /** What `written` is a view on, without making it: the first `length` bytes. Only valid until the next write. */
  get memory(): Uint8Array {
    return this.plain
  }

  /** A copy, as plain bytes. */
  copy(): Uint8Array {
    return this.plain.slice(0, this.end)
  }

  reset(): void {
    this.end = 0
    if (this.plain.length > KEPT_BYTES) this.replace(FIRST_BYTES)
  }

  u8(value: number): void {
    const at = this.advance(1)
    this.plain[at] = value
  }

  u16(value: number): void {
    const at = this.advance(2)
    this.view.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.advance(4)
    this.view.setUint32(at, value)
  }

  i32(value: number): void {
    const at = this.advance(4)
    this.view.setInt32(at, value)
  }

  /** Any number of ours, zxids and session ids included: 8 bytes, exact up to 2^53. */
  f64(value: number): void {
    const at = this.advance(8)
    this.view.setFloat64(at, value)
  }

  /** Writes `value` over the four bytes at `at`: a size that is known only later. */
  u32At(at: number, value: number): void {
    this.view.setUint32(at, value)
  }

  raw(bytes: Uint8Array): void {
    this.rawRange(bytes, 0, bytes.length)
  }

  /** A part of `bytes`, without a view for it. */
  rawRange(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    const at = this.advance(size)
    const { plain } = this
    if (size > SHORT_STRING) {
      const all = start === 0 && size === bytes.length
      plain.set(all ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset + start, size), at)
      return
    }
    for (let index = 0; index < size; index++) plain[at + index] = bytes[start + index]!
  }

  /** A size and the bytes. */
  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length)
    this.raw(bytes)
  }

  /** A size and the text in UTF-8. */
  string(text: string): void {
    const sizeAt = this.advance(4 + text.length * 3)
    const at = sizeAt + 4
    const size = this.ascii(at, text) ? text.length : this.buffer.write(text, at, "utf8")
    this.view.setUint32(sizeAt, size)
    this.end = at + size
  }

  private ascii(at: number, text: string): boolean {
    if (text.length > SHORT_STRING) return false
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      this.plain[at + index] = code
    }
    return true
  }

  private advance(size: number): number {
    const at = this.end
    this.end = at + size
    if (this.end > this.plain.length) this.grow()
    return at
  }

  private grow(): void {
    const { plain } = this
    this.replace(Math.max(plain.length * 2, this.end))
    this.plain.set(plain)
  }

  private replace(size: number): void {
    const { buffer, plain, view } = memoryOf(size)
    this.buffer = buffer
    this.plain = plain
    this.view = view
  }
}

const memoryOf = (size: number) => {
  const buffer = Buffer.allocUnsafeSlow(size)
  return { buffer, plain: new Uint8Array(buffer.buffer), view: new DataView(buffer.buffer) }
}

/** Where short texts and numbers are put together: what is read alone is not worth a view of its own. */
const SCRATCH_BYTES = 64
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
const plainScratch = new Uint8Array(scratch.buffer)
const scratchView = new DataView(scratch.buffer)

/** Reads what a ByteWriter wrote. Going beyond the end throws: the bytes are cut short. */
export class ByteReader {
  /** Plain bytes over the memory that was given. */
  readonly memory: Uint8Array
  private at = 0

  constructor(bytes: Uint8Array) {
    this.memory = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
  }

  get offset(): number {
    return this.at
  }

  get remaining(): number {
    return this.memory.length - this.at
  }

  u8(): number {
    return this.memory[this.advance(1)]!
  }

  u16(): number {
    const { memory } = this
    const at = this.advance(2)
    return (memory[at]! << 8) | memory[at + 1]!
  }

  u32(): number {
    return this.i32() >>> 0
  }

  i32(): number {
    const { memory } = this
    const at = this.advance(4)
    return (memory[at]! << 24) | (memory[at + 1]! << 16) | (memory[at + 2]! << 8) | memory[at + 3]!
  }

  f64(): number {
    const { memory } = this
    const at = this.advance(8)
    for (let index = 0; index < 8; index++) plainScratch[index] = memory[at + index]!
    return scratchView.getFloat64(0)
  }

  /** A view on the next bytes, not a copy. */
  raw(size: number): Uint8Array {
    const at = this.advance(size)
    return this.memory.subarray(at, at + size)
  }

  /** Passes over the next bytes and says where they began. */
  skip(size: number): number {
    return this.advance(size)
  }

  bytes(): Uint8Array {
    return this.raw(this.u32())
  }

  string(): string {
    const size = this.u32()
    const at = this.advance(size)
    return this.near(at, size)?.toString("utf8", 0, size) ?? this.far(at, size).toString("utf8")
  }

  /** The next `size` bytes as characters. */
  ascii(size: number): string {
    const at = this.advance(size)
    return this.near(at, size)?.toString("latin1", 0, size) ?? this.far(at, size).toString("latin1")
  }

  /** A few bytes, where a Buffer is already. */
  private near(at: number, size: number): Buffer | undefined {
    if (size > SCRATCH_BYTES) return undefined
    const { memory } = this
    for (let index = 0; index < size; index++) plainScratch[index] = memory[at + index]!
    return scratch
  }

  private far(at: number, size: number): Buffer {
    const { buffer, byteOffset } = this.memory
    return Buffer.from(buffer, byteOffset + at, size)
  }

  private advance(size: number): number {
    const at = this.at
    if (at + size > this.memory.length) throw new RangeError(`${size} bytes wanted, ${this.remaining} left`)
    this.at = at + size
    return at
  }
}
