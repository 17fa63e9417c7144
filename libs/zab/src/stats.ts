/** A peer's numbers, under the names that ZooKeeper's monitoring knows. */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { Leader } from "./leader.ts"
import type { Learner } from "./learner.ts"
import type { PeerState } from "./state.ts"

export interface ZabStats {
  readonly [name: string]: number | string | ReadonlyArray<LearnerStats>
}

/** A learner that does not vote, as the leader sees it. */
export interface LearnerStats {
  readonly [name: string]: number
  readonly sid: Sid
  /** For how long it has been here. */
  readonly connectedMs: number
  /** The last zxid that it has acknowledged. */
  readonly lastZxid: Zxid
}

export const peerStats = (state: PeerState, leader: Leader | undefined, learner: Learner | undefined): ZabStats => {
  const { counters, log } = state
  const stats: Record<string, number | string | ReadonlyArray<LearnerStats>> = {
    quorum_size: state.membership.committed.quorum.voters.size,
    zab_phase: leader?.phase ?? learner?.phase ?? "election",
    accepted_epoch: state.acceptedEpoch,
    current_epoch: state.currentEpoch,
    last_logged_zxid: log.last,
    last_durable_zxid: log.durable,
    last_committed_zxid: state.committed,
    log_floor_zxid: log.floor,
    window_bytes: log.window.bytes,
    proposal_count: counters.proposals,
    commit_count: counters.commits,
    last_proposal_size: counters.lastProposalBytes,
    min_proposal_size: counters.minProposalBytes,
    max_proposal_size: counters.maxProposalBytes,
    looking_count: counters.looking,
    diff_count: counters.diffs,
    trunc_count: counters.truncs,
    snap_count: counters.snaps,
    election_time: Math.round(counters.electionMs),
    sync_time: Math.round(counters.syncMs)
  }
  if (leader?.phase === "broadcast") {
    let followers = 0
    const observers: Array<LearnerStats> = []
    let pending = 0
    for (const learner of leader.learners.values()) {
      if (!learner.isSynced) pending++
      else if (learner.votes) followers++
      else {
        observers.push({ sid: learner.sid, connectedMs: state.now - learner.openedAt, lastZxid: learner.acked })
      }
    }
    stats["learners"] = followers + observers.length + pending
    stats["synced_followers"] = followers
    stats["synced_non_voting_followers"] = 0
    stats["synced_observers"] = observers.length
    stats["observers"] = observers
    stats["pending_syncs"] = pending
    stats["leader_uptime"] = Math.round(state.now - leader.establishedAt)
  }
  return stats
}
