/** What happens to a znode service's core, and what it owes for it: all of it data. */
import type {
  BroadcastToZnode,
  PrepareToSession,
  SessionToPrepare,
  SessionToZnode,
  Stats,
  ZnodeToBroadcast,
  ZnodeToSession
} from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import type { CheckpointDelta } from "@zkmesh/store"
import type { OptionalScheme } from "./acl.ts"
import type { Traffic } from "./traffic.ts"
import type { Tree } from "./tree.ts"

/** A link's name, unique among all. */
export type LinkId = string

export interface ZnodeOptions {
  readonly sid: Sid
  /** Transactions after which a checkpoint is written. */
  readonly snapCount: number
  /** How long a change may go without a checkpoint. */
  readonly checkpointIntervalMs: number
  /** TTL nodes, `zookeeper.extendedTypesEnabled`. */
  readonly extendedTypes: boolean
  /** Hard quotas are kept, `zookeeper.enforceQuota`; default no. */
  readonly enforceQuota?: boolean
  /** How often the leader looks for containers and ttl nodes to delete. */
  readonly containerCheckIntervalMs: number
  /** How many of them it deletes at most each time. */
  readonly containerMaxPerCheck: number
  /** How long a container may wait for its first child; default 0, for ever. */
  readonly containerMaxNeverUsedMs?: number
  /** The membership may be changed, `reconfigEnabled`; default no. */
  readonly reconfigEnabled?: boolean
  /** A lone voter is a server alone, `standaloneEnabled`; default yes. */
  readonly standaloneEnabled?: boolean
  /** Schemes by which nobody can prove anything here, and which no ACL may therefore name; default none. */
  readonly absentSchemes?: ReadonlyArray<OptionalScheme>
  /** Nobody's permissions are checked, `zookeeper.skipACL`; default no. */
  readonly skipAcl?: boolean
  /** Bytes of replies kept for clients that are carried over from another peer; default none. */
  readonly recentReplyBytes?: number
  /** Transactions whose events are kept for the same clients; default none. */
  readonly recentEvents?: number
  /** What the service has measured, for an operator who asks. */
  readonly figures?: (() => Stats) | undefined
  readonly onReset?: (() => void) | undefined
  /** Told of what is read and written; default: nobody counts. */
  readonly traffic?: Traffic | undefined
  /** How much may be prepared and not applied yet. */
  readonly proposalWindowBytes: number
  /** Trees are compared whenever a zxid's counter is a multiple of this, which is the same on all peers. Default: 128. */
  readonly digestEvery?: number
}

export type ZnodeInput =
  | { readonly _tag: "StreamOpened"; readonly link: LinkId }
  | { readonly _tag: "FromStream"; readonly link: LinkId; readonly messages: ReadonlyArray<SessionToZnode> }
  | { readonly _tag: "StreamBroken"; readonly link: LinkId }
  | { readonly _tag: "PrepareOpened"; readonly link: LinkId }
  | { readonly _tag: "FromPrepare"; readonly link: LinkId; readonly messages: ReadonlyArray<SessionToPrepare> }
  | { readonly _tag: "PrepareBroken"; readonly link: LinkId }
  | { readonly _tag: "BroadcastOpened" }
  | { readonly _tag: "FromBroadcast"; readonly messages: ReadonlyArray<BroadcastToZnode> }
  | { readonly _tag: "BroadcastBroken" }
  /** The checkpoint tables have been read again. */
  | { readonly _tag: "Loaded"; readonly tree: Tree }
  | { readonly _tag: "CheckpointWritten" }
  /** It has failed, as one of a tree that has been replaced may. */
  | { readonly _tag: "CheckpointAbandoned" }
  | { readonly _tag: "Tick" }

/** The two clocks: the wall's for what goes into transactions, the monotonic one for intervals. */
export interface Clocks {
  readonly wallMs: number
  readonly nowMs: number
}

export interface ZnodeOutput {
  readonly toBroadcast: ReadonlyArray<ZnodeToBroadcast>
  readonly toStreams: ReadonlyArray<{ readonly link: LinkId; readonly messages: ReadonlyArray<ZnodeToSession> }>
  readonly toPrepare: ReadonlyArray<{ readonly link: LinkId; readonly messages: ReadonlyArray<PrepareToSession> }>
  /** Links to end, whoever dialled them. */
  readonly breaks: ReadonlyArray<{ readonly link: LinkId; readonly detail: string }>
  /** To be written, and `CheckpointWritten` be told; never two at once. Its znodes may be read only once. */
  readonly checkpoint: CheckpointDelta | undefined
  /** The tree is to be loaded again; until `Loaded` there is none. */
  readonly reload: boolean
}
