import { ownedBy } from "./declare.ts"

const { gauge, counter, summary, summaries, distribution, distributions } = ownedBy("broadcast")

/** What the service of the log and of ZAB measures. */
export const BROADCAST = {
  quorum_size: gauge("peers", "voters of the ensemble"),
  learners: gauge("peers", "followers and observers (on the leader)"),
  synced_followers: gauge("peers", "followers that have all the history (on the leader)"),
  synced_non_voting_followers: gauge("peers", "always 0: who does not vote observes (on the leader)"),
  synced_observers: gauge("peers", "observers that have all the history (on the leader)"),
  pending_syncs: gauge("peers", "learners being synchronised (on the leader)"),
  leader_uptime: gauge("ms", "time since it became the established leader"),
  last_proposal_size: gauge("bytes", "size of the last proposal; -1: none yet (on the leader)"),
  max_proposal_size: gauge("bytes", "size of the largest proposal; -1: none yet (on the leader)"),
  min_proposal_size: gauge("bytes", "size of the smallest proposal; -1: none yet (on the leader)"),
  accepted_epoch: gauge("epoch", "the epoch that this peer has promised to follow"),
  current_epoch: gauge("epoch", "the epoch whose history this peer has taken"),
  last_logged_zxid: gauge("zxid", "the last transaction given to the log"),
  last_durable_zxid: gauge("zxid", "the last transaction that is durable here"),
  last_committed_zxid: gauge("zxid", "the last transaction known to be committed"),
  log_floor_zxid: gauge("zxid", "the log holds what is after this"),
  window_bytes: gauge("bytes", "recent history kept in memory"),
  log_dir_size: gauge("bytes", "size of the log in the database"),
  data_dir_size: gauge("bytes", "size of the checkpoint in the database"),
  looking_count: counter("times", "times that this peer looked for a leader"),
  proposal_count: counter("proposals", "transactions proposed (on the leader)"),
  commit_count: counter("commits", "proposed transactions that were committed (on the leader)"),
  learner_proposal_received_count: counter("proposals", "transactions received as proposals"),
  learner_commit_received_count: counter("commits", "transactions that the leader said were committed"),
  diff_count: counter("learners", "learners synchronised with a part of the log"),
  trunc_count: counter("learners", "learners told to cut their log"),
  snap_count: counter("learners", "learners synchronised with a snapshot"),
  election_time: summary("ms", "time from looking for a leader to finding one"),
  follower_sync_time: summary("ms", "time for a follower to take a leader's history"),
  observer_sync_time: summary("ms", "time for an observer to take a leader's history"),
  leader_unavailable_time: summary("ms", "time without an established leader, as the new leader saw it"),
  unavailable_time: summary("ms", "time that this peer was in no established quorum"),
  inflight_snap_count: summary("learners", "snapshots under way when one more begins"),
  inflight_diff_count: summary("learners", "parts of the log under way when one more begins"),
  startup_txns_loaded: summary("transactions", "transactions of the log beyond the checkpoint, applied after a start"),
  startup_txns_load_time: summary("ms", "time from the checkpoint's loading until they were applied"),
  sync_processor_request_queued: counter("transactions", "transactions given to the log"),
  request_commit_queued: counter("transactions", "committed transactions given to the tree"),
  dbinittime: summary("ms", "time to open the log"),
  fsynctime: summary("ms", "time for the database to make a batch durable"),
  sync_process_time: summary("ms", "time from taking a batch to append until it is durable"),
  sync_processor_batch_size: summary("transactions", "transactions made durable by one commit of the database"),
  sync_processor_queue_size: summary("operations", "operations on the log under way when one more comes"),
  sync_processor_queue_time_ms: distribution("ms", "time that a batch waits for the one before it"),
  sync_processor_queue_flush_time_ms: distribution("ms", "time to make a batch durable"),
  sync_processor_queue_and_flush_time_ms: distribution("ms", "both together"),
  proposal_process_time: summary("ms", "time to hand a batch of proposals to the broker (on the leader)"),
  proposal_latency: distribution("ms", "time from a transaction's making to its proposal's arrival here (on learners)"),
  quorum_ack_latency: distribution("ms", "time from a proposal to its commit (on the leader)"),
  proposal_ack_creation_latency: distribution("ms", "time from a transaction's making to this peer's acknowledgement"),
  commit_propagation_latency: distribution(
    "ms",
    "time from a transaction's making to its commit's arrival here (on learners)"
  ),
  learner_handler_qp_size: summaries(
    "proposals",
    "proposals that a peer has not acknowledged, whenever it acknowledges some, by peer (on the leader)"
  ),
  learner_handler_qp_time_ms: distributions(
    "ms",
    "time until a peer has acknowledged all that was on its way to it, each half tick, by peer (on the leader)"
  ),
  ack_latency: distributions("ms", "time from a proposal to a peer's acknowledgement, by peer (on the leader)")
} as const
