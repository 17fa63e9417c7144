import { ownedBy } from "./declare.ts"

const { gauge, gauges, counter, counters, summary, summaries, distribution } = ownedBy("znode")

/** What the service of the tree measures. */
export const ZNODE = {
  znode_count: gauge("znodes", "znodes in the tree, the root counted twice as in ZooKeeper"),
  ephemerals_count: gauge("znodes", "ephemeral znodes"),
  approximate_data_size: gauge("bytes", "paths and data of all znodes"),
  global_sessions: gauge("sessions", "sessions of the ensemble"),
  tree_memory_bytes: gauge("bytes", "memory set aside for the tree"),
  acl_count: gauge("lists", "distinct access control lists"),
  checkpoint_running: gauge("0 or 1", "a checkpoint is being written"),
  checkpoint_pending_changes: gauge("znodes", "znodes changed since the last checkpoint"),
  prepare_paths_in_flight: gauge("paths", "paths that prepared transactions will change (on the leader)"),
  prepare_bytes_in_flight: gauge("bytes", "transactions prepared and not applied yet (on the leader)"),
  quota_count_limit_per_namespace: gauges("znodes", "quota of znodes below a top-level znode"),
  quota_bytes_limit_per_namespace: gauges("bytes", "quota of bytes below a top-level znode"),
  quota_count_usage_per_namespace: gauges("znodes", "znodes that count towards the quota"),
  quota_bytes_usage_per_namespace: gauges("bytes", "bytes that count towards the quota"),
  quota_exceeded_error_per_namespace: counters("requests", "writes refused because of a hard quota (on the leader)"),
  applied_count: counter("transactions", "transactions applied"),
  prepared_count: counter("requests", "requests made transactions (on the leader)"),
  prepare_rejected_count: counter("requests", "requests that never became a transaction (on the leader)"),
  container_deleted_count: counter("znodes", "containers and TTL znodes that the leader deleted"),
  checkpoint_count: counter("checkpoints", "checkpoints written"),
  tree_reload_count: counter("trees", "trees replaced by a snapshot of the leader's"),
  digests_compared: counter("digests", "digests compared with the leader's"),
  digest_mismatches_count: counter("digests", "digests that were not the leader's"),
  snapshottime: summary("ms", "time to write a checkpoint"),
  startup_snap_load_time: summary("ms", "time to load the checkpoint at a start"),
  prep_process_time: summary(
    "ms",
    "time to turn a request into a transaction, as an average of its batch (on the leader)"
  ),
  prep_processor_request_queued: counter("requests", "requests that came to be prepared (on the leader)"),
  prep_processor_queue_time_ms: distribution("ms", "time that requests wait in this process to be prepared"),
  close_session_prep_time: distribution("ms", "time to prepare the end of a session, as an average of its batch"),
  outstanding_changes_queued: counter("changes", "changes of znodes that were prepared (on the leader)"),
  outstanding_changes_removed: counter("changes", "those of them that are applied, or void"),
  prep_processor_queue_size: summary("requests", "requests that came to be prepared together"),
  commit_process_time: summary("ms", "time to apply a committed batch"),
  write_batch_time_in_commit_processor: summary("ms", "the same: batches of commits hold writes alone"),
  propagation_latency: distribution("ms", "time from a transaction's making on the leader to its applying here"),
  write_final_proc_time_ms: distribution("ms", "time to apply a transaction, as an average of its batch"),
  read_final_proc_time_ms: distribution("ms", "time to answer a read from the tree, as an average of its batch"),
  write_per_namespace: summaries("bytes", "paths and values of the writes applied below a top-level znode"),
  read_per_namespace: summaries(
    "bytes",
    "paths, values or names of children, and Stats of the reads below a top-level znode"
  )
} as const
