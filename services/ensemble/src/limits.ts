/** From the configuration to the limits of a frontend. */
import type { Knobs } from "@zkmesh/config"
import type { Limits } from "@zkmesh/service-frontend"

export const limitsOf = (knobs: Knobs): Partial<Limits> => ({
  maxClientCnxns: knobs.maxClientCnxns,
  maxCnxns: knobs.maxCnxns,
  newSessions: knobs.localSessionsEnabled ? "local" : "global",
  largeRequestThreshold: knobs.largeRequestThreshold,
  largeRequestMaxBytes: knobs.largeRequestMaxBytes,
  requestThrottle: {
    maxRequests: knobs.request_throttle_max_requests,
    throttledOpWaitMs: knobs.throttled_op_wait_time,
    dropsStale: knobs.request_stale_latency_check
  },
  connectionThrottle: {
    tokens: knobs.connection_throttle_tokens,
    fillMs: knobs.connection_throttle_fill_time,
    fillCount: knobs.connection_throttle_fill_count,
    freezeMs: knobs.connection_throttle_freeze_time,
    dropIncrease: knobs.connection_throttle_drop_increase,
    dropDecrease: knobs.connection_throttle_drop_decrease,
    decreaseRatio: knobs.connection_throttle_decrease_ratio,
    weights: knobs.connection_throttle_weight_enabled
      ? {
          global: knobs.connection_throttle_global_session_weight,
          local: knobs.connection_throttle_local_session_weight,
          renew: knobs.connection_throttle_renew_session_weight
        }
      : undefined
  },
  maxOutstandingPerConnection: knobs["frontend.maxOutstanding"],
  maxOutstanding: knobs.globalOutstandingLimit
})
