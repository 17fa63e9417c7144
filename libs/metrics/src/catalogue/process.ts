import { ownedBy } from "./declare.ts"

const { gauge, counter, summary, distribution } = ownedBy("process")
const election = ownedBy("election")

/** What every process measures of itself. */
export const PROCESS = {
  open_file_descriptor_count: gauge("files", "open files and sockets"),
  max_file_descriptor_count: gauge("files", "how many it may open"),
  unrecoverable_error_count: counter(
    "errors",
    "failures that ended a peer, a service or a frontend, which was built again"
  ),
  jvm_pause_time_ms: distribution(
    "ms",
    "how late the event loop ran a timer (of jvm.pause.sleep.time.ms): what stalls of Java's are there"
  ),
  nats_connected: gauge("0 or 1", "the connection to the broker is up"),
  nats_reconnects: counter("connections", "connections to the broker made again after one was lost"),
  nats_bytes_sent: counter("bytes", "bytes sent to the broker"),
  nats_bytes_received: counter("bytes", "bytes received from the broker"),
  nats_messages_sent: counter("messages", "messages sent to the broker"),
  nats_messages_received: counter("messages", "messages received from the broker"),
  insecure_admin_count: counter("requests", "requests to the admin server without TLS"),
  restore_time: summary("ms", "time to put a snapshot in the tree's place, through the admin server"),
  snapshot_error_count: counter("snapshots", "snapshots asked for that failed"),
  snapshot_rate_limited_count: counter("snapshots", "snapshots refused because one was taken a moment ago"),
  restore_error_count: counter("restores", "restores that failed"),
  restore_rate_limited_count: counter("restores", "restores refused because one was made a moment ago")
} as const

/** What the election measures. */
export const ELECTION = {
  election_notifications_sent: election.counter("notifications", "votes told to the other peers"),
  election_notifications_received: election.counter("notifications", "votes heard of other peers")
} as const
