/** What goes into a peer's core and what comes out of it, all of it data. */
import type {
  BroadcastToElection,
  BroadcastToZnode,
  ElectionToBroadcast,
  FanOut,
  LeaderToLearner,
  LearnerToLeader,
  ZnodeToBroadcast
} from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import type { StoredMembership } from "./membership.ts"

/** A link's name between core and shell; never used again in the life of a peer. */
export type LinkId = number

export interface PeerConfig {
  readonly sid: Sid
  /** Those that count in quorums. A peer that is not among them observes. */
  readonly voters: ReadonlyArray<Sid>
  /** The ensemble's configuration as this peer's operator wrote it (`voters` are its); one that was agreed on is newer. */
  readonly configuration?: string | undefined
  /** The configuration may be changed while serving: the first leader gives it a version. */
  readonly reconfigurable?: boolean | undefined
  readonly tickTimeMs: number
  /** In ticks: how long discovery and synchronisation may go without progress. */
  readonly initLimit: number
  /** How long a leader waits for the epochs that a quorum has accepted, ms; undefined: as long as a quorum may come. */
  readonly maxEpochWaitMs?: number | undefined
  /** In ticks: how long an established link may be silent, and a proposal unacknowledged. */
  readonly syncLimit: number
  /** Transactions kept in the log behind the checkpoint; 0 keeps all. */
  readonly logRetain: number
  /** How much of the recent history is kept in memory, for learners that lag and for the znode. */
  readonly windowBytes: number
  /** Unacknowledged bytes of synchronisation per learner. */
  readonly syncWindowBytes: number
  /** Committed but un-applied bytes handed to the znode. */
  readonly znodeWindowBytes: number
  /** About how much one read of the log returns. */
  readonly readBytes: number
  /** What queued while an append was in flight is joined up to this size. */
  readonly appendBytes: number
  /** The last counter of an epoch. */
  readonly counterLimit: number
  /** As a leader, give every learner the checkpoint, even one that the log would do for. */
  readonly forceSnapshotSync?: boolean | undefined
  /** How many learners are brought up to date at a time, by checkpoint and by log: more may be only if they vote. */
  readonly maxSnapSyncs?: number | undefined
  readonly maxDiffSyncs?: number | undefined
  /** How long a learner that has not reached its leader waits before it tries again, ms; 0: until the next tick. */
  readonly redialMs?: number | undefined
  /** What an observer that has lost its leader draws: how long before it looks for one, and before it dials that, ms. */
  readonly observerDelays?: ObserverDelays | undefined
}

export interface ObserverDelays {
  readonly election: () => number
  readonly reconnect: () => number
}

/** Where the log store stands at the start (`Recovered` of the store, without its Effect). */
export interface RecoveredLog {
  readonly acceptedEpoch: number
  readonly currentEpoch: number
  readonly checkpoint: Zxid
  readonly floor: Zxid
  readonly last: Zxid
  /** The log that this peer had was lost: it votes again once it has everything from an established leader. */
  readonly rebuilding?: boolean
  /** What was stored last by `SetConfiguration`; the proposed one only if the log has it. */
  readonly configuration?: StoredMembership | undefined
}

/**
 * What changes the log or the epochs. The shell carries these out strictly one after another and reports each with
 * `Stored`, `Truncated`: the very object comes back, so a completion is never taken for another one's.
 */
export type WriteOp =
  | { readonly _tag: "Append"; readonly batch: TxnBatch }
  | { readonly _tag: "SetAcceptedEpoch"; readonly epoch: number }
  | { readonly _tag: "SetCurrentEpoch"; readonly epoch: number }
  /** Who votes; comes before the append of what it is about. */
  | { readonly _tag: "SetConfiguration"; readonly membership: StoredMembership }
  /** Drop everything after the largest zxid that is at or before this one; `Truncated` says which that was. */
  | { readonly _tag: "Truncate"; readonly zxid: Zxid }
  | { readonly _tag: "Restore"; readonly zxid: Zxid }
  | { readonly _tag: "RestoreChunk"; readonly bytes: Uint8Array }
  | { readonly _tag: "RestoreCommit"; readonly zxid: Zxid }
  /** What the log had lost is here again: from now on this peer votes. */
  | { readonly _tag: "SetRebuilt" }
  /** Forget the restore that has begun, if any. */
  | { readonly _tag: "RestoreAbort" }

/** What only reads, or drops what is old. Also one after another, but beside the writes. */
export type ReadOp =
  /** The last zxid at or before this one. */
  | { readonly _tag: "Find"; readonly zxid: Zxid }
  | { readonly _tag: "Read"; readonly after: Zxid; readonly maxBytes: number }
  | { readonly _tag: "OpenSnapshot"; readonly link: LinkId }
  | { readonly _tag: "ReadSnapshot"; readonly link: LinkId }
  | { readonly _tag: "CloseSnapshot"; readonly link: LinkId }
  | { readonly _tag: "Purge"; readonly zxid: Zxid }

export type Input =
  | { readonly _tag: "ElectionOpened" }
  | { readonly _tag: "ElectionBroken" }
  | { readonly _tag: "FromElection"; readonly message: ElectionToBroadcast }
  | { readonly _tag: "LearnerOpened"; readonly link: LinkId }
  | { readonly _tag: "FromLearner"; readonly link: LinkId; readonly message: LearnerToLeader }
  | { readonly _tag: "LearnerBroken"; readonly link: LinkId; readonly detail: string }
  | { readonly _tag: "LeaderOpened"; readonly link: LinkId }
  | { readonly _tag: "FromLeader"; readonly link: LinkId; readonly message: LeaderToLearner }
  | { readonly _tag: "LeaderBroken"; readonly link: LinkId; readonly detail: string }
  | { readonly _tag: "FromFanOut"; readonly message: FanOut }
  /** Something published is certain not to have left. */
  | { readonly _tag: "FanOutLost" }
  | { readonly _tag: "ZnodeOpened"; readonly link: LinkId }
  | { readonly _tag: "FromZnode"; readonly link: LinkId; readonly message: ZnodeToBroadcast }
  | { readonly _tag: "ZnodeBroken"; readonly link: LinkId }
  | { readonly _tag: "Stored"; readonly op: WriteOp }
  | { readonly _tag: "Truncated"; readonly op: WriteOp; readonly kept: Zxid | undefined }
  | { readonly _tag: "Found"; readonly op: ReadOp; readonly zxid: Zxid | undefined }
  | { readonly _tag: "Read"; readonly op: ReadOp; readonly batches: ReadonlyArray<TxnBatch> }
  | { readonly _tag: "SnapshotOpened"; readonly op: ReadOp; readonly zxid: Zxid }
  | { readonly _tag: "SnapshotRead"; readonly op: ReadOp; readonly bytes: Uint8Array; readonly last: boolean }
  | { readonly _tag: "Purged"; readonly op: ReadOp; readonly floor: Zxid }
  | { readonly _tag: "Tick" }
  /** `Linger` was asked for and its time has passed. */
  | { readonly _tag: "Lingered" }

/** Carried out in order. What is sent or published before a Write does not wait for it. */
export type Output =
  | { readonly _tag: "Write"; readonly op: WriteOp }
  | { readonly _tag: "Read"; readonly op: ReadOp }
  | { readonly _tag: "Publish"; readonly message: FanOut }
  | { readonly _tag: "ToLearner"; readonly link: LinkId; readonly message: LeaderToLearner }
  | { readonly _tag: "BreakLearner"; readonly link: LinkId; readonly detail: string }
  | { readonly _tag: "DialLeader"; readonly link: LinkId; readonly leader: Sid }
  | { readonly _tag: "ToLeader"; readonly link: LinkId; readonly message: LearnerToLeader }
  | { readonly _tag: "BreakLeader"; readonly link: LinkId; readonly detail: string }
  | { readonly _tag: "ToZnode"; readonly link: LinkId; readonly message: BroadcastToZnode }
  | { readonly _tag: "BreakZnode"; readonly link: LinkId; readonly detail: string }
  | { readonly _tag: "ToElection"; readonly message: BroadcastToElection }
  /**
   * A commit waits to be told, or an append to be made, along with what comes next, or a delivery until what is said has
   * left: say `Lingered` in a moment, or as soon as it has.
   */
  | { readonly _tag: "Linger"; readonly with: "commit" | "append" | "delivery" }
  /** For the operator: why a peer looks again, why a link was broken. */
  | { readonly _tag: "Note"; readonly text: string }

export type Phase = "discovery" | "synchronization" | "broadcast"
