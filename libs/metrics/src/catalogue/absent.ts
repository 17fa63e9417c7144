/**
 * Names of ZooKeeper's whose subject does not exist here. They are served, as the zeros that they truly are, because what
 * scrapes ZooKeeper asks for them.
 */
import { ownedBy } from "./declare.ts"

const { counter, summary, distribution } = ownedBy("none")

const CACHE = "always 0: replies are not cached, they are written from the tree"
const POOL = "always 0: no threads and no queues between them"
const WATCHERS = "always 0: a watcher that has gone is forgotten at once"
const PLAIN = "always 0: peers meet over the broker"
const MASTER = "always 0: observers hear the leader's fan-out like everybody"

export const ABSENT = {
  response_packet_cache_hits: counter("replies", CACHE),
  response_packet_cache_misses: counter("replies", CACHE),
  response_packet_get_children_cache_hits: counter("replies", CACHE),
  response_packet_get_children_cache_misses: counter("replies", CACHE),
  add_dead_watcher_stall_time: counter("ms", WATCHERS),
  dead_watchers_queued: counter("watchers", WATCHERS),
  dead_watchers_cleared: counter("watchers", WATCHERS),
  dead_watchers_cleaner_latency: distribution("ms", WATCHERS),
  ensemble_auth_success: counter("connections", PLAIN),
  ensemble_auth_fail: counter("connections", PLAIN),
  ensemble_auth_skip: counter("connections", PLAIN),
  quit_leading_due_to_disloyal_voter: counter("times", "always 0: a leader's term ends with its quorum"),
  stale_requests_dropped: counter("requests", "always 0: the connection of a stale request is closed"),
  socket_closing_time: summary("ms", PLAIN),
  om_proposal_process_time_ms: distribution("ms", MASTER),
  om_commit_process_time_ms: distribution("ms", MASTER),
  netty_queued_buffer_capacity: summary("bytes", "always 0: there is no Netty here"),
  requests_not_forwarded_to_commit_processor: counter("requests", POOL),
  skip_learner_request_to_next_processor_count: counter("requests", POOL),
  time_waiting_empty_pool_in_commit_processor_read_ms: summary("ms", POOL),
  concurrent_request_processing_in_commit_processor: summary("requests", POOL)
} as const
