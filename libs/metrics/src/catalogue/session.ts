import { ownedBy } from "./declare.ts"

const { gauge, counter, summary, distribution } = ownedBy("session")

/** What the service of sessions and watches measures. */
export const SESSION = {
  watch_count: gauge("watches", "watches of clients that are attached to this peer"),
  local_sessions: gauge("sessions", "sessions that only this peer knows"),
  attached_sessions: gauge("sessions", "sessions whose client is attached to this peer"),
  opening_sessions: gauge("sessions", "sessions asked for at this peer that are not there yet"),
  session_reads_outstanding: gauge("requests", "reads on their way to the tree and back"),
  session_writes_pending: gauge("requests", "writes of this peer's clients on their way through the ensemble"),
  session_reads_after_writes: gauge("requests", "reads that wait for an earlier write of their session"),
  stale_sessions_expired: counter("sessions", "sessions closed for their silence (on the leader)"),
  revalidate_count: counter("sessions", "sessions attached again by clients of this peer"),
  node_created_watch_count: summary("watches", "watches that one creation fired"),
  node_deleted_watch_count: summary("watches", "watches that one deletion fired"),
  node_changed_watch_count: summary("watches", "watches that one change of data fired"),
  node_children_watch_count: summary("watches", "watches that one change of a node's children fired"),
  pending_session_queue_size: summary("sessions", "sessions that wait for a write of theirs, each half tick"),
  requests_in_session_queue: summary("requests", "requests that wait behind a write, each half tick"),
  reads_after_write_in_session_queue: summary("requests", "reads that wait behind a write, each half tick"),
  reads_issued_from_session_queue: summary("requests", "reads that one write lets go"),
  session_queues_drained: summary("sessions", "sessions whose last write on its way was in one batch of commits"),
  read_commit_proc_req_queued: summary("requests", "reads that come together"),
  write_commit_proc_req_queued: summary("requests", "writes that come together"),
  commit_commit_proc_req_queued: summary("transactions", "commits that come together"),
  read_commit_proc_issued: summary("requests", "reads that wait for no write and go to the tree together"),
  write_commit_proc_issued: summary("requests", "writes whose commits come together"),
  learner_request_processor_queue_size: summary("requests", "writes that leave for the leader together (on learners)"),
  read_commitproc_time_ms: distribution("ms", "time that reads wait for a write of their session"),
  write_commitproc_time_ms: distribution("ms", "time that a write of this peer's clients is on its way"),
  local_write_committed_time_ms: distribution("ms", "the same: what is committed comes back applied"),
  server_write_committed_time_ms: distribution("ms", "time that commits of other peers' clients wait in this process")
} as const
