/** How much clients may ask of a frontend: each limit with ZooKeeper's meaning, and its own default. */

/** ZooKeeper's `request_throttle_*` and `throttled_op_wait_time`. */
export interface RequestThrottle {
  /** Requests of all connections under way, above which the others wait their turn; 0: no such limit. */
  readonly maxRequests: number
  /** A request that has waited longer is answered THROTTLEDOP instead of being carried out; 0: it waits. */
  readonly throttledOpWaitMs: number
  /** A connection is closed if its requests have waited for longer than its session may be silent. */
  readonly dropsStale: boolean
}

/** ZooKeeper's `connection_throttle_*`: a bucket of tokens that handshakes take from, and chance on top of it. */
export interface ConnectionThrottle {
  /** The bucket's size; 0: no limit. */
  readonly tokens: number
  /** Every so many milliseconds … */
  readonly fillMs: number
  /** … so many tokens come back. */
  readonly fillCount: number
  /** How often the probability of being turned away is adapted; -1: never, it stays 0. */
  readonly freezeMs: number
  /** By how much it rises when the bucket is empty, and falls when it is full enough. */
  readonly dropIncrease: number
  readonly dropDecrease: number
  /** "Full enough": at most this part of the bucket is gone. */
  readonly decreaseRatio: number
  /** What a new global session, a new local session and a renewed one take; undefined: one token each. */
  readonly weights: { readonly global: number; readonly local: number; readonly renew: number } | undefined
}

export interface Limits {
  /** Connections per source address; 0: any number. */
  readonly maxClientCnxns: number
  /** Connections in all; 0: any number. */
  readonly maxCnxns: number
  /** What a session without an id will be: the bucket of connections has a price for each kind. */
  readonly newSessions: "global" | "local"
  /** A request of more bytes is a large one; -1: none is. */
  readonly largeRequestThreshold: number
  /** Bytes of large requests under way, beyond which a connection that sends another is closed. */
  readonly largeRequestMaxBytes: number
  readonly requestThrottle: RequestThrottle
  readonly connectionThrottle: ConnectionThrottle
  /** Requests of one connection under way before it is not read from any more: replies may be as many megabytes. */
  readonly maxOutstandingPerConnection: number
  /** The same for the bytes of its requests. */
  readonly maxOutstandingBytesPerConnection: number
  /** Requests under way in the ensemble before no connection is read from; a server's part of them is less (`voters`). */
  readonly maxOutstanding: number
  /** How many servers vote, as far as it is known at the start: each but one has an equal part of `maxOutstanding`. */
  readonly voters: number
  readonly maxOutstandingBytes: number
  /** Bytes of replies that requests under way may bring, as far as earlier replies tell: fewer are asked for at once. */
  readonly replyBytesPerConnection: number
  /** Replies and events that a client has not taken: beyond this it has to take some of them, or is disconnected. */
  readonly maxUnsentBytes: number
}

export const DEFAULT_LIMITS: Limits = {
  maxClientCnxns: 60,
  maxCnxns: 0,
  newSessions: "global",
  largeRequestThreshold: -1,
  largeRequestMaxBytes: 100 * 2 ** 20,
  requestThrottle: { maxRequests: 0, throttledOpWaitMs: 0, dropsStale: false },
  connectionThrottle: {
    tokens: 0,
    fillMs: 1,
    fillCount: 1,
    freezeMs: -1,
    dropIncrease: 0.02,
    dropDecrease: 0.002,
    decreaseRatio: 0,
    weights: undefined
  },
  maxOutstandingPerConnection: 256,
  maxOutstandingBytesPerConnection: 16 * 2 ** 20,
  maxOutstanding: 100_000,
  voters: 1,
  maxOutstandingBytes: 256 * 2 ** 20,
  replyBytesPerConnection: 16 * 2 ** 20,
  maxUnsentBytes: 64 * 2 ** 20
}
