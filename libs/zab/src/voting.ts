/** Whose word counts for a leader: in one configuration, or in two while the ensemble changes. */
import { type Quorum, withVersion } from "@zkmesh/membership"
import { type Sid, type Zxid, zxid } from "@zkmesh/numbers"
import type { LearnerHandle } from "./learnerHandle.ts"
import type { Sparing } from "./sparing.ts"
import type { PeerState } from "./state.ts"
import type { LinkId } from "./types.ts"

export class Voting {
  private readonly state: PeerState
  private readonly learners: ReadonlyMap<LinkId, LearnerHandle>

  private readonly sparing: Sparing

  constructor(state: PeerState, learners: ReadonlyMap<LinkId, LearnerHandle>, sparing: Sparing) {
    this.state = state
    this.learners = learners
    this.sparing = sparing
  }

  /** The configuration has changed: finds out anew who of the learners votes. */
  count(): void {
    this.sparing.forget()
    for (const learner of this.learners.values()) {
      learner.votes = learner.stage !== "opened" && !learner.isVoteless && this.state.membership.isVoter(learner.sid)
    }
  }

  /** Who could make a quorum of a new configuration: this peer, and who is up to date. */
  synced(): Array<Sid> {
    const sids = [this.state.config.sid]
    for (const learner of this.learners.values()) if (learner.isSynced && !learner.isVoteless) sids.push(learner.sid)
    return sids
  }

  tellSynced(): void {
    this.sparing.forget()
    if (this.state.config.reconfigurable === true) this.state.feed.tellSynced(this.synced())
  }

  /** A configuration from a file becomes the ensemble's, newer than that in the file of whoever wants to join. */
  establish(epoch: number): void {
    const { membership, config } = this.state
    const { version, text } = membership.committed
    if (config.reconfigurable !== true || version > 0 || text === "") return
    membership.adopt(withVersion(membership.committed, zxid(epoch, 0)))
  }

  /**
   * What is committed: from a reconfiguration on, what a quorum of the old and one of the new ensemble have. With `assumed`:
   * what would be if that learner had everything.
   */
  reached(assumed: Sid = 0): Zxid | undefined {
    const { committed, proposed, proposedAfter } = this.state.membership
    const reached = this.reachedBy(committed.quorum, assumed)
    if (proposed === undefined || reached === undefined || reached < proposed.version) return reached
    return Math.min(reached, Math.max(this.reachedBy(proposed.quorum, assumed) ?? 0, proposedAfter))
  }

  private reachedBy(quorum: Quorum, assumed: Sid): Zxid | undefined {
    const { config, log } = this.state
    const { voters } = quorum
    quorum.begin()
    if (voters.has(config.sid)) quorum.add(config.sid, log.durable)
    for (const learner of this.learners.values()) {
      const { sid, acked } = learner
      if (learner.isSynced && learner.votes && voters.has(sid)) quorum.add(sid, sid === assumed ? log.last : acked)
    }
    return quorum.reached()
  }
}
