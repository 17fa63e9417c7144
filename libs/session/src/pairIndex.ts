/**
 * Finds a watch's record by its (path, watcher) pair: open addressing over record numbers alone, four bytes a slot. The
 * pair itself is read from the record, so that nothing is stored twice.
 */
const FIRST_SLOTS = 128
const EMPTY = 0

export class PairIndex {
  private slots = new Uint32Array(FIRST_SLOTS)
  private used = 0
  private readonly pathOf: (record: number) => number
  private readonly watcherOf: (record: number) => number

  constructor(pathOf: (record: number) => number, watcherOf: (record: number) => number) {
    this.pathOf = pathOf
    this.watcherOf = watcherOf
  }

  /** The record of this pair; 0 if there is none. */
  find(path: number, watcher: number): number {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash(path, watcher) & mask; ; slot = (slot + 1) & mask) {
      const record = slots[slot]!
      if (record === EMPTY || (this.pathOf(record) === path && this.watcherOf(record) === watcher)) return record
    }
  }

  /** The pair is known not to be there. */
  add(record: number): void {
    // Three quarters full at most: probes stay short.
    if ((this.used + 1) * 4 > this.slots.length * 3) this.grow()
    this.place(record)
    this.used++
  }

  /** The record is known to be there. */
  remove(record: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let hole = this.home(record)
    while (slots[hole] !== record) hole = (hole + 1) & mask
    // Later records of the same run move up, so that no search ends at the hole that is left: no tombstones.
    for (let slot = (hole + 1) & mask; slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const distance = (slot - this.home(slots[slot]!)) & mask
      if (distance >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!
        hole = slot
      }
    }
    slots[hole] = EMPTY
    this.used--
  }

  private home(record: number): number {
    return hash(this.pathOf(record), this.watcherOf(record)) & (this.slots.length - 1)
  }

  private place(record: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let slot = this.home(record)
    while (slots[slot] !== EMPTY) slot = (slot + 1) & mask
    slots[slot] = record
  }

  private grow(): void {
    const old = this.slots
    this.slots = new Uint32Array(old.length * 2)
    for (const record of old) if (record !== EMPTY) this.place(record)
  }
}

const hash = (path: number, watcher: number): number => {
  let mixed = Math.imul(path, 0x9e3779b1) ^ Math.imul(watcher + 0x7f4a7c15, 0x85ebca6b)
  mixed ^= mixed >>> 15
  mixed = Math.imul(mixed, 0x2c1b3c6d)
  return mixed ^ (mixed >>> 13)
}
