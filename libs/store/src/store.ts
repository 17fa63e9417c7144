/**
 * One peer's durable state. Two services of the same peer use it, each through its own part and its own connection:
 * broadcast owns the log and the epochs, znode owns the checkpoint of the tree. Implementations: Postgres (also the
 * embedded one) and memory.
 */
import type { SessionRecord } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { Acl } from "@zkmesh/protocol"
import type { TxnBatch } from "@zkmesh/txn"
import type { Effect, Scope, Stream } from "effect"
import { Context, Data } from "effect"

/** The database could not be reached, or refused, or holds what it must not. Ends the peer, which starts again. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly operation: string
  readonly message: string
  /** What an operator has to see to, or the peer itself: the rows are not what was written, or there is no room. */
  readonly fault?: "corrupt" | "full"
  readonly cause?: unknown
}> {}

/** Who votes, as texts of `/zookeeper/config`. */
export interface StoredConfiguration {
  /** The newest that is known to be committed; undefined: none has been agreed on. */
  readonly committed: string | undefined
  /** One that is in the log and not known to be committed. */
  readonly proposed: string | undefined
}

export interface Recovered {
  readonly acceptedEpoch: number
  readonly currentEpoch: number
  /** The tree as of this zxid is in the checkpoint tables; 0: none yet. */
  readonly checkpoint: Zxid
  /** The log can give everything in (floor, last]. At least one of `floor <= checkpoint` always holds. */
  readonly floor: Zxid
  /** The last logged zxid; the checkpoint's if the log is empty. */
  readonly last: Zxid
  /** The log was set aside, or lost: this peer may not vote before `setRebuilt`. */
  readonly rebuilding?: boolean
  /** Absent if nothing was ever stored. A proposed one that the log does not hold has never been, and is left out. */
  readonly configuration?: StoredConfiguration
}

/** How much room a peer's data takes, bytes. */
export interface StoreSizes {
  readonly log: number
  readonly checkpoint: number
}

/** A writer for a checkpoint that comes from elsewhere (SNAP): all or nothing. */
export interface Restore {
  readonly write: (chunk: Uint8Array) => Effect.Effect<void, StoreError>
  /**
   * Replaces checkpoint and log in one database transaction: afterwards floor = checkpoint = last = its zxid, and no
   * configuration is proposed.
   */
  readonly commit: Effect.Effect<void, StoreError>
}

/** Why a store is set aside, and whether it may be. */
export interface SetAside {
  readonly reason: string
  /**
   * Given what the peer knows of who votes: why the store has to stay as it is, if it does. A proposed configuration may
   * not be in the log, where nobody can look.
   */
  readonly objection: (configuration: StoredConfiguration) => string | undefined
}

/** Broadcast's part: the log and the epochs. Every effect returns once its change is durable. */
export class LogStore extends Context.Service<
  LogStore,
  {
    /** Migrates, takes the peer's lock (a second process with the same sid is refused) and reads where things stand. */
    readonly open: Effect.Effect<Recovered, StoreError, Scope.Scope>
    /** Fails when the database goes away, also while nobody wants anything of it: no client's write need find out. */
    readonly lost: Effect.Effect<never, StoreError>
    /** One round trip, one commit. The caller keeps batches contiguous (`follows`); a hole is a StoreError. */
    readonly append: (batch: TxnBatch) => Effect.Effect<void, StoreError>
    readonly setAcceptedEpoch: (epoch: number) => Effect.Effect<void, StoreError>
    readonly setCurrentEpoch: (epoch: number) => Effect.Effect<void, StoreError>
    readonly setConfiguration: (configuration: StoredConfiguration) => Effect.Effect<void, StoreError>
    /** The store is empty and should not be: as after `setAside`, what was in it has to come from an established leader. */
    readonly setRebuilding: Effect.Effect<void, StoreError>
    /** An established leader has given this peer everything: its log, once set aside, is whole again. */
    readonly setRebuilt: Effect.Effect<void, StoreError>
    /** Drops everything after `zxid`. Fails if the log does not hold `zxid` exactly (or as its floor). */
    readonly truncate: (zxid: Zxid) => Effect.Effect<void, StoreError>
    /** True if `zxid` is a transaction of the log, or its floor. */
    readonly has: (zxid: Zxid) => Effect.Effect<boolean, StoreError>
    /** The last zxid of the log (or its floor) that is <= `zxid`; undefined if the log starts later. */
    readonly lastAtOrBefore: (zxid: Zxid) => Effect.Effect<Zxid | undefined, StoreError>
    /** What follows `after`, about `maxBytes` of it; empty at the end. Batches are trimmed to start after `after`. */
    readonly read: (after: Zxid, maxBytes: number) => Effect.Effect<ReadonlyArray<TxnBatch>, StoreError>
    /**
     * For a store that is corrupt, while nobody has it open: keeps log and checkpoint where an operator finds them (it says
     * where), and leaves an empty store that remembers the epochs, marked `rebuilding`. All or nothing.
     */
    readonly setAside: (request: SetAside) => Effect.Effect<string, StoreError>
    /** What the log and the checkpoint take at this moment, with their indexes. */
    readonly sizes: Effect.Effect<StoreSizes, StoreError>
    /** Drops what is at or before `zxid`, whole batches only; never beyond the checkpoint. Returns the new floor. */
    readonly purge: (zxid: Zxid) => Effect.Effect<Zxid, StoreError>
    /** The checkpoint as it stands (one consistent state, however long it is read), for a SNAP. */
    readonly snapshot: Effect.Effect<
      { readonly zxid: Zxid; readonly chunks: Stream.Stream<Uint8Array, StoreError> },
      StoreError,
      Scope.Scope
    >
    readonly restore: (zxid: Zxid) => Effect.Effect<Restore, StoreError, Scope.Scope>
  }
>()("@zkmesh/store/LogStore") {}

/** A znode as it is stored: the persisted fields of ZooKeeper's Stat, with the internal cversion (count of creations). */
export interface StoredNode {
  readonly path: string
  readonly data: Uint8Array | null
  readonly acl: ReadonlyArray<Acl>
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly pzxid: Zxid
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  /** A session, or 0. */
  readonly ephemeralOwner: SessionId
  /** "persistent" | "ephemeral" | "container" | "ttl" */
  readonly kind: "persistent" | "ephemeral" | "container" | "ttl"
  /** Of a ttl node, ms; else 0. */
  readonly ttlMs: number
}

/** What has changed since the last checkpoint. A store reads the iterables little by little: they must stay as they are. */
export interface CheckpointDelta {
  /** The checkpoint that it builds on; a different one in the database (a SNAP came between) is a StoreError. */
  readonly from: Zxid
  readonly to: Zxid
  /** The tree's digest at `to`, so that a load can be verified. */
  readonly digest: number
  readonly upserted: Iterable<StoredNode>
  readonly deleted: Iterable<string>
  readonly sessions: Iterable<SessionRecord>
  readonly closedSessions: Iterable<SessionId>
}

/** Znode's part: the checkpoint of the tree. */
export class TreeStore extends Context.Service<
  TreeStore,
  {
    /**
     * Migrates if need be; reads the checkpoint whole. Nodes come in batches, parents not necessarily first; until the
     * last one is taken or the scope closes, a connection to the database waits.
     */
    readonly load: Effect.Effect<
      {
        readonly zxid: Zxid
        readonly digest: number
        readonly sessions: ReadonlyArray<SessionRecord>
        readonly nodes: Stream.Stream<ReadonlyArray<StoredNode>, StoreError>
      },
      StoreError,
      Scope.Scope
    >
    /** One database transaction; cost follows the change, not the tree. */
    readonly checkpoint: (delta: CheckpointDelta) => Effect.Effect<void, StoreError>
  }
>()("@zkmesh/store/TreeStore") {}
