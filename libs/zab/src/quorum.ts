/** Majority quorums, as ZooKeeper's QuorumMaj counts them. */
import type { Sid, Zxid } from "@zkmesh/numbers"

export class Majority {
  readonly voters: ReadonlySet<Sid>
  /** How many voters make a quorum. */
  readonly size: number
  private readonly scratch: Array<Zxid> = []

  constructor(voters: ReadonlyArray<Sid>) {
    this.voters = new Set(voters)
    this.size = Math.floor(this.voters.size / 2) + 1
  }

  /** True if the voters among `sids` are a quorum. */
  has(sids: Iterable<Sid>): boolean {
    let count = 0
    for (const sid of sids) if (this.voters.has(sid)) count++
    return count >= this.size
  }

  /** Starts to collect what each voter has durably; `add` one per voter, then `reached`. */
  begin(): void {
    this.scratch.length = 0
  }
  add(zxid: Zxid): void {
    const list = this.scratch
    let at = list.length
    list.push(zxid)
    for (; at > 0 && list[at - 1]! < zxid; at--) list[at] = list[at - 1]!
    list[at] = zxid
  }
  /** The highest zxid that a quorum has; undefined if fewer than a quorum were added. */
  reached(): Zxid | undefined {
    return this.scratch[this.size - 1]
  }
}
