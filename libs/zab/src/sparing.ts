/**
 * Whom a proposal may spare: those whose word is not needed, as long as the others are quick.
 *
 * A proposal with nothing else under way is committed by the first quorum that has it. The voters beyond that one may
 * write it to the disk with what comes next, so that a lone writer costs a minority's processes, databases and disks a
 * fraction of an append instead of one each. Who is spared changes as soon as somebody else is the first to acknowledge.
 */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { LearnerHandle } from "./learnerHandle.ts"
import type { PeerState } from "./state.ts"
import type { LinkId } from "./types.ts"

const NOBODY: ReadonlyArray<Sid> = []

export class Sparing {
  private readonly state: PeerState
  private readonly learners: ReadonlyMap<LinkId, LearnerHandle>
  /** The learner that was the first to have the newest of what any of them has. */
  private quickest: Sid = 0
  private newest: Zxid = 0
  /** By who waits; as long as nobody comes, goes or overtakes. */
  private readonly known = new Map<Sid, ReadonlyArray<Sid>>()

  constructor(state: PeerState, learners: ReadonlyMap<LinkId, LearnerHandle>) {
    this.state = state
    this.learners = learners
  }

  /** Learners or voters have changed. */
  forget(): void {
    this.known.clear()
  }

  acknowledged(sid: Sid, zxid: Zxid): void {
    if (zxid <= this.newest) return
    this.newest = zxid
    if (sid === this.quickest) return
    this.quickest = sid
    this.forget()
  }

  /** `waiter`: the peer whose clients wait; it commits with the first if it has the proposal itself. */
  of(waiter: Sid): ReadonlyArray<Sid> {
    const known = this.known.get(waiter)
    if (known !== undefined) return known
    const spared = this.choose(waiter)
    this.known.set(waiter, spared)
    return spared
  }

  private choose(waiter: Sid): ReadonlyArray<Sid> {
    const { config, membership } = this.state
    const rank = (sid: Sid) => (sid === waiter ? 0 : sid === this.quickest ? 1 : 2)
    const voters = [...this.learners.values()].filter((learner) => learner.isSynced && learner.votes)
    const sids = voters.map(({ sid }) => sid).sort((a, b) => rank(a) - rank(b) || a - b)
    for (let needed = 0; needed < sids.length; needed++) {
      if (membership.has([config.sid, ...sids.slice(0, needed)])) return sids.slice(needed)
    }
    return NOBODY
  }
}
