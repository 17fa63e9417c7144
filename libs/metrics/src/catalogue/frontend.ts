import { ownedBy } from "./declare.ts"

const { gauge, counter, counters, summary, distribution } = ownedBy("frontend")

/** What the doors of clients measure. */
export const FRONTEND = {
  avg_latency: gauge("ms", "average time from a request's arrival to its reply"),
  max_latency: gauge("ms", "longest such time"),
  min_latency: gauge("ms", "shortest such time"),
  readlatency: distribution("ms", "time from the arrival of a read to its reply"),
  updatelatency: distribution("ms", "time from the arrival of a write to its reply"),
  packets_received: gauge("packets", "requests received from clients"),
  packets_sent: gauge("packets", "replies and events sent to clients"),
  num_alive_connections: gauge("connections", "open connections of clients"),
  outstanding_requests: gauge("requests", "requests received and not yet answered"),
  outstanding_tls_handshake: gauge("connections", "connections in their TLS handshake"),
  uptime: gauge("ms", "time since this server's start"),
  last_client_response_size: gauge("bytes", "size of the last reply; -1: none yet"),
  max_client_response_size: gauge("bytes", "size of the largest reply; -1: none yet"),
  min_client_response_size: gauge("bytes", "size of the smallest reply; -1: none yet"),
  auth_failed_count: gauge("attempts", "failed authentications of clients"),
  non_mtls_remote_conn_count: gauge("connections", "connections from other hosts without a client certificate"),
  non_mtls_local_conn_count: gauge("connections", "connections from this host without a client certificate"),
  connection_drop_probability: gauge("ratio", "part of new connections that is turned away to lower the load"),
  connection_request_count: counter("requests", "sessions asked for, new or attached again"),
  connection_rejected: counter("connections", "connections turned away because of a limit"),
  connection_drop_count: counter("connections", "connections ended by the server"),
  connection_drops: counters("connections", "connections ended by the server, by reason"),
  connection_revalidate_count: counter("requests", "sessions that clients asked to be attached to again"),
  sessionless_connections_expired: counter(
    "connections",
    "connections ended because they asked for no session in time"
  ),
  cnxn_closed_without_zk_server_running: counter("connections", "connections ended because no peer serves"),
  bytes_received_count: counter("bytes", "bytes received from clients"),
  response_bytes: counter("bytes", "bytes sent to clients"),
  watch_bytes: counter("bytes", "bytes of events among them"),
  unsuccessful_handshake: counter("connections", "TLS handshakes that failed"),
  proxy_header_rejected: counter("connections", "connections of a proxy's that did not begin with a PROXY header"),
  tls_handshake_exceeded: counter("connections", "connections turned away because of too many handshakes"),
  stale_requests: counter("requests", "connections ended because their requests had waited for too long"),
  stale_replies: counter("replies", "replies whose client had gone when they came"),
  large_requests_rejected: counter("requests", "requests beyond jute.maxbuffer"),
  connection_token_deficit: summary("tokens", "tokens that were missing for new connections"),
  request_throttle_queue_time_ms: distribution("ms", "time that requests wait to be let in"),
  request_throttle_wait_count: counter("requests", "requests that had to wait to be let in"),
  connection_carried_count: counter("connections", "clients carried over to another peer, who have not noticed"),
  throttled_ops: counter("requests", "requests refused because they had waited for too long")
} as const
