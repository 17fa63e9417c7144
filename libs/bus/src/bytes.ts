/** Bytes, written and read by hand: what codecs of hot messages and the bus's own packets are made with. */
import { Buffer } from "node:buffer"

const FIRST_BYTES = 64 * 1024
/** Memory that a writer keeps between messages; a rare giant is given back. */
const KEPT_BYTES = 4 * 1024 * 1024
/** Up to here a loop beats the call into native code. */
const SHORT_STRING = 48

/** A growing piece of memory with a cursor. Big-endian throughout, as the wire of ZooKeeper is. */
export class ByteWriter {
  private buffer: Buffer
  private view: DataView
  private end = 0

  constructor(firstBytes = FIRST_BYTES) {
    this.buffer = Buffer.allocUnsafeSlow(firstBytes)
    this.view = new DataView(this.buffer.buffer)
  }

  get length(): number {
    return this.end
  }

  /** What has been written since the last `reset`: only valid until the next write. */
  get written(): Uint8Array {
    return this.buffer.subarray(0, this.end)
  }

  /** A copy, as plain bytes. */
  copy(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.buffer, 0, this.end)
  }

  reset(): void {
    this.end = 0
    if (this.buffer.length > KEPT_BYTES) this.replace(Buffer.allocUnsafeSlow(FIRST_BYTES))
  }

  u8(value: number): void {
    const at = this.advance(1)
    this.buffer[at] = value
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
    const at = this.advance(bytes.length)
    this.buffer.set(bytes, at)
  }

  /** A part of `bytes`, without a view for it. */
  rawRange(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    const at = this.advance(size)
    if (size > SHORT_STRING) {
      this.buffer.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, size), at)
      return
    }
    for (let index = 0; index < size; index++) this.buffer[at + index] = bytes[start + index]!
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
      this.buffer[at + index] = code
    }
    return true
  }

  private advance(size: number): number {
    const at = this.end
    this.end = at + size
    if (this.end > this.buffer.length) this.grow()
    return at
  }

  private grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.end))
    larger.set(this.buffer)
    this.replace(larger)
  }

  private replace(buffer: Buffer): void {
    this.buffer = buffer
    this.view = new DataView(buffer.buffer)
  }
}

/** Reads what a ByteWriter wrote. Going beyond the end throws: the bytes are cut short. */
export class ByteReader {
  /** Plain bytes over the memory that was given. */
  readonly memory: Uint8Array
  private readonly buffer: Buffer
  private readonly view: DataView
  private at = 0

  constructor(bytes: Uint8Array) {
    this.memory = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.at
  }

  get remaining(): number {
    return this.memory.length - this.at
  }

  u8(): number {
    return this.view.getUint8(this.advance(1))
  }

  u16(): number {
    return this.view.getUint16(this.advance(2))
  }

  u32(): number {
    return this.view.getUint32(this.advance(4))
  }

  i32(): number {
    return this.view.getInt32(this.advance(4))
  }

  f64(): number {
    return this.view.getFloat64(this.advance(8))
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
    return this.buffer.toString("utf8", at, at + size)
  }

  /** The next `size` bytes as characters. */
  ascii(size: number): string {
    const at = this.advance(size)
    return this.buffer.toString("latin1", at, at + size)
  }

  private advance(size: number): number {
    const at = this.at
    if (at + size > this.memory.length) throw new RangeError(`${size} bytes wanted, ${this.remaining} left`)
    this.at = at + size
    return at
  }
}
