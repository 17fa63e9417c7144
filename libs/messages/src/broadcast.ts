/** broadcast's neighbours: its own peer's znode (which dials it) and the other peers' broadcasts. */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import type { RoleChange, Stats } from "./common.ts"
import type { TraceContext, TracedTxn } from "./trace.ts"

export interface TreeDigest {
  readonly zxid: Zxid
  readonly digest: number
}

// znode ⇄ broadcast: the znode dials `broadcast.<sid>`.

export type ZnodeToBroadcast =
  /**
   * First on a link: the tree is loaded up to `applied`, and its next checkpoint builds on the one at `checkpoint`. What is
   * committed after `applied` follows.
   */
  | { readonly _tag: "Hello"; readonly applied: Zxid; readonly checkpoint: Zxid }
  /** Prepared in `epoch`; the leader's broadcast proposes it as it is. */
  | {
      readonly _tag: "Propose"
      readonly epoch: number
      readonly batch: TxnBatch
      /**
       * The one other peer whose clients wait for it; 0: nobody at another peer does, so that the word of its commit may
       * ride with the next proposal; undefined: several, or who knows.
       */
      readonly waiter?: Sid | undefined
      readonly traces?: ReadonlyArray<TracedTxn> | undefined
    }
  /** Applied so far: opens the window for more; `digest` whenever its zxid's counter is a multiple of 128. */
  | { readonly _tag: "Applied"; readonly zxid: Zxid; readonly digest: TreeDigest | undefined }
  /** A checkpoint at `zxid` is durable: the log before it may be purged. */
  | { readonly _tag: "Checkpointed"; readonly zxid: Zxid }
  /** An operator wants counts and measurements to begin anew. */
  | { readonly _tag: "Reset" }

export type BroadcastToZnode =
  | RoleChange
  /** Committed and durable here; contiguous with what came before. */
  | { readonly _tag: "Committed"; readonly batch: TxnBatch; readonly traces?: ReadonlyArray<TracedTxn> | undefined }
  /** The leader's digest at a zxid that this peer applies or has applied: a difference stops the peer. */
  | { readonly _tag: "Digest"; readonly digest: TreeDigest }
  /** The checkpoint tables have been replaced (SNAP): drop the tree, load it again, and answer with a new Hello. */
  | { readonly _tag: "Reload"; readonly zxid: Zxid }
  /** `/zookeeper/config` as it is before anybody changes it: the first leader's version of the initial configuration. */
  | { readonly _tag: "Configuration"; readonly text: string }
  /** While leading: who is connected and up to date, itself among them. A new configuration needs a quorum of these. */
  | { readonly _tag: "Synced"; readonly sids: ReadonlyArray<Sid> }
  /** Each second: what an operator asks broadcast about (quorum, learners, proposals). */
  | { readonly _tag: "Stats"; readonly stats: Stats }

// learner ⇄ leader: the learner's broadcast dials the leader's. Named as ZooKeeper's packets are.

export type LearnerToLeader =
  | {
      readonly _tag: "FollowerInfo"
      readonly sid: Sid
      readonly acceptedEpoch: number
      readonly observer: boolean
      /** Its log was lost: until it has been synchronised by an established leader nothing that it says is a vote. */
      readonly rebuilding?: true
      /** The version of the newest configuration that it knows to be committed; 0 if there is none. */
      readonly configuration?: Zxid
    }
  /** `counts` is false if this epoch had been accepted before: then it is no vote for the epoch (ZAB, discovery). */
  | { readonly _tag: "AckEpoch"; readonly currentEpoch: number; readonly lastZxid: Zxid; readonly counts: boolean }
  /** The learner lacks the zxid it was told to truncate to, or cannot use a Diff: asks for a snapshot instead. */
  | { readonly _tag: "NeedSnap" }
  /** A chunk of the synchronisation is durable: opens the window for the next. */
  | { readonly _tag: "SyncAck"; readonly bytes: number }
  /** All of the history up to NewLeader is durable, and so is the epoch. */
  | { readonly _tag: "AckNewLeader"; readonly epoch: number }
  /** Everything up to `zxid` is durable here (cumulative). */
  | { readonly _tag: "Ack"; readonly zxid: Zxid }

export type LeaderToLearner =
  | {
      readonly _tag: "LeaderInfo"
      readonly epoch: number
      /** The version of the newest configuration in the leader's log; absent if none has been agreed on. */
      readonly configuration?: Zxid
      readonly trace?: TraceContext | undefined
    }
  | { readonly _tag: "Diff"; readonly after: Zxid }
  /** Drop everything after `zxid`; a Diff from there follows. */
  | { readonly _tag: "Trunc"; readonly zxid: Zxid }
  /** A checkpoint at `zxid` follows in chunks, replacing all that the learner has. */
  | {
      readonly _tag: "Snap"
      readonly zxid: Zxid
      /** The leader's committed configuration: what the learner knows has to cover what it is given. */
      readonly configuration?: string | undefined
    }
  | { readonly _tag: "SnapChunk"; readonly bytes: Uint8Array; readonly last: boolean }
  /** A part of the history, in order. */
  | { readonly _tag: "Sync"; readonly batch: TxnBatch }
  /** The history is complete up to `last`; what comes after it comes by the fan-out. */
  | { readonly _tag: "NewLeader"; readonly epoch: number; readonly last: Zxid }
  /** The leader is established; everything up to `committed` is committed. */
  | {
      readonly _tag: "UpToDate"
      readonly committed: Zxid
      /** The leader's committed configuration, if it has been agreed on. */
      readonly configuration?: string | undefined
    }

  /**
   * The learner's own word is all that a quorum lacks for everything up to `zxid`: it is committed as soon as it is durable
   * there. So the peer whose client is the only one that waits need not wait for its word's way to the leader and back.
   */
  | { readonly _tag: "Suffices"; readonly zxid: Zxid }

/** The fan-out, topic `proposals`: one publish reaches every learner. */
export type FanOut =
  | {
      readonly _tag: "Propose"
      readonly leader: Sid
      readonly epoch: number
      /** The last zxid before this batch: a learner that has not got it has a gap. */
      readonly previous: Zxid
      /** Everything up to here is committed: a commit that rides along. */
      readonly committed: Zxid
      readonly batch: TxnBatch
      /** Voters whose word is not needed: they may write it to the disk with what comes next. */
      readonly spared?: ReadonlyArray<Sid> | undefined
      readonly traces?: ReadonlyArray<TracedTxn> | undefined
    }
  | {
      readonly _tag: "Commit"
      readonly leader: Sid
      readonly epoch: number
      /** Everything up to here is committed. */
      readonly zxid: Zxid
      readonly digest: TreeDigest | undefined
    }
