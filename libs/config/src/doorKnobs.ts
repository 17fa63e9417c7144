/** The knobs of the client's door: how much clients may ask, and how they are held back. */
import { count, flag, fraction, INT, knob, positive, whole, zookeeper } from "./knob.ts"

const limits = {
  maxCnxns: knob(count, "0", zookeeper("connections", "of all clients, per frontend; 0: no limit")),
  clientTcpKeepAlive: knob(flag, "false", zookeeper("true or false", "the system probes silent connections")),
  largeRequestThreshold: knob(
    whole(-1, INT),
    "-1",
    zookeeper("bytes", "a request of more is a large one; -1: none is")
  ),
  largeRequestMaxBytes: knob(
    positive,
    "104857600",
    zookeeper("bytes", "large requests under way, beyond which the connection of the next one is closed")
  ),
  request_throttle_max_requests: knob(
    count,
    "0",
    zookeeper("requests", "under way in all of a frontend, above which the others wait their turn; 0: no limit")
  ),
  request_stale_latency_check: knob(
    flag,
    "false",
    zookeeper("true or false", "a connection whose requests wait longer than its session may be silent is closed")
  ),
  throttled_op_wait_time: knob(
    count,
    "0",
    zookeeper("ms", "a request that has waited longer is answered THROTTLEDOP instead of carried out; 0: it waits")
  )
}

const connectionThrottle = {
  connection_throttle_tokens: knob(
    count,
    "0",
    zookeeper("tokens", "size of the bucket that each new or renewed session takes from; 0: no limit")
  ),
  connection_throttle_fill_time: knob(positive, "1", zookeeper("ms", "how often tokens come back")),
  connection_throttle_fill_count: knob(positive, "1", zookeeper("tokens", "how many come back each time")),
  connection_throttle_freeze_time: knob(
    whole(-1, INT),
    "-1",
    zookeeper("ms", "how often the chance of being turned away is adapted; -1: there is none")
  ),
  connection_throttle_drop_increase: knob(
    fraction,
    "0.02",
    zookeeper("probability", "by how much that chance rises while the bucket is empty")
  ),
  connection_throttle_drop_decrease: knob(
    fraction,
    "0.002",
    zookeeper("probability", "by how much it falls while the bucket is full enough")
  ),
  connection_throttle_decrease_ratio: knob(
    fraction,
    "0",
    zookeeper("part", "of the bucket that may be gone while it counts as full enough")
  ),
  connection_throttle_weight_enabled: knob(
    flag,
    "false",
    zookeeper("true or false", "sessions take tokens by their kind, not one each")
  ),
  connection_throttle_global_session_weight: knob(positive, "3", zookeeper("tokens", "for a new global session")),
  connection_throttle_local_session_weight: knob(positive, "1", zookeeper("tokens", "for a new local session")),
  connection_throttle_renew_session_weight: knob(positive, "2", zookeeper("tokens", "for a session that comes back"))
}

export const doorKnobs = { ...limits, ...connectionThrottle }
