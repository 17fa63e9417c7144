/**
 * Memory for names and values, in blocks, outside the garbage collector's sight.
 *
 * A small value as a Buffer of its own costs more than a hundred bytes of bookkeeping and keeps the collector busy; here
 * it costs its length rounded up to a multiple of 8. Blocks are cut from pages of one mebibyte in size classes, and a
 * freed block is used again for the next value of its class; what is larger than a block may be has its own memory.
 *
 * An address is a number: 0 is none, positive ones count units of 8 bytes, negative ones name a large value.
 */
const UNIT_SHIFT = 3
const PAGE_SHIFT = 20
const UNITS_PER_PAGE_SHIFT = PAGE_SHIFT - UNIT_SHIFT
const UNIT_MASK = (1 << UNITS_PER_PAGE_SHIFT) - 1
/** Blocks of up to 16 KiB are shared pages' business. */
const MAX_UNITS = 2048
/** The first page begins small and doubles, so that a small tree takes little: two of the largest blocks. */
const FIRST_PAGE_BYTES = 32 * 1024
/** Up to here copying words in a loop beats a call into native code. */
const WORD_LOOP_BYTES = 256

/** A block's size in units: exact up to 32, then in eight steps per doubling, so that at most an eighth is wasted. */
const classOf = (bytes: number): number => {
  const units = (bytes + 7) >>> UNIT_SHIFT
  if (units <= 32) return units
  const shift = 28 - Math.clz32(units - 1)
  return ((units + (1 << shift) - 1) >>> shift) << shift
}

export class Arena {
  private readonly pages: Array<Buffer> = []
  private readonly words: Array<Int32Array> = []
  /** By class: the first free block, whose first word is the address of the next. */
  private readonly free = new Int32Array(MAX_UNITS + 1)
  /** The next unit never used, in the last page; address 0 stays unused. */
  private fresh = 0
  private limit = 0
  private readonly large: Array<Buffer | undefined> = []
  private readonly freeLarge: Array<number> = []
  private largeBytes = 0

  /** Memory taken from the system, in bytes. */
  get reserved(): number {
    const [first] = this.pages
    const pages = first === undefined ? 0 : first.length + (this.pages.length - 1) * (1 << PAGE_SHIFT)
    return pages + this.largeBytes
  }

  /**
   * Room for `length` bytes: `address` itself if the block, which has `before` bytes in it, is as good as a new one.
   * Otherwise the first `keep` bytes are copied and the old block is given back. 0 asks for a new block.
   */
  resize(address: number, before: number, length: number, keep: number): number {
    const units = classOf(length)
    if (address > 0 && units === classOf(before)) return address
    const next = length === 0 ? 0 : units > MAX_UNITS ? this.allocateLarge(length) : this.allocate(units)
    if (address !== 0) {
      if (next !== 0)
        this.block(address).copy(this.block(next), this.offset(next), this.offset(address), this.offset(address) + keep)
      this.release(address, before)
    }
    return next
  }

  /** Copies `bytes[start, end)` to the block, `at` bytes into it. */
  write(address: number, at: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length === 0) return
    const block = this.block(address)
    const to = this.offset(address) + at
    if (length <= 32) for (let i = 0; i < length; i++) block[to + i] = bytes[start + i]!
    else block.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), to)
  }

  private allocate(units: number): number {
    const address = this.free[units]!
    if (address !== 0) {
      this.free[units] = this.words[address >>> UNITS_PER_PAGE_SHIFT]![(address & UNIT_MASK) << (UNIT_SHIFT - 2)]!
      return address
    }
    while (this.fresh + units > this.limit) this.enlarge()
    const next = this.fresh
    this.fresh += units
    return next
  }

  /** Doubles the first page until it is as large as the others; then adds one. */
  private enlarge(): void {
    const [only] = this.pages
    if (only === undefined) {
      this.fresh = 1
      this.place(0, new ArrayBuffer(FIRST_PAGE_BYTES))
    } else if (this.pages.length === 1 && only.length < 1 << PAGE_SHIFT) {
      const memory = new ArrayBuffer(only.length * 2)
      new Uint8Array(memory).set(only)
      this.place(0, memory)
    } else {
      this.fresh = this.pages.length << UNITS_PER_PAGE_SHIFT
      this.place(this.pages.length, new ArrayBuffer(1 << PAGE_SHIFT))
    }
  }

  private place(index: number, memory: ArrayBuffer): void {
    this.pages[index] = Buffer.from(memory)
    this.words[index] = new Int32Array(memory)
    this.limit = (index << UNITS_PER_PAGE_SHIFT) + (memory.byteLength >>> UNIT_SHIFT)
  }

  private allocateLarge(length: number): number {
    // Slow only in that it is not Node's pool: the value must not keep a pool alive, nor the other way round.
    const memory = Buffer.allocUnsafeSlow(length)
    this.largeBytes += length
    const index = this.freeLarge.pop() ?? this.large.length
    this.large[index] = memory
    return -1 - index
  }

  /** Gives a block back; `length` is what was stored in it. */
  release(address: number, length: number): void {
    if (address === 0) return
    if (address < 0) {
      this.large[-1 - address] = undefined
      this.freeLarge.push(-1 - address)
      this.largeBytes -= length
      return
    }
    const units = classOf(length)
    this.words[address >>> UNITS_PER_PAGE_SHIFT]![(address & UNIT_MASK) << (UNIT_SHIFT - 2)] = this.free[units]!
    this.free[units] = address
  }

  /** True if the block holds exactly `bytes[start, start + length)`. */
  equals(address: number, length: number, bytes: Uint8Array, start: number): boolean {
    const page = address < 0 ? this.large[-1 - address]! : this.pages[address >>> UNITS_PER_PAGE_SHIFT]!
    const at = address < 0 ? 0 : (address & UNIT_MASK) << UNIT_SHIFT
    for (let i = 0; i < length; i++) if (page[at + i] !== bytes[start + i]) return false
    return true
  }

  /**
   * Copies `length` bytes, which start `at` bytes into the block (a multiple of 4), to `target[to…]`. `view` is over the
   * same memory, and both have room for three bytes more.
   */
  copyTo(address: number, at: number, length: number, target: Uint8Array, view: DataView, to: number): void {
    if (length === 0) return
    if (address > 0 && length <= WORD_LOOP_BYTES) {
      const words = this.words[address >>> UNITS_PER_PAGE_SHIFT]!
      const from = ((address & UNIT_MASK) << (UNIT_SHIFT - 2)) + (at >>> 2)
      const count = (length + 3) >>> 2
      // In the machine's own byte order, as the words are: so the bytes keep theirs.
      for (let i = 0; i < count; i++) view.setInt32(to + (i << 2), words[from + i]!, LITTLE_ENDIAN)
      return
    }
    const from = this.offset(address) + at
    this.block(address).copy(target, to, from, from + length)
  }

  /** A copy of a part of the block. */
  copy(address: number, at: number, length: number): Uint8Array {
    const copy = Buffer.allocUnsafe(length)
    if (length === 0) return copy
    const from = this.offset(address) + at
    this.block(address).copy(copy, 0, from, from + length)
    return copy
  }

  /** A part of the block as UTF-8. */
  text(address: number, length: number, at = 0): string {
    if (length === 0) return ""
    const from = this.offset(address) + at
    return this.block(address).toString("utf8", from, from + length)
  }

  private block(address: number): Buffer {
    return address < 0 ? this.large[-1 - address]! : this.pages[address >>> UNITS_PER_PAGE_SHIFT]!
  }

  private offset(address: number): number {
    return address < 0 ? 0 : (address & UNIT_MASK) << UNIT_SHIFT
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1
