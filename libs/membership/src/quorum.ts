/** Who has to agree: majorities (QuorumMaj) and majorities of groups' weights (QuorumHierarchical). */
import type { Sid, Zxid } from "@zkmesh/numbers"

/** A verifier of quorums, and its running answer to "what does a quorum have". */
export interface Quorum {
  /** Those that count. */
  readonly voters: ReadonlySet<Sid>
  /** True if the voters among `sids` are a quorum. */
  readonly has: (sids: Iterable<Sid>) => boolean
  /** A voter without weight counts for nothing, and cannot be voted for. */
  readonly weightOf: (sid: Sid) => number
  /** Starts to collect what each voter has durably; `add` one per voter, then `reached`. */
  readonly begin: () => void
  readonly add: (sid: Sid, zxid: Zxid) => void
  /** The highest zxid that a quorum has; undefined if those that were added are none. */
  readonly reached: () => Zxid | undefined
}

/** More than half of the voters. */
export class Majority implements Quorum {
  readonly voters: ReadonlySet<Sid>
  /** How many voters make a quorum. */
  readonly size: number
  private readonly scratch: Array<Zxid> = []

  constructor(voters: ReadonlyArray<Sid>) {
    this.voters = new Set(voters)
    this.size = Math.floor(this.voters.size / 2) + 1
  }

  has(sids: Iterable<Sid>): boolean {
    let count = 0
    for (const sid of sids) if (this.voters.has(sid)) count++
    return count >= this.size
  }

  weightOf(sid: Sid): number {
    return this.voters.has(sid) ? 1 : 0
  }

  begin(): void {
    this.scratch.length = 0
  }
  /** Voters only, each once. */
  add(_sid: Sid, zxid: Zxid): void {
    const list = this.scratch
    let at = list.length
    list.push(zxid)
    for (; at > 0 && list[at - 1]! < zxid; at--) list[at] = list[at - 1]!
    list[at] = zxid
  }
  reached(): Zxid | undefined {
    return this.scratch[this.size - 1]
  }
}

export interface Groups {
  /** Each voter is in exactly one. */
  readonly groups: ReadonlyMap<number, ReadonlyArray<Sid>>
  /** 1 for whoever is not in it. */
  readonly weights: ReadonlyMap<Sid, number>
}

/** More than half of the weight in more than half of the groups that have any. */
export class Hierarchy implements Quorum {
  readonly voters: ReadonlySet<Sid>
  private readonly weights: ReadonlyMap<Sid, number>
  private readonly groupOf = new Map<Sid, number>()
  private readonly groupWeights = new Map<number, number>()
  private readonly groupCount: number
  private readonly scratch: Array<{ readonly sid: Sid; readonly zxid: Zxid }> = []

  constructor(voters: ReadonlyArray<Sid>, { groups, weights }: Groups) {
    this.voters = new Set(voters)
    this.weights = weights
    for (const [group, sids] of groups) {
      let sum = 0
      for (const sid of sids) {
        this.groupOf.set(sid, group)
        sum += this.weightOf(sid)
      }
      this.groupWeights.set(group, sum)
    }
    this.groupCount = [...this.groupWeights.values()].filter((weight) => weight > 0).length
  }

  weightOf(sid: Sid): number {
    return this.voters.has(sid) ? (this.weights.get(sid) ?? 1) : 0
  }

  has(sids: Iterable<Sid>): boolean {
    const sums = new Map<number, number>()
    for (const sid of new Set(sids)) {
      const group = this.groupOf.get(sid)
      if (group !== undefined) sums.set(group, (sums.get(group) ?? 0) + this.weightOf(sid))
    }
    let won = 0
    for (const [group, sum] of sums) if (sum > Math.floor(this.groupWeights.get(group)! / 2)) won++
    return won > Math.floor(this.groupCount / 2)
  }

  begin(): void {
    this.scratch.length = 0
  }
  add(sid: Sid, zxid: Zxid): void {
    this.scratch.push({ sid, zxid })
  }
  reached(): Zxid | undefined {
    const sids: Array<Sid> = []
    for (const { sid, zxid } of this.scratch.sort((a, b) => b.zxid - a.zxid)) {
      sids.push(sid)
      if (this.has(sids)) return zxid
    }
    return undefined
  }
}
