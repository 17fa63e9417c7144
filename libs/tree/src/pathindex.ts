/**
 * Which slot a path's hash leads to: an open-addressing table of (hash, slot) pairs, so that growing it never has to look
 * at a row, and a lookup looks at one only when all 32 bits of the hash agree.
 */
import type { Slot } from "./rows.ts"

const INITIAL_CAPACITY = 1024

export class PathIndex {
  /** Pairs: the hash, then the slot; slot 0 is a free place. */
  table = new Int32Array(2 * INITIAL_CAPACITY)
  mask = INITIAL_CAPACITY - 1
  private used = 0

  get reserved(): number {
    return this.table.byteLength
  }

  insert(hash: number, slot: Slot): void {
    if (4 * ++this.used > 3 * (this.mask + 1)) this.grow()
    this.place(hash, slot)
  }

  private place(hash: number, slot: Slot): void {
    const table = this.table
    let at = hash & this.mask
    while (table[2 * at + 1] !== 0) at = (at + 1) & this.mask
    table[2 * at] = hash
    table[2 * at + 1] = slot
  }

  private grow(): void {
    const old = this.table
    this.table = new Int32Array(2 * old.length)
    this.mask = 2 * this.mask + 1
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.place(old[i]!, old[i + 1]!)
  }

  /** Takes the pair out and closes the gap, so that no lookup ever passes over graves. */
  remove(hash: number, slot: Slot): void {
    const { table, mask } = this
    let gap = hash & mask
    while (table[2 * gap + 1] !== slot) {
      if (table[2 * gap + 1] === 0) throw new Error("a znode is missing from the path index")
      gap = (gap + 1) & mask
    }
    for (let at = (gap + 1) & mask; table[2 * at + 1] !== 0; at = (at + 1) & mask) {
      const home = table[2 * at]! & mask
      // A pair may move to the gap unless its home lies after it.
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      table[2 * gap] = table[2 * at]!
      table[2 * gap + 1] = table[2 * at + 1]!
      gap = at
    }
    table[2 * gap] = 0
    table[2 * gap + 1] = 0
    this.used--
  }
}
