/** A peer's numbers, under the names that ZooKeeper's monitoring knows. */
import type { Leader } from "./leader.ts"
import type { Learner } from "./learner.ts"
import type { PeerState } from "./state.ts"

export interface ZabStats {
  readonly [name: string]: number | string
}

export const peerStats = (state: PeerState, leader: Leader | undefined, learner: Learner | undefined): ZabStats => {
  const { counters, log } = state
  const stats: Record<string, number | string> = {
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
    let observers = 0
    let pending = 0
    for (const learner of leader.learners.values()) {
      if (!learner.isSynced) pending++
      else if (learner.votes) followers++
      else observers++
    }
    stats["learners"] = followers + observers + pending
    stats["synced_followers"] = followers
    stats["synced_non_voting_followers"] = 0
    stats["synced_observers"] = observers
    stats["pending_syncs"] = pending
    stats["leader_uptime"] = Math.round(state.now - leader.establishedAt)
  }
  return stats
}
