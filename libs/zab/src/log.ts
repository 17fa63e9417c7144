/**
 * This peer's log as memory knows it: what has been taken in, what is on its way to the disk, what is there.
 *
 * One append is in flight at a time; what is taken in meanwhile queues and leaves joined as the next one.
 */
import { follows, hex, type Zxid } from "@zkmesh/numbers"
import { joinBatches, type TxnBatch } from "@zkmesh/txn"
import { invariant } from "./invariant.ts"
import type { RecoveredLog } from "./types.ts"
import { RecentWindow } from "./window.ts"

export class LocalLog {
  readonly window: RecentWindow
  /** The last zxid taken in: in the queue, in flight or durable. */
  last: Zxid
  durable: Zxid
  /** The store has everything after it. */
  floor: Zxid
  private queue: Array<TxnBatch> = []
  private queueHead = 0
  private inFlight: TxnBatch | undefined

  constructor(recovered: RecoveredLog) {
    this.last = recovered.last
    this.durable = recovered.last
    this.floor = recovered.floor
    this.window = new RecentWindow(recovered.last)
  }

  get isIdle(): boolean {
    return this.inFlight === undefined && this.queueHead === this.queue.length
  }
  get isAppending(): boolean {
    return this.inFlight !== undefined
  }

  accept(batch: TxnBatch): void {
    invariant(follows(this.last, batch.first), () => `${hex(batch.first)} does not follow ${hex(this.last)} in the log`)
    this.queue.push(batch)
    this.window.push(batch)
    this.last = batch.last
  }

  /** The next append, once the one before has ended: all that has queued up to `limit`, at most about `maxBytes`. */
  nextAppend(limit: Zxid, maxBytes: number): TxnBatch | undefined {
    const { queue } = this
    if (this.inFlight !== undefined || this.queueHead === queue.length) return undefined
    const first = queue[this.queueHead]!
    if (first.last > limit) return undefined
    let end = this.queueHead + 1
    let bytes = first.bytes.length
    while (end < queue.length) {
      const next = queue[end]!
      // Never joined across an epoch: a range of zxids then always is what it looks like.
      if (next.last > limit || next.first !== queue[end - 1]!.last + 1 || bytes + next.bytes.length > maxBytes) break
      bytes += next.bytes.length
      end++
    }
    this.inFlight = joinBatches(queue.slice(this.queueHead, end))
    this.queueHead = end
    if (end === queue.length || end > 1024) {
      this.queue = queue.slice(end)
      this.queueHead = 0
    }
    return this.inFlight
  }

  appended(batch: TxnBatch, windowBytes: number): void {
    invariant(this.inFlight === batch, "an append has ended that was not in flight")
    this.inFlight = undefined
    this.durable = batch.last
    this.window.trim(this.durable, windowBytes)
  }

  /** Forgets what has not been given to the disk: nobody has been told that it is here. */
  dropQueued(): void {
    this.queue = []
    this.queueHead = 0
    this.last = this.inFlight?.last ?? this.durable
    if (this.window.last > this.last) this.window.truncate(this.last)
  }

  truncated(zxid: Zxid): void {
    invariant(this.isIdle, "the log was cut while it was being written")
    this.last = zxid
    this.durable = zxid
    this.window.truncate(zxid)
  }

  restored(zxid: Zxid): void {
    invariant(this.isIdle, "the log was replaced while it was being written")
    this.last = zxid
    this.durable = zxid
    this.floor = zxid
    this.window.reset(zxid)
  }
}
