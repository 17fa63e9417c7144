/**
 * Memory for names and values, outside the garbage collector's sight.
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
    return this.pages.length * (1 << PAGE_SHIFT) + this.largeBytes
  }

  /** Copies `bytes[start, end)` in and returns its address; 0 if it is empty. */
  store(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length === 0) return 0
    const units = classOf(length)
    if (units > MAX_UNITS) return this.storeLarge(bytes, start, end)
    const address = this.allocate(units)
    const page = this.pages[address >>> UNITS_PER_PAGE_SHIFT]!
    const at = (address & UNIT_MASK) << UNIT_SHIFT
    if (length <= 32) for (let i = 0; i < length; i++) page[at + i] = bytes[start + i]!
    else page.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at)
    return address
  }

  private allocate(units: number): number {
    const address = this.free[units]!
    if (address !== 0) {
      this.free[units] = this.words[address >>> UNITS_PER_PAGE_SHIFT]![(address & UNIT_MASK) << (UNIT_SHIFT - 2)]!
      return address
    }
    if (this.fresh + units > this.limit) this.addPage()
    const next = this.fresh
    this.fresh += units
    return next
  }

  private addPage(): void {
    const memory = new ArrayBuffer(1 << PAGE_SHIFT)
    const first = this.pages.length << UNITS_PER_PAGE_SHIFT
    this.pages.push(Buffer.from(memory))
    this.words.push(new Int32Array(memory))
    this.fresh = first === 0 ? 1 : first
    this.limit = first + (1 << UNITS_PER_PAGE_SHIFT)
  }

  private storeLarge(bytes: Uint8Array, start: number, end: number): number {
    // Slow only in that it is not Node's pool: the value must not keep a pool alive, nor the other way round.
    const copy = Buffer.allocUnsafeSlow(end - start)
    copy.set(bytes.subarray(start, end))
    this.largeBytes += copy.length
    const index = this.freeLarge.pop() ?? this.large.length
    this.large[index] = copy
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

  /** Copies the block to `target[to…]`. `view` is over the same memory, and both have room for three bytes more. */
  copyTo(address: number, length: number, target: Uint8Array, view: DataView, to: number): void {
    if (length === 0) return
    if (address > 0 && length <= WORD_LOOP_BYTES) {
      const words = this.words[address >>> UNITS_PER_PAGE_SHIFT]!
      const from = (address & UNIT_MASK) << (UNIT_SHIFT - 2)
      const count = (length + 3) >>> 2
      // In the machine's own byte order, as the words are: so the bytes keep theirs.
      for (let i = 0; i < count; i++) view.setInt32(to + (i << 2), words[from + i]!, LITTLE_ENDIAN)
      return
    }
    this.block(address).copy(target, to, this.offset(address), this.offset(address) + length)
  }

  /** A copy of the block on its own. */
  copy(address: number, length: number): Uint8Array {
    const copy = new Uint8Array(length)
    if (length > 0) copy.set(this.view(address, length))
    return copy
  }

  /** The block itself, for reading at once: it is not valid any more when the arena has changed. */
  view(address: number, length: number): Buffer {
    if (address === 0) return EMPTY
    const offset = this.offset(address)
    return this.block(address).subarray(offset, offset + length)
  }

  /** The block as UTF-8. */
  text(address: number, length: number): string {
    if (length === 0) return ""
    const offset = this.offset(address)
    return this.block(address).toString("utf8", offset, offset + length)
  }

  private block(address: number): Buffer {
    return address < 0 ? this.large[-1 - address]! : this.pages[address >>> UNITS_PER_PAGE_SHIFT]!
  }

  private offset(address: number): number {
    return address < 0 ? 0 : (address & UNIT_MASK) << UNIT_SHIFT
  }
}

const EMPTY = Buffer.alloc(0)
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1
