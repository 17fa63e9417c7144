/**
 * What ZooKeeper knows and this system does not act on. Such a key is accepted, so that a zoo.cfg can be used as it is,
 * and reported once.
 */

export interface Foreign {
  readonly keys: ReadonlyArray<string>
  readonly why: string
}

/** A key that ends in `*` stands for all that begin so; `N` stands for a number. */
export const IGNORED: ReadonlyArray<Foreign> = [
  {
    why: "peers meet over the bus: nats.tls.ca has it speak TLS",
    keys: ["sslQuorum", "portUnification", "ssl.quorum.*"]
  },
  {
    why: "peers meet over the bus: nats.user, nats.token or nats.tls.cert prove who they are",
    keys: ["quorum.auth.*"]
  },
  {
    why: "Kerberos is not spoken: clients prove who they are by SASL's DIGEST-MD5 or by a certificate",
    keys: ["kerberos.*", "letAnySaslUserDoX"]
  },
  {
    why: "the server.N lines say who votes",
    keys: ["peerType"]
  },
  {
    why: "the leader checks every write before it takes a zxid of its own",
    keys: ["enableEagerACLCheck"]
  },
  {
    why: "TLS is Node's (OpenSSL), not a Java provider's",
    keys: ["fips-mode", "ssl.*"]
  },
  {
    why: "a request that waits is looked at as soon as there is room, and is gone with its connection",
    keys: ["request_throttle_stall_time", "request_throttle_drop_stale", "request_stale_connection_check"]
  },
  {
    why: "what clients may send is all that jute.maxbuffer limits: what is in the log, or comes from a peer, is read whole",
    keys: ["jute.maxbuffer.extrasize"]
  },
  {
    why: "there is one checkpoint, and behind it the log that log.retain says",
    keys: ["autopurge.snapRetainCount"]
  },
  {
    why: "a learner is given what it lacks of the log, as far back as log.retain goes (broadcast.windowBytes of it from memory)",
    keys: ["snapshotSizeFactor", "commitLogCount"]
  },
  {
    why: "a checkpoint is written every checkpoint.intervalMs, or snapCount transactions",
    keys: ["snapSizeLimitInKb"]
  },
  {
    why: "a data directory that is not there is made",
    keys: ["datadir.autocreate"]
  },
  {
    why: "whoever does not reach its leader in five tries, or in two ticks, looks for one again",
    keys: ["connectToLearnerMasterLimit"]
  },
  {
    why: "the log and the checkpoint are tables of the peer's Postgres",
    keys: ["dataLogDir", "preAllocSize", "txnLogSizeLimitInKb", "snapshot.*", "serializeLastProcessedZxid.enabled"]
  },
  {
    why: "every acknowledged write is durable before its acknowledgement, and what has queued leaves together",
    keys: ["forceSync", "flushDelay", "maxWriteQueuePollTime", "maxBatchSize"]
  },
  {
    why: "peers meet over the bus, not over sockets of their own",
    keys: [
      "observerMasterPort",
      "observerMaster.sizeLimit",
      "quorumListenOnAllIPs",
      "multiAddress.*",
      "quorum.cnxn.threads.size",
      "cnxTimeout",
      "quorumCnxnTimeoutMs",
      "electionPortBindRetry",
      "tcpKeepAlive",
      "leader.nodelay",
      "follower.nodelay",
      "learner.asyncSending",
      "learner.closeSocketAsync",
      "leader.closeSocketAsync",
      "messageTracker.*"
    ]
  },
  {
    why: "there are no thread pools, JVM or Java classes here",
    keys: [
      "commitProcessor.*",
      "nio.*",
      "netty.*",
      "serverCnxnFactory",
      "watchManagerName",
      "watcherCleanThreadsNum",
      "watcherCleanThreshold",
      "watcherCleanIntervalInSeconds",
      "maxInProcessingDeadWatchers",
      "bitHashCacheSize",
      "intBufferStartingSizeBytes",
      "maxResponseCacheSize",
      "maxGetChildrenResponseCacheSize",
      "metricsProvider.*",
      "pathStats.*",
      "forward_learner_requests_to_commit_processor_disabled",
      "follower.skipLearnerRequestToNextProcessor",
      "request_throttler.shutdownTimeout"
    ]
  },
  {
    why: "always on here",
    keys: ["digest.enabled", "closeSessionTxn.enabled", "electionAlg"]
  },
  {
    why: "not offered by this version",
    keys: [
      "authProvider.*",
      "emulate353TTLNodes",
      "admin.*",
      "audit.impl.class",
      "oraclePath",
      "ensembleAuthName",
      "cluster.*"
    ]
  }
]

/** Why a key that is ZooKeeper's has no effect here; undefined if ZooKeeper does not know it either. */
export const foreign = (key: string): string | undefined =>
  IGNORED.find((entry) => entry.keys.some((pattern) => matches(pattern, key)))?.why

const matches = (pattern: string, key: string): boolean => {
  if (pattern.endsWith("*")) return key.startsWith(pattern.slice(0, -1))
  if (pattern.endsWith(".N")) return key.startsWith(pattern.slice(0, -1)) && /^\d+$/.test(key.slice(pattern.length - 1))
  return key === pattern
}
