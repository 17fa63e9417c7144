/** session ⇄ its own peer's znode: the session dials `znode.<sid>`; reads go up, the peer's one ordered stream comes down. */

import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { Acl, EventType } from "@zkmesh/protocol"
import type { Identity, RoleChange, SessionRecord, Stats } from "./common.ts"
import type { ClientRequest } from "./frontend.ts"
import type { TracedAnswer, TracedTxn } from "./trace.ts"

/** A batch of requests that change nothing: reads, pings, watch registrations. `identities[i]` belongs to `requests[i]`. */
export type SessionToZnode =
  | {
      readonly _tag: "Reads"
      readonly requests: ReadonlyArray<ClientRequest>
      readonly identities: ReadonlyArray<Identity>
      /** Parallel to `requests`: whose they are (getEphemerals answers about a session). */
      readonly sessions: ReadonlyArray<SessionId>
    }
  /**
   * Reads that come after a write of their own session which is still on its way, and maybe before another: each is done
   * right after the transaction (session, seq), with the state that this one leaves. Reads of a connection that is not its
   * session's live one any more are nobody's, and not answered.
   */
  | {
      readonly _tag: "ReadsAfter"
      readonly requests: ReadonlyArray<ClientRequest>
      readonly identities: ReadonlyArray<Identity>
      readonly sessions: ReadonlyArray<SessionId>
      readonly connections: ReadonlyArray<Zxid>
      readonly seqs: ReadonlyArray<number>
    }
  /** An operator asks: for the numbers (if it does not say what), or for who owns which ephemeral nodes. */
  | {
      readonly _tag: "Query"
      readonly id: number
      readonly name?: "stats" | "ephemerals" | "digests" | "acl" | "checkpoint" | "reset" | undefined
    }

export type WatchMode = "data" | "child" | "persistent" | "persistentRecursive"

/** What a read asked to be told about; it is registered as the reply passes by in the stream. */
export interface WatchRegistration {
  /** The read's place in its batch of replies. */
  readonly index: number
  readonly mode: WatchMode
  readonly path: string
}

/** A change as watches see it. For created and deleted the parent's children have changed as well. */
export interface ChangeEvent {
  readonly type: typeof EventType.NodeCreated | typeof EventType.NodeDeleted | typeof EventType.NodeDataChanged
  readonly path: string
  /**
   * The ACL of the changed node (for a deleted one, the one it had) and of its parent: a watcher that may not read it is
   * not told. undefined: everyone may read it, which is by far the most common case and costs nothing.
   */
  readonly acl?: ReadonlyArray<Acl> | undefined
  readonly parentAcl?: ReadonlyArray<Acl> | undefined
}

export interface Resumed {
  /** The last numbered request of the earlier connection that is in the log. */
  readonly logged: number
  /** The replies to those after the last that was answered; undefined if they are not known any more. */
  readonly replies: ReadonlyArray<Uint8Array> | undefined
}

/** A transaction as it passes by: what it changed, and its reply if the request came from this peer. */
export interface AppliedTxn {
  readonly zxid: Zxid
  readonly session: SessionId
  readonly seq: number
  readonly type: number
  /** The whole reply frame; undefined unless the session is this peer's and the request expects one. */
  readonly reply: Uint8Array | undefined
  readonly events: ReadonlyArray<ChangeEvent> | undefined
  /** What it did to the session table. */
  readonly sessionChange:
    | {
        readonly kind: "created" | "attached"
        readonly record: SessionRecord
        /** To the peer that asked for it: it goes on from an earlier connection. */
        readonly resumed?: Resumed | undefined
      }
    | { readonly kind: "closed"; readonly id: SessionId }
    /** The table is a snapshot's now, but for the session that has asked for it: these have ended, these are back. */
    | {
        readonly kind: "restored"
        readonly closed: ReadonlyArray<SessionId>
        readonly opened: ReadonlyArray<SessionRecord>
      }
    | undefined
}

export type ZnodeToSession =
  /** First on a link: the session table and the role as of `zxid`; all that follows is later. */
  | {
      readonly _tag: "Hello"
      readonly zxid: Zxid
      readonly role: RoleChange
      readonly sessions: ReadonlyArray<SessionRecord>
    }
  /** A new role, sent once everything that the role's epoch began with has been applied here. */
  | RoleChange
  /** `/zookeeper/config`: after Hello, unless it is empty, and whenever it has changed. */
  | { readonly _tag: "Configuration"; readonly text: string }
  /** Answers to the oldest reads not yet answered, in their order: frame i is buffer[ends[i-1], ends[i]). */
  | {
      readonly _tag: "ReadReplies"
      readonly zxid: Zxid
      readonly buffer: Uint8Array
      readonly ends: ReadonlyArray<number>
      readonly watches: ReadonlyArray<WatchRegistration> | undefined
      readonly traces?: ReadonlyArray<TracedAnswer> | undefined
    }
  /** Answers to the oldest reads of one connection that were to come after a write of its, in their order. */
  | {
      readonly _tag: "RepliesAfter"
      readonly session: SessionId
      readonly connection: Zxid
      readonly zxid: Zxid
      readonly buffer: Uint8Array
      readonly ends: ReadonlyArray<number>
      readonly watches: ReadonlyArray<WatchRegistration> | undefined
      readonly traces?: ReadonlyArray<TracedAnswer> | undefined
    }
  | {
      readonly _tag: "Applied"
      readonly zxid: Zxid
      readonly txns: ReadonlyArray<AppliedTxn>
      readonly traces?: ReadonlyArray<TracedTxn> | undefined
    }
  | { readonly _tag: "Answer"; readonly id: number; readonly stats: Stats }
