/**
 * The tree's digest: the sum of a hash of every znode, equal on all peers that have applied the same transactions.
 *
 * It is kept up to date by difference. Znodes that change are only noted; they are hashed again when somebody asks, so
 * that a busy parent is hashed once for all the children it got in between.
 */
import { avalanche, mix } from "./hash.ts"
import { Field, Flag, PAGE_MASK, PAGE_SHIFT, ROW_WORDS, type Rows, type Slot } from "./rows.ts"

/** Sums stay exact integers below this. */
const MODULUS = 2 ** 52

/** The hash of a row as it is: every field of the stat, the path and the data. */
export const hashRow = (rows: Rows, slot: Slot): number => {
  const page = rows.pages[slot >>> PAGE_SHIFT]!
  const base = (slot & PAGE_MASK) * ROW_WORDS
  let hash = page[base + Field.contentHash]!
  for (let i = Field.czxid; i < Field.cversion; i++) hash = mix(hash, page[base + i]!)
  hash = mix(hash, page[base + Field.aversion]!)
  hash = mix(mix(hash, page[base + Field.owner]!), page[base + Field.owner + 1]!)
  for (let i = Field.numChildren; i <= Field.creations; i++) hash = mix(hash, page[base + i]!)
  return avalanche(mix(hash, page[base + Field.nameLength]! & (Flag.kind | Flag.nullData)))
}

export class Digest {
  private readonly rows: Rows
  private sum = 0
  private stale: Array<Slot> = []

  constructor(rows: Rows) {
    this.rows = rows
  }

  /** The znode is about to change, or is new. */
  touch(slot: Slot): void {
    if ((this.rows.flags(slot) & Flag.digestStale) !== 0) return
    this.rows.setFlags(slot, Flag.digestStale)
    this.stale.push(slot)
  }

  /** The znode is about to go. */
  remove(slot: Slot): void {
    this.add(-(this.rows.get(slot, Field.digest) >>> 0))
  }

  private add(difference: number): void {
    const sum = this.sum + difference
    this.sum = sum < 0 ? sum + MODULUS : sum >= MODULUS ? sum - MODULUS : sum
  }

  /** The digest of the tree as it is now. */
  value(): number {
    const { rows } = this
    for (const slot of this.stale) {
      // A slot may be listed that has been freed since, or freed and used again and listed twice.
      if ((rows.flags(slot) & Flag.digestStale) === 0) continue
      const hash = hashRow(rows, slot)
      this.add((hash >>> 0) - (rows.get(slot, Field.digest) >>> 0))
      rows.set(slot, Field.digest, hash)
      rows.clearFlags(slot, Flag.digestStale)
    }
    this.stale = []
    return this.sum
  }
}
