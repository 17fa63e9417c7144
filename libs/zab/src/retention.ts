/**
 * How much of the log may be purged: at least `logRetain` transactions stay behind the checkpoint.
 *
 * Zxids of different epochs cannot be subtracted, so a few samples (zxid, how many transactions were logged up to it)
 * are kept since the start; whatever they do not cover is kept rather than purged.
 */
import { counterOf, type Zxid } from "@zkmesh/numbers"
import type { PeerState } from "./state.ts"
import type { ReadOp } from "./types.ts"

const MAX_SAMPLES = 256

export class Retention {
  private readonly state: PeerState
  private readonly stride: number
  private samples: Array<{ readonly zxid: Zxid; readonly count: number }>
  private count = 0
  private wanted: Zxid = 0
  private purging: ReadOp | undefined

  constructor(state: PeerState) {
    this.state = state
    this.stride = Math.max(1, Math.floor(state.config.logRetain / 16))
    this.samples = [{ zxid: state.log.last, count: 0 }]
  }

  appended(last: Zxid, count: number): void {
    this.count += count
    if (this.count - this.samples[this.samples.length - 1]!.count < this.stride) return
    this.samples.push({ zxid: last, count: this.count })
    if (this.samples.length > MAX_SAMPLES) this.samples.shift()
  }

  truncated(zxid: Zxid): void {
    while (this.samples.length > 0 && this.samples[this.samples.length - 1]!.zxid > zxid) this.samples.pop()
    const last = this.samples[this.samples.length - 1]
    // What was counted since that sample may have been cut: too small a count only keeps more.
    if (last === undefined) this.restored(zxid)
    else this.count = last.count
  }

  restored(zxid: Zxid): void {
    this.samples = [{ zxid, count: 0 }]
    this.count = 0
    this.wanted = 0
  }

  /** A checkpoint is durable. */
  checkpointed(zxid: Zxid): void {
    const { logRetain } = this.state.config
    if (logRetain === 0) return
    // Within the checkpoint's own epoch zxids count transactions.
    if (counterOf(zxid) > logRetain) this.wanted = Math.max(this.wanted, zxid - logRetain)
    let upTo = 0
    for (let index = this.samples.length - 1; index >= 0; index--) {
      const sample = this.samples[index]!
      if (sample.zxid > zxid) continue
      upTo = Math.max(upTo, sample.count)
      if (upTo - sample.count >= logRetain) {
        this.wanted = Math.max(this.wanted, sample.zxid)
        break
      }
    }
  }

  /** Purges what is wanted, but nothing after `pinned`: a learner still reads it. */
  purge(pinned: Zxid): void {
    const zxid = Math.min(this.wanted, pinned)
    if (this.purging !== undefined || zxid <= this.state.log.floor) return
    this.purging = this.state.read({ _tag: "Purge", zxid })
  }

  purged(op: ReadOp, floor: Zxid): void {
    if (this.purging !== op) return
    this.purging = undefined
    if (floor > this.state.log.floor) this.state.log.floor = floor
    // Whole batches only: the rest waits for the next checkpoint.
    if (op._tag === "Purge" && this.wanted <= op.zxid) this.wanted = 0
  }
}
