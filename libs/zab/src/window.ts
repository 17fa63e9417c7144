/**
 * The recent history in memory: batches back to back, contiguous from `floor` to `last`.
 *
 * A learner inside it joins the fan-out without a read of the log; the znode is fed from it. Per batch, never per
 * transaction: only a position inside a batch walks that batch's entries.
 */
import { epochOf, type Zxid } from "@zkmesh/numbers"
import { sliceBatch, type TxnBatch } from "@zkmesh/txn"

/** However small the batches are: each may hold on to the larger memory in which it arrived. */
const MAX_BATCHES = 16_384

export class RecentWindow {
  /** The zxid before the first batch: the window holds everything after it. */
  floor: Zxid
  private batches: Array<TxnBatch> = []
  /** Parallel to `batches`: how many bytes were ever pushed before it. */
  private offsets: Array<number> = []
  private head = 0
  private total = 0

  constructor(floor: Zxid) {
    this.floor = floor
  }

  get last(): Zxid {
    return this.batches.length > this.head ? this.batches[this.batches.length - 1]!.last : this.floor
  }
  get bytes(): number {
    return this.batches.length > this.head ? this.total - this.offsets[this.head]! : 0
  }

  push(batch: TxnBatch): void {
    // A batch across epochs would make "is this zxid one of ours" ambiguous, so the window starts again behind it.
    if (batch.last - batch.first + 1 !== batch.count || epochOf(batch.first) !== epochOf(batch.last)) {
      this.reset(batch.last)
      return
    }
    this.batches.push(batch)
    this.offsets.push(this.total)
    this.total += batch.bytes.length
  }

  /** Forgets the oldest beyond `maxBytes`, but nothing after `durable`: only memory has that. */
  trim(durable: Zxid, maxBytes: number): void {
    const { batches } = this
    while (
      this.head < batches.length &&
      batches[this.head]!.last <= durable &&
      (this.bytes > maxBytes || batches.length - this.head > MAX_BATCHES)
    ) {
      this.floor = batches[this.head]!.last
      this.head++
    }
    if (this.head > 1024 && this.head * 2 > batches.length) {
      this.batches = batches.slice(this.head)
      this.offsets = this.offsets.slice(this.head)
      this.head = 0
    }
  }

  /** Forgets everything after `zxid`. */
  truncate(zxid: Zxid): void {
    if (zxid <= this.floor) {
      this.reset(zxid)
      return
    }
    while (this.batches.length > this.head && this.batches[this.batches.length - 1]!.last > zxid) {
      const batch = this.batches.pop()!
      this.total = this.offsets.pop()!
      const kept = sliceBatch(batch, 0, zxid)
      if (kept !== undefined) this.push(kept)
    }
  }

  reset(zxid: Zxid): void {
    this.batches = []
    this.offsets = []
    this.head = 0
    this.total = 0
    this.floor = zxid
  }

  /** Where the batches after `zxid` begin; `zxid` is at or after the floor. For `at`, which is undefined past the end. */
  indexAfter(zxid: Zxid): number {
    let low = this.head
    let high = this.batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.batches[middle]!.last > zxid) high = middle
      else low = middle + 1
    }
    return low
  }
  at(index: number): TxnBatch | undefined {
    return this.batches[index]
  }

  /** About how much follows `zxid` (a batch begun counts whole). */
  bytesAfter(zxid: Zxid): number {
    const index = this.indexAfter(zxid)
    return index < this.batches.length ? this.total - this.offsets[index]! : 0
  }

  /** The last zxid of the history that is at or before `zxid`; `zxid` is at or after the floor. */
  lastAtOrBefore(zxid: Zxid): Zxid {
    const index = this.indexAfter(zxid)
    const batch = this.batches[index]
    if (batch !== undefined && batch.first <= zxid) return zxid
    return index > this.head ? this.batches[index - 1]!.last : this.floor
  }
}
