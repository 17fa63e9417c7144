/**
 * What a checkpoint has to write: the znodes that changed since the last one.
 *
 * Capturing a checkpoint only marks the changed znodes, however many they are; they are read out later, piece by piece,
 * while transactions go on being applied. A marked znode that is about to change before it has been read out has its
 * image saved first, so what is read out is the tree at the zxid of the capture, all of it.
 */
import type { StoredNode } from "@zkmesh/store"
import { Flag, type Rows, type Slot } from "./rows.ts"

export class Changes {
  private readonly rows: Rows
  private readonly image: (slot: Slot) => StoredNode
  private slots: Array<Slot> = []
  private deleted = new Set<string>()
  private images: Map<Slot, StoredNode> | undefined

  constructor(rows: Rows, image: (slot: Slot) => StoredNode) {
    this.rows = rows
    this.image = image
  }

  /** About how many znodes the next checkpoint writes. */
  get pending(): number {
    return this.slots.length + this.deleted.size
  }

  /** The znode is about to change. */
  touch(slot: Slot): void {
    const flags = this.rows.flags(slot)
    if ((flags & Flag.captured) !== 0) this.save(slot)
    if ((flags & Flag.changed) !== 0) return
    this.rows.setFlags(slot, Flag.changed)
    this.slots.push(slot)
  }

  /** The znode is new. */
  created(slot: Slot, path: () => string): void {
    // A deletion that has not been written yet turns into a change of the stored row.
    if (this.deleted.size > 0 && this.deleted.delete(path())) this.rows.setFlags(slot, Flag.stored)
    this.touch(slot)
  }

  /** The znode is about to go. */
  remove(slot: Slot, path: string): void {
    const flags = this.rows.flags(slot)
    if ((flags & Flag.captured) !== 0) this.save(slot)
    if ((flags & Flag.stored) !== 0) this.deleted.add(path)
  }

  private save(slot: Slot): void {
    this.images!.set(slot, this.image(slot))
    this.rows.clearFlags(slot, Flag.captured)
  }

  /** The tree has been loaded: what is stored is no change. */
  settle(): void {
    const changed = this.slots.filter((slot) => (this.rows.flags(slot) & Flag.stored) === 0)
    for (const slot of this.slots)
      if ((this.rows.flags(slot) & Flag.stored) !== 0) this.rows.clearFlags(slot, Flag.changed)
    this.slots = changed
  }

  get isCapturing(): boolean {
    return this.images !== undefined
  }

  /** Marks what has changed. `upserted` may be read once, at any time until `release`; no other capture before that. */
  capture(): { readonly upserted: Iterable<StoredNode>; readonly deleted: ReadonlyArray<string> } {
    if (this.images !== undefined) throw new Error("a checkpoint is captured while another is being written")
    const slots: Array<Slot> = []
    for (const slot of this.slots) {
      if ((this.rows.flags(slot) & Flag.changed) === 0) continue
      this.rows.clearFlags(slot, Flag.changed)
      this.rows.setFlags(slot, Flag.captured | Flag.stored)
      slots.push(slot)
    }
    const deleted = Array.from(this.deleted)
    this.slots = []
    this.deleted = new Set()
    this.images = new Map()
    return { upserted: this.readOut(slots), deleted }
  }

  private *readOut(slots: ReadonlyArray<Slot>): Generator<StoredNode> {
    for (const slot of slots) {
      const saved = this.images?.get(slot)
      if (saved !== undefined) {
        this.images?.delete(slot)
        yield saved
      } else if ((this.rows.flags(slot) & Flag.captured) !== 0) {
        this.rows.clearFlags(slot, Flag.captured)
        yield this.image(slot)
      }
    }
  }

  /** The captured checkpoint has been written. */
  release(): void {
    this.images = undefined
  }
}
