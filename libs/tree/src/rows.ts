/**
 * The fixed part of every znode: one row of 27 words, in pages, addressed by a slot number.
 *
 * A row begins with the 17 words of ZooKeeper's Stat in the order in which they go on the wire, so that a reply's Stat is
 * a copy of 17 words. No znode is an object: a million of them cost the garbage collector nothing.
 */
import { join, WORD } from "@zkmesh/numbers"

/** A znode's row. 0 is none. */
export type Slot = number

/** Where in a row a field starts; `long`s take two words, the upper first. */
export const Field = {
  czxid: 0,
  mzxid: 2,
  ctime: 4,
  mtime: 6,
  version: 8,
  /** As clients see it: `2 * creations - numChildren`. */
  cversion: 9,
  aversion: 10,
  /** As clients see it: a session, or 0 for any kind but an ephemeral. */
  owner: 11,
  dataLength: 13,
  numChildren: 14,
  pzxid: 15,
  /** How many children were ever created: ZooKeeper's internal cversion, and the source of sequence numbers. */
  creations: 17,
  parent: 18,
  firstChild: 19,
  next: 20,
  previous: 21,
  /** The arena's address of the name and, from the next multiple of 4 on, the data. */
  block: 22,
  /** The name's length in the upper 24 bits, `Flag`s in the lower 8. */
  nameLength: 23,
  acl: 24,
  /** The hash of path and data. */
  contentHash: 25,
  /** What the row last contributed to the tree's digest. */
  digest: 26
} as const

export const ROW_WORDS = 27
export const STAT_WORDS = 17

export const Flag = {
  /** The two lowest bits are the kind: see `Kind`. */
  kind: 0b11,
  /** The data is null, not empty. */
  nullData: 0b100,
  /** Changed since the digest was last summed up. */
  digestStale: 0b1000,
  /** Changed since the last checkpoint was captured. */
  changed: 0b1_0000,
  /** Part of a captured checkpoint that has not been read out yet: its image must be saved before it changes. */
  captured: 0b10_0000,
  /** Part of some checkpoint: its deletion must be stored as well. */
  stored: 0b100_0000
} as const

export const Kind = { persistent: 0, ephemeral: 1, container: 2, ttl: 3 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

export const PAGE_SHIFT = 10
export const PAGE_MASK = (1 << PAGE_SHIFT) - 1

export class Rows {
  /** The row of `slot` starts at `(slot & PAGE_MASK) * ROW_WORDS` of `pages[slot >>> PAGE_SHIFT]`. */
  readonly pages: Array<Int32Array> = []
  private freeHead: Slot = 0
  /** Slot 0 is never used. */
  private fresh: Slot = 1

  /** The bytes of all pages. */
  get reserved(): number {
    return this.pages.length * ((ROW_WORDS * 4) << PAGE_SHIFT)
  }

  /** A row of zeros. */
  allocate(): Slot {
    const slot = this.freeHead
    if (slot !== 0) {
      this.freeHead = this.get(slot, Field.next)
      this.set(slot, Field.next, 0)
      return slot
    }
    if (this.fresh >>> PAGE_SHIFT === this.pages.length) this.pages.push(new Int32Array(ROW_WORDS << PAGE_SHIFT))
    return this.fresh++
  }

  release(slot: Slot): void {
    const base = (slot & PAGE_MASK) * ROW_WORDS
    this.pages[slot >>> PAGE_SHIFT]!.fill(0, base, base + ROW_WORDS)
    this.set(slot, Field.next, this.freeHead)
    this.freeHead = slot
  }

  get(slot: Slot, field: number): number {
    return this.pages[slot >>> PAGE_SHIFT]![(slot & PAGE_MASK) * ROW_WORDS + field]!
  }

  set(slot: Slot, field: number, value: number): void {
    this.pages[slot >>> PAGE_SHIFT]![(slot & PAGE_MASK) * ROW_WORDS + field] = value
  }

  getLong(slot: Slot, field: number): number {
    const page = this.pages[slot >>> PAGE_SHIFT]!
    const at = (slot & PAGE_MASK) * ROW_WORDS + field
    return join(page[at]!, page[at + 1]!)
  }

  setLong(slot: Slot, field: number, value: number): void {
    const page = this.pages[slot >>> PAGE_SHIFT]!
    const at = (slot & PAGE_MASK) * ROW_WORDS + field
    page[at] = Math.floor(value / WORD)
    page[at + 1] = value
  }

  flags(slot: Slot): number {
    return this.get(slot, Field.nameLength) & 0xff
  }

  setFlags(slot: Slot, flags: number): void {
    this.set(slot, Field.nameLength, this.get(slot, Field.nameLength) | flags)
  }

  clearFlags(slot: Slot, flags: number): void {
    this.set(slot, Field.nameLength, this.get(slot, Field.nameLength) & ~flags)
  }
}
