/** session (any peer) ⇄ the leader's znode: the session dials `znode.<leader>` with the `prepare` protocol; writes go up. */
import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"
import type { Identity, Resume } from "./common.ts"
import type { TraceContext } from "./trace.ts"

/** A request that becomes a transaction. (session, connection, seq) names it for ever. */
export class WriteRequest {
  readonly session: SessionId
  /** The connection that it came by (see `SessionRecord.connection`); 0 when the ensemble itself asks (expiry). */
  readonly connection: Zxid
  /** 1, 2, 3… within the connection, without holes; 0 when the ensemble itself asks. */
  readonly seq: number
  readonly xid: number
  readonly op: number
  readonly identity: Identity
  readonly buffer: Uint8Array
  readonly start: number
  readonly end: number
  /** undefined unless it is sampled. */
  trace: TraceContext | undefined

  constructor(
    session: SessionId,
    connection: Zxid,
    seq: number,
    xid: number,
    op: number,
    identity: Identity,
    buffer: Uint8Array,
    start: number,
    end: number,
    trace?: TraceContext | undefined
  ) {
    this.session = session
    this.connection = connection
    this.seq = seq
    this.xid = xid
    this.op = op
    this.identity = identity
    this.buffer = buffer
    this.start = start
    this.end = end
    this.trace = trace
  }
}

export type SessionToPrepare =
  /** First on a link. A leader's znode that is not there yet waits for `epoch`; one that is past it breaks the link. */
  | { readonly _tag: "Hello"; readonly peer: Sid; readonly epoch: number }
  | { readonly _tag: "Writes"; readonly requests: ReadonlyArray<WriteRequest> }
  /** A createSession (`session` 0) or an attachSession. `token` is the asker's own number for the connection (see `SessionRecord.token`). */
  | {
      readonly _tag: "Open"
      readonly session: SessionId
      readonly password: Uint8Array
      /** Already clamped. */
      readonly timeoutMs: number
      readonly lastZxidSeen: Zxid
      readonly peer: Sid
      readonly token: number
      /** `session` is a local one, and becomes one of the ensemble's. */
      readonly isUpgrade?: true
      /** An attachSession on behalf of a client that goes on where it was. */
      readonly resume?: Resume | undefined
      readonly trace?: TraceContext | undefined
    }

export type PrepareToSession =
  /** Never became a transaction. `token` is set for an Open, (session, connection, seq) for a write. */
  {
    readonly _tag: "Rejected"
    readonly token: number
    readonly session: SessionId
    readonly connection: Zxid
    readonly seq: number
    readonly reason: "expired" | "moved" | "ahead" | "malformed"
  }

/** session (any peer) ⇄ the leader's session, protocol `expiry`: which sessions have been heard from. */
export type SessionToExpiry = { readonly _tag: "Touch"; readonly sessions: ReadonlyArray<SessionId> }
export type ExpiryToSession = never
