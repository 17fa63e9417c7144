/** What the log held beyond the checkpoint when this peer started: how much of it the tree has taken, and how long that took. */
import type { Registry, Summary } from "@zkmesh/metrics"
import type { Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"

export class Replay {
  private readonly loaded: Summary
  private readonly time: Summary
  /** The end of the log as it was found. */
  private readonly last: Zxid
  private startedAt: number | undefined
  private count = 0
  /** Of what was found, the last that was given to the tree. */
  private given: Zxid = 0
  private applied: Zxid = 0
  /** No more of it will come. */
  private isComplete = false
  private isOver = false

  constructor(metrics: Registry, last: Zxid) {
    this.loaded = metrics.summary("startup_txns_loaded")
    this.time = metrics.summary("startup_txns_load_time")
    this.last = last
  }

  /** The tree is there, as of its checkpoint. */
  opened(checkpoint: Zxid, at: number): void {
    if (this.startedAt !== undefined) return
    this.startedAt = at
    this.given = this.applied = checkpoint
    this.isComplete = checkpoint >= this.last
    this.consider(at)
  }

  /** Goes to the tree next. */
  delivers(batch: TxnBatch): void {
    if (this.isOver) return
    if (batch.first <= this.last) {
      this.count += Math.max(0, batch.last <= this.last ? batch.count : batch.count - (batch.last - this.last))
      this.given = Math.min(batch.last, this.last)
    }
    if (batch.last >= this.last) this.isComplete = true
  }

  /** The peer has found its leader, and all the history with it: whatever has not come by now was cut off. */
  established(at: number): void {
    this.isComplete = true
    this.consider(at)
  }

  /** The tree has taken everything up to `zxid`. */
  took(zxid: Zxid, at: number): void {
    this.applied = zxid
    this.consider(at)
  }

  private consider(at: number): void {
    if (this.isOver || !this.isComplete || this.startedAt === undefined || this.applied < this.given) return
    this.isOver = true
    this.loaded.record(this.count)
    this.time.record(at - this.startedAt)
  }
}
