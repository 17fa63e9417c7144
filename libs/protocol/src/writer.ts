import { WORD } from "@zkmesh/numbers"

const CHUNK_BYTES = 32 * 1024
/** Up to here a loop over the characters beats the call into native code. */
const SHORT_STRING = 24

/**
 * Writes jute records into chunks of memory that it never writes again once `take` has handed them out.
 *
 * Records are written one after another; `take` returns what came since the last `take`, without a copy, and goes on in
 * the rest of the chunk. Growing copies only what has not been taken yet.
 */
export class JuteWriter {
  private readonly chunkBytes: number
  // Protected: a subclass writes what it knows a faster way for (the tree's rows, a transaction's header).
  protected chunk: Buffer
  protected view: DataView
  protected start = 0
  protected position = 0

  constructor(chunkBytes: number = CHUNK_BYTES) {
    this.chunkBytes = Math.max(chunkBytes, 64)
    // Slow only in that it does not come from Node's pool: the chunk is our own pool.
    this.chunk = Buffer.allocUnsafeSlow(this.chunkBytes)
    this.view = new DataView(this.chunk.buffer)
  }

  /** Bytes written since the last `take`; also the place to give to the patch functions later. */
  get length(): number {
    return this.position - this.start
  }

  /** Makes room for `bytes` more, so that the caller's writes need not grow in between. */
  reserve(bytes: number): void {
    if (this.position + bytes > this.chunk.length) this.grow(bytes)
  }

  private grow(bytes: number): void {
    const written = this.position - this.start
    // Doubling what is being written keeps a huge reply linear.
    const size = written + bytes <= this.chunkBytes ? this.chunkBytes : Math.max(written * 2, written + bytes)
    const chunk = Buffer.allocUnsafeSlow(size)
    if (written > 0) this.chunk.copy(chunk, 0, this.start, this.position)
    this.chunk = chunk
    this.view = new DataView(chunk.buffer)
    this.start = 0
    this.position = written
  }

  /** Hands over what was written since the last `take`. The memory belongs to the receiver from now on. */
  take(): Uint8Array {
    const taken = this.chunk.subarray(this.start, this.position)
    this.start = this.position
    return taken
  }

  /** Forgets what was written after the first `length` bytes: undoes a record that could not be finished. */
  rewind(length: number = 0): void {
    this.position = this.start + length
  }

  int8(value: number): void {
    this.reserve(1)
    this.chunk[this.position++] = value
  }

  bool(value: boolean): void {
    this.reserve(1)
    this.chunk[this.position++] = value ? 1 : 0
  }

  int(value: number): void {
    this.reserve(4)
    this.view.setInt32(this.position, value)
    this.position += 4
  }

  /** A safe integer as a 64-bit two's complement. */
  long(value: number): void {
    this.reserve(8)
    this.view.setInt32(this.position, Math.floor(value / WORD))
    this.view.setInt32(this.position + 4, value)
    this.position += 8
  }

  /** Bytes as they are, with no length before them. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.chunk.set(bytes, this.position)
    this.position += bytes.length
  }

  buffer(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.int(-1)
      return
    }
    const length = bytes.length
    this.reserve(4 + length)
    this.view.setInt32(this.position, length)
    if (length > 0) this.chunk.set(bytes, this.position + 4)
    this.position += 4 + length
  }

  ustring(value: string | null): void {
    if (value === null) {
      this.int(-1)
      return
    }
    const length = value.length
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    this.reserve(4 + 3 * length)
    const at = this.position + 4
    const written = length <= SHORT_STRING && this.ascii(value, at) ? length : this.chunk.write(value, at, "utf8")
    this.view.setInt32(at - 4, written)
    this.position = at + written
  }

  private ascii(value: string, at: number): boolean {
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 0x7f) return false
      this.chunk[at + i] = unit
    }
    return true
  }

  ustrings(values: ReadonlyArray<string> | null): void {
    if (values === null) {
      this.int(-1)
      return
    }
    this.int(values.length)
    for (const value of values) this.ustring(value)
  }

  vector<T>(values: ReadonlyArray<T> | null, write: (writer: JuteWriter, value: T) => void): void {
    if (values === null) {
      this.int(-1)
      return
    }
    this.int(values.length)
    for (const value of values) write(this, value)
  }

  /** Overwrites an int at a `length` noted before: a count or a size that was not known yet. */
  patchInt(at: number, value: number): void {
    this.view.setInt32(this.start + at, value)
  }

  /** Leaves room for a frame's length and says where; `endFrame` fills it in. */
  beginFrame(): number {
    const at = this.length
    this.int(0)
    return at
  }

  endFrame(at: number): void {
    this.patchInt(at, this.length - at - 4)
  }

  /** The frame's length (filled in by `endFrame`) and the ReplyHeader in one go. */
  beginReply(xid: number, zxid: number, err: number): number {
    this.reserve(20)
    const at = this.position
    const view = this.view
    view.setInt32(at + 4, xid)
    view.setInt32(at + 8, Math.floor(zxid / WORD))
    view.setInt32(at + 12, zxid)
    view.setInt32(at + 16, err)
    this.position = at + 20
    return at - this.start
  }

  /** A Stat, field by field in its order on the wire: a server needs no object to write one. */
  stat(
    czxid: number,
    mzxid: number,
    ctime: number,
    mtime: number,
    version: number,
    cversion: number,
    aversion: number,
    ephemeralOwner: number,
    dataLength: number,
    numChildren: number,
    pzxid: number
  ): void {
    this.reserve(68)
    const view = this.view
    const at = this.position
    view.setInt32(at, Math.floor(czxid / WORD))
    view.setInt32(at + 4, czxid)
    view.setInt32(at + 8, Math.floor(mzxid / WORD))
    view.setInt32(at + 12, mzxid)
    view.setInt32(at + 16, Math.floor(ctime / WORD))
    view.setInt32(at + 20, ctime)
    view.setInt32(at + 24, Math.floor(mtime / WORD))
    view.setInt32(at + 28, mtime)
    view.setInt32(at + 32, version)
    view.setInt32(at + 36, cversion)
    view.setInt32(at + 40, aversion)
    view.setInt32(at + 44, Math.floor(ephemeralOwner / WORD))
    view.setInt32(at + 48, ephemeralOwner)
    view.setInt32(at + 52, dataLength)
    view.setInt32(at + 56, numChildren)
    view.setInt32(at + 60, Math.floor(pzxid / WORD))
    view.setInt32(at + 64, pzxid)
    this.position = at + 68
  }
}
