/** What the shell measures, per batch: how long an append, a quorum and a commit take. */
import type { Stats } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"

/** As ZooKeeper's summaries are named in `mntr`: avg_, min_, max_, cnt_ and sum_. */
class Summary {
  private count = 0
  private sum = 0
  private min = 0
  private max = 0

  add(value: number): void {
    this.min = this.count === 0 ? value : Math.min(this.min, value)
    this.max = Math.max(this.max, value)
    this.count++
    this.sum += value
  }

  report(name: string, into: Record<string, Stats[string]>): void {
    const round = (value: number) => Math.round(value * 1000) / 1000
    into[`avg_${name}`] = this.count === 0 ? 0 : round(this.sum / this.count)
    into[`min_${name}`] = round(this.min)
    into[`max_${name}`] = round(this.max)
    into[`cnt_${name}`] = this.count
    into[`sum_${name}`] = round(this.sum)
  }
}

export class Statistics {
  private readonly fsync = new Summary()
  private readonly batchSize = new Summary()
  private readonly quorumAck = new Summary()
  /** Proposed and not yet committed, oldest first. */
  private proposals: Array<{ readonly last: Zxid; readonly at: number }> = []
  private head = 0

  appended(count: number, ms: number): void {
    this.fsync.add(ms)
    this.batchSize.add(count)
  }

  proposed(last: Zxid, at: number): void {
    this.proposals.push({ last, at })
  }

  committed(zxid: Zxid, at: number): void {
    const { proposals } = this
    while (this.head < proposals.length && proposals[this.head]!.last <= zxid) {
      this.quorumAck.add(at - proposals[this.head++]!.at)
    }
    if (this.head === proposals.length || this.head > 1024) {
      this.proposals = proposals.slice(this.head)
      this.head = 0
    }
  }

  /** The reign is over: what was not committed in it is no latency. */
  reset(): void {
    this.proposals = []
    this.head = 0
  }

  report(into: Record<string, Stats[string]>): void {
    this.fsync.report("fsynctime", into)
    this.batchSize.report("sync_processor_batch_size", into)
    this.quorumAck.report("quorum_ack_latency", into)
  }
}
