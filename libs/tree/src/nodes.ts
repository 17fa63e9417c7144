/**
 * The znodes: their rows, names and values, how they hang together, and how a path finds them.
 *
 * A znode keeps its own name only; its path is its ancestors' names and its own. The root is one znode with one key,
 * whichever way it is addressed ("/" or, as a parent, "").
 */
import { Arena } from "./arena.ts"
import { hashPath } from "./hash.ts"
import { PathIndex } from "./pathindex.ts"
import { Field, Flag, PAGE_MASK, PAGE_SHIFT, ROW_WORDS, Rows, type Slot } from "./rows.ts"

const SLASH = 0x2f
export const ROOT: Slot = 1

/** Where the last slash of `bytes[start, end)` is; `start - 1` if there is none. */
export const lastSlash = (bytes: Uint8Array, start: number, end: number): number => {
  let at = end - 1
  while (at >= start && bytes[at] !== SLASH) at--
  return at
}

/** A path and a value, wherever in memory they are. */
export interface Content {
  path: Uint8Array
  pathStart: number
  pathEnd: number
  data: Uint8Array
  dataStart: number
  /** Before `dataStart` if the value is null. */
  dataEnd: number
}

export class Nodes {
  readonly rows = new Rows()
  readonly arena = new Arena()
  readonly index = new PathIndex()
  private readonly seed: number
  /** The root included. */
  count = 1
  /** All paths and values in bytes, as ZooKeeper counts its approximate data size. */
  dataSize = 1
  private scratch = Buffer.allocUnsafeSlow(1024)
  private scratchLength = 0

  /** `seed` varies the path index from process to process, so that nobody can prepare paths that collide. */
  constructor(seed: number) {
    this.seed = seed
    if (this.rows.allocate() !== ROOT) throw new Error("the root must have the first slot")
  }

  /** The slot of the path in `bytes[start, end)`, 0 if there is none. The hot path of everything. */
  find(bytes: Uint8Array, start: number, end: number): Slot {
    if (end - start <= 1 && (end === start || bytes[start] === SLASH)) return ROOT
    const hash = hashPath(bytes, start, end, this.seed)
    const { table, mask } = this.index
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = table[2 * at + 1]!
      if (slot === 0) return 0
      if (table[2 * at] === hash && this.hasPath(slot, bytes, start, end)) return slot
    }
  }

  /** Compares from the last name up to the root. */
  private hasPath(slot: Slot, bytes: Uint8Array, start: number, end: number): boolean {
    let to = end
    for (let node = slot; node !== ROOT; ) {
      const page = this.rows.pages[node >>> PAGE_SHIFT]!
      const base = (node & PAGE_MASK) * ROW_WORDS
      const length = page[base + Field.nameLength]! >>> 8
      const from = to - length
      if (from <= start || bytes[from - 1] !== SLASH) return false
      if (!this.arena.equals(page[base + Field.block]!, length, bytes, from)) return false
      to = from - 1
      node = page[base + Field.parent]!
    }
    return to === start
  }

  /** The slot of a path, 0 if there is none. */
  findPath(path: string): Slot {
    const bytes = this.encode(path)
    return this.find(bytes, 0, this.scratchLength)
  }

  /** The path's UTF-8 in memory that the next call uses again; its length is `encodedLength`. */
  encode(path: string): Buffer {
    if (path.length * 3 > this.scratch.length) this.scratch = Buffer.allocUnsafeSlow(path.length * 3)
    this.scratchLength = this.scratch.write(path, 0, "utf8")
    return this.scratch
  }

  get encodedLength(): number {
    return this.scratchLength
  }

  /** A new child of `parent`; all of its row but name, value and links is zero. */
  create(parent: Slot, content: Content): Slot {
    const { rows, arena } = this
    const { path, pathStart: start, pathEnd: end } = content
    const slot = rows.allocate()
    const nameStart = lastSlash(path, start, end) + 1
    const nameLength = end - nameStart
    const length = Math.max(0, content.dataEnd - content.dataStart)
    const block = arena.resize(0, 0, length === 0 ? nameLength : ((nameLength + 3) & ~3) + length, 0)
    arena.write(block, 0, path, nameStart, end)
    rows.set(slot, Field.block, block)
    rows.set(slot, Field.nameLength, nameLength << 8)
    this.write(slot, content, length)
    rows.set(slot, Field.parent, parent)
    const first = rows.get(parent, Field.firstChild)
    rows.set(slot, Field.next, first)
    if (first !== 0) rows.set(first, Field.previous, slot)
    rows.set(parent, Field.firstChild, slot)
    rows.set(parent, Field.numChildren, rows.get(parent, Field.numChildren) + 1)
    this.index.insert(hashPath(path, start, end, this.seed), slot)
    this.count++
    this.dataSize += end - start + length
    return slot
  }

  /** Takes out a childless znode, its path in `bytes[start, end)`. */
  remove(slot: Slot, bytes: Uint8Array, start: number, end: number): void {
    const { rows } = this
    const parent = rows.get(slot, Field.parent)
    const next = rows.get(slot, Field.next)
    const previous = rows.get(slot, Field.previous)
    if (next !== 0) rows.set(next, Field.previous, previous)
    if (previous !== 0) rows.set(previous, Field.next, next)
    else rows.set(parent, Field.firstChild, next)
    rows.set(parent, Field.numChildren, rows.get(parent, Field.numChildren) - 1)
    this.index.remove(hashPath(bytes, start, end, this.seed), slot)
    const dataLength = rows.get(slot, Field.dataLength)
    this.arena.release(rows.get(slot, Field.block), this.blockLength(slot))
    rows.release(slot)
    this.count--
    this.dataSize -= end - start + dataLength
  }

  /** Replaces the value by a copy of the content's. */
  setData(slot: Slot, content: Content): void {
    const { rows } = this
    const before = rows.get(slot, Field.dataLength)
    const length = Math.max(0, content.dataEnd - content.dataStart)
    const name = this.nameLength(slot)
    const size = length === 0 ? name : this.dataOffset(slot) + length
    rows.set(slot, Field.block, this.arena.resize(rows.get(slot, Field.block), this.blockLength(slot), size, name))
    this.write(slot, content, length)
    this.dataSize += length - before
  }

  /** The block has room for the value. */
  private write(slot: Slot, content: Content, length: number): void {
    const { rows } = this
    const { data, dataStart, dataEnd } = content
    if (length > 0) this.arena.write(rows.get(slot, Field.block), this.dataOffset(slot), data, dataStart, dataEnd)
    rows.set(slot, Field.dataLength, length)
    if (dataEnd < dataStart) rows.setFlags(slot, Flag.nullData)
    else rows.clearFlags(slot, Flag.nullData)
  }

  /** Where in its block a znode's data starts. */
  dataOffset(slot: Slot): number {
    return (this.nameLength(slot) + 3) & ~3
  }

  private blockLength(slot: Slot): number {
    const length = this.rows.get(slot, Field.dataLength)
    return length === 0 ? this.nameLength(slot) : this.dataOffset(slot) + length
  }

  nameLength(slot: Slot): number {
    return this.rows.get(slot, Field.nameLength) >>> 8
  }

  name(slot: Slot): string {
    return this.arena.text(this.rows.get(slot, Field.block), this.nameLength(slot))
  }

  path(slot: Slot): string {
    if (slot === ROOT) return "/"
    let path = ""
    for (let node = slot; node !== ROOT; node = this.rows.get(node, Field.parent)) path = `/${this.name(node)}${path}`
    return path
  }

  /** A znode's value as UTF-8. */
  text(slot: Slot): string {
    const length = this.rows.get(slot, Field.dataLength)
    return this.arena.text(this.rows.get(slot, Field.block), length, this.dataOffset(slot))
  }

  /** How many znodes there are below `slot`. */
  countDescendants(slot: Slot): number {
    if (slot === ROOT) return this.count - 1
    let total = -1
    this.visit(slot, () => total++)
    return total
  }

  /** Calls `each` for a znode and all below it, which must stay as they are meanwhile. */
  visit(slot: Slot, each: (slot: Slot) => void): void {
    const { rows } = this
    let node = slot
    for (;;) {
      each(node)
      let following = rows.get(node, Field.firstChild)
      while (following === 0) {
        if (node === slot) return
        following = rows.get(node, Field.next)
        if (following === 0) node = rows.get(node, Field.parent)
      }
      node = following
    }
  }

  /** Memory taken for all of it, in bytes. */
  get reserved(): number {
    return this.rows.reserved + this.arena.reserved + this.index.reserved
  }
}
