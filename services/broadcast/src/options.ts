/** From the service's options to the core's: what is not worth a knob is decided here. */
import { COUNTER_LIMIT } from "@zkmesh/numbers"
import type { PeerConfig } from "@zkmesh/zab"
import type { BroadcastServiceOptions } from "./Broadcast.ts"

const MiB = 1 << 20

export const peerConfig = (options: BroadcastServiceOptions): PeerConfig => {
  const windowBytes = options.windowBytes ?? 32 * MiB
  return {
    sid: options.sid,
    voters: options.voters,
    configuration: options.configuration,
    reconfigurable: options.reconfigEnabled ?? false,
    tickTimeMs: options.tickTimeMs,
    initLimit: options.initLimit,
    syncLimit: options.syncLimit,
    logRetain: options.logRetain ?? 1_000_000,
    windowBytes,
    syncWindowBytes: Math.min(4 * MiB, windowBytes),
    znodeWindowBytes: 8 * MiB,
    readBytes: MiB,
    appendBytes: 4 * MiB,
    counterLimit: COUNTER_LIMIT
  }
}
