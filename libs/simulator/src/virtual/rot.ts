/**
 * Rows of a peer's database that are not what was written to them. Their checksums say so to whoever reads them, and to
 * nobody before; the store is then good for nothing until it has been set aside, replaced or repaired.
 */
import { hex, type Zxid } from "@zkmesh/numbers"
import { type MemoryDatabase, StoreError } from "@zkmesh/store"
import type { TxnBatch } from "@zkmesh/txn"

export class Rot {
  private readonly name: string
  private readonly rows = new Set<TxnBatch>()
  private hasTree = false

  /** `name`: what its errors begin with. */
  constructor(name: string) {
    this.name = name
  }

  /** Strikes a row of the log, from 0 for the first to 1 for the last; false if there is none. */
  strikeLog({ batches }: MemoryDatabase, place: number): boolean {
    const row = batches[Math.min(batches.length - 1, Math.floor(place * batches.length))]
    if (row !== undefined) this.rows.add(row)
    return row !== undefined
  }

  /** Strikes a row of the checkpoint; false if there is none. */
  strikeTree({ checkpoint }: MemoryDatabase): boolean {
    this.hasTree ||= checkpoint > 0
    return checkpoint > 0
  }

  /** Everything is as it was written again, or gone. */
  clear(): void {
    this.rows.clear()
    this.hasTree = false
  }

  isIn({ batches }: MemoryDatabase): boolean {
    return this.hasTree || (this.rows.size > 0 && batches.some((batch) => this.rows.has(batch)))
  }

  /** What is wrong with the log's last row. */
  atEnd(database: MemoryDatabase): StoreError | undefined {
    return this.within("open", database, database.last - 1, database.last)
  }

  /** What is wrong with the row that this zxid is in, or the one after it. */
  at(operation: string, { batches }: MemoryDatabase, zxid: Zxid): StoreError | undefined {
    const row = batches.find(({ last }) => last >= zxid)
    return row !== undefined && this.rows.has(row) ? this.error(operation, row) : undefined
  }

  /** What is wrong with the rows that hold anything after `after`, up to `last`. */
  within(operation: string, { batches }: MemoryDatabase, after: Zxid, last: Zxid): StoreError | undefined {
    if (this.rows.size === 0) return undefined
    const row = batches.find((batch) => batch.last > after && batch.first <= last && this.rows.has(batch))
    return row === undefined ? undefined : this.error(operation, row)
  }

  /** What is wrong with the checkpoint. */
  ofTree(operation: string): StoreError | undefined {
    if (!this.hasTree) return undefined
    return new StoreError({ operation, message: `${this.name}: a znode's row is corrupt`, fault: "corrupt" })
  }

  private error(operation: string, { first, last }: TxnBatch): StoreError {
    const message = `${this.name}: the log's row ${hex(first)} to ${hex(last)} is corrupt`
    return new StoreError({ operation, message, fault: "corrupt" })
  }
}
