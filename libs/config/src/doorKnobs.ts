/** The knobs of the client's door: how much clients may ask, and how they are held back. */
import * as Schema from "effect/Schema"
import {
  count,
  flag,
  fraction,
  INT,
  knob,
  mapped,
  maybe,
  ours,
  positive,
  text,
  whole,
  words,
  zookeeper
} from "./knob.ts"
import { tlsKnobs } from "./tlsKnobs.ts"

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

const HASHES = ["SHA1", "SHA-1", "SHA256", "SHA-256", "SHA384", "SHA-384", "SHA512", "SHA-512", "SHA3-256", "SHA3-512"]

const authentication = {
  jaasLoginConfig: maybe(
    text,
    mapped("path", "a JAAS file, as for java.security.auth.login.config: the users of its Server section may use SASL")
  ),
  "sasl.users": maybe(words, ours("user:password list", "such users without a file, or beside it")),
  superUser: maybe(words, mapped("list", "SASL users who may do everything, with those of superUser.N")),
  "SASLAuthenticationProvider.superPassword": maybe(text, zookeeper("text", "the password of the SASL user super")),
  sessionRequireClientSASLAuth: knob(
    flag,
    "false",
    zookeeper("true or false", "requests are only taken from clients that have proved themselves by SASL")
  ),
  "enforce.auth.enabled": knob(
    flag,
    "false",
    zookeeper(
      "true or false",
      "requests are only taken from clients that have proved themselves by one of enforce.auth.schemes"
    )
  ),
  "enforce.auth.schemes": maybe(words, zookeeper("list", "of digest, sasl, x509, ip")),
  allowSaslFailedClients: knob(
    flag,
    "false",
    zookeeper("true or false", "who fails to prove itself by SASL may go on as nobody")
  ),
  "DigestAuthenticationProvider.enabled": knob(
    flag,
    "true",
    zookeeper("true or false", "clients may prove themselves by user:password (addauth digest)")
  ),
  "DigestAuthenticationProvider.digestAlg": knob(
    Schema.Literals(HASHES),
    "SHA1",
    zookeeper("choice", "the hash of digest ids; must be the same on every server")
  )
}

const sessions = {
  localSessionsEnabled: knob(
    flag,
    "false",
    zookeeper("true or false", "sessions begin at a peer alone, without a transaction, and cannot own ephemeral nodes")
  ),
  localSessionsUpgradingEnabled: knob(
    flag,
    "false",
    zookeeper("true or false", "such a session becomes the ensemble's when it is to own its first ephemeral node")
  ),
  "readonlymode.enabled": knob(
    flag,
    "false",
    zookeeper(
      "true or false",
      "a peer without a leader for 2 s, or a tick, serves clients that are content with reading"
    )
  )
}

export const doorKnobs = { ...sessions, ...tlsKnobs, ...authentication, ...limits, ...connectionThrottle }
