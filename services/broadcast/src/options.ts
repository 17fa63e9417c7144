/** The service's options, and what they mean to the core: what is not worth a knob is decided here. */
import { COUNTER_LIMIT, type Sid } from "@zkmesh/numbers"
import type { PeerConfig } from "@zkmesh/zab"
import type * as Effect from "effect/Effect"

export interface BroadcastServiceOptions {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
  readonly observers: ReadonlyArray<Sid>
  /** The same as text, as in `/zookeeper/config`; one that the ensemble has agreed on is stronger. */
  readonly configuration?: string | undefined
  /** The membership may be changed (`reconfigEnabled`). Default: no. */
  readonly reconfigEnabled?: boolean
  readonly tickTimeMs: number
  /** Ticks: how long discovery and synchronisation may go without progress. */
  readonly initLimit: number
  /** Ticks: how long an established link may be silent, and a proposal unacknowledged. */
  readonly syncLimit: number
  /** How long a leader waits for the epochs that a quorum has accepted, ms; default: as long as a quorum may come. */
  readonly maxEpochWaitMs?: number | undefined
  /** How long a learner that has not reached its leader waits before it tries again, ms. Default: until the next tick. */
  readonly redialMs?: number
  /** A leader gives every learner the checkpoint, even one that the log would do for. Default: no. */
  readonly forceSnapshotSync?: boolean
  /** How many learners a leader brings up to date at a time, by checkpoint and by log, before observers wait. Default: all. */
  readonly maxSnapSyncs?: number
  readonly maxDiffSyncs?: number
  /** How long an observer that has lost its leader waits at most, by chance, before it looks for one, ms; default 0. */
  readonly observerElectionDelayMs?: number
  /** The same before it dials that. */
  readonly observerReconnectDelayMs?: number
  /** Transactions kept in the log behind the checkpoint; 0 keeps all. */
  readonly logRetain?: number
  /** Recent history kept in memory, bytes. */
  readonly windowBytes?: number
  /**
   * How long a commit that nobody at another peer waits for waits at least, and twice that at most, for a proposal to ride
   * with, ms: 0 not at all, default 1.
   */
  readonly commitLingerMs?: number
  /** How long a voter whose word is not needed may wait for more to append at a time, ms: 0 not at all, default 20. */
  readonly appendLingerMs?: number
  /** Asked when nothing is in the store: whether that is as it should be. Default: it is. */
  readonly mayVoteBlank?: Effect.Effect<boolean>
  /** A commit of the log that takes longer is warned of, ms: default 1000. */
  readonly slowCommitMs?: number
}

const MiB = 1 << 20

type RandomBytes = (size: number) => Uint8Array

/** Anything from 0 to `most`, anew each time. */
const upTo = (most: number, randomBytes: RandomBytes) => (): number =>
  most === 0 ? 0 : (Buffer.from(randomBytes(4)).readUInt32BE() / 2 ** 32) * most

export const peerConfig = (options: BroadcastServiceOptions, randomBytes: RandomBytes): PeerConfig => {
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
    counterLimit: COUNTER_LIMIT,
    maxEpochWaitMs: options.maxEpochWaitMs,
    redialMs: options.redialMs,
    forceSnapshotSync: options.forceSnapshotSync,
    maxSnapSyncs: options.maxSnapSyncs,
    maxDiffSyncs: options.maxDiffSyncs,
    observerDelays: {
      election: upTo(options.observerElectionDelayMs ?? 0, randomBytes),
      reconnect: upTo(options.observerReconnectDelayMs ?? 0, randomBytes)
    }
  }
}
