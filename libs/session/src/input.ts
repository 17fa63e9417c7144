import type {
  AppliedTxn,
  FrontendToSession,
  PrepareToSession,
  Role,
  SessionToFrontend,
  SessionToPrepare,
  SessionToZnode,
  Stats,
  WriteRequest,
  ZnodeToSession
} from "@zkmesh/messages"
import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"
import type { EventType } from "@zkmesh/protocol"
import type { MayRead } from "./watchers.ts"

export interface SessionOptions {
  readonly sid: Sid
  readonly tickTimeMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** How long clients are kept waiting without a leader. */
  readonly giveUpMs: number
  /** Random, below 2^45: connections are numbered from here on, within the peer's own part of the numbers. */
  readonly firstToken: number
  readonly mayRead: MayRead
  /** Sessions begin without the ensemble (`localSessionsEnabled`). Default: no. */
  readonly localSessions?: boolean
  /** They become the ensemble's when they are to own an ephemeral node (`localSessionsUpgradingEnabled`). Default: no. */
  readonly localSessionsUpgrading?: boolean
  /** 16 random bytes: of the session in whose name local ones write. */
  readonly housePassword?: Uint8Array
  /** From when on, without a leader, clients are served that only want to read; undefined: never. */
  readonly readOnlyAfterMs?: number | undefined
  /** False: while this peer leads, clients are served by others, if there are any (`leaderServes=no`). Default: true. */
  readonly leaderServes?: boolean
  /** Hears how many watches an event has fired. */
  readonly onFired?: ((type: EventType, count: number) => void) | undefined
  /** For an audit: hears what each write of a client of this peer's has become, and what went with a session. */
  readonly onWritten?: ((request: WriteRequest, txn: AppliedTxn) => void) | undefined
  readonly onEnded?: ((session: SessionId, events: AppliedTxn["events"]) => void) | undefined
  /** What the service has measured, for an operator who asks; and when that begins anew. */
  readonly figures?: (() => Stats) | undefined
  readonly onReset?: (() => void) | undefined
}

/** What happens to the core. Links are named by their ids; those of the peer's own znode and of prepare are one each. */
export type SessionInput =
  | { readonly _tag: "FrontendOpened"; readonly link: string }
  | { readonly _tag: "FromFrontend"; readonly link: string; readonly messages: ReadonlyArray<FrontendToSession> }
  | { readonly _tag: "FrontendBroken"; readonly link: string }
  | { readonly _tag: "FromZnode"; readonly messages: ReadonlyArray<ZnodeToSession> }
  /** The stream has ended, so watches and order are lost: every connection ends with it. */
  | { readonly _tag: "StreamBroken" }
  /** The way to the leader's znode is open (or open again); what is pending goes there. */
  | { readonly _tag: "PrepareOpened" }
  | { readonly _tag: "FromPrepare"; readonly messages: ReadonlyArray<PrepareToSession> }
  | { readonly _tag: "PrepareBroken" }
  /** Another peer's session service has heard from these (to the leader). */
  | { readonly _tag: "Touched"; readonly sessions: ReadonlyArray<SessionId> }
  /** The way to the leader's session service is open, or not. */
  | { readonly _tag: "ExpiryLink"; readonly open: boolean }
  /** Twice per tickTime. */
  | { readonly _tag: "Tick" }

/** What the shell owes, in this order: reads go before writes, so that no read can be overtaken by what came after it. */
export interface SessionOutput {
  readonly toZnode: ReadonlyArray<SessionToZnode>
  readonly toPrepare: ReadonlyArray<SessionToPrepare>
  /** Sessions to report to the leader. */
  readonly touch: ReadonlyArray<SessionId> | undefined
  readonly toFrontends: ReadonlyArray<{ readonly link: string; readonly messages: ReadonlyArray<SessionToFrontend> }>
  /** Watches that sampled transactions have fired. */
  readonly fired?: ReadonlyArray<Fired>
}

/** Where writes go: the shell keeps a prepare link open to exactly this leader in exactly this epoch. */
export interface Leader {
  readonly sid: Sid
  readonly epoch: number
}

/** A watch that a sampled transaction has fired. */
export interface Fired {
  readonly zxid: Zxid
  readonly type: EventType
  readonly path: string
  /** Who is told, and by which of a frontend's connections. */
  readonly session: SessionId
  readonly link: string
  readonly conn: number
}

export type { Role }
