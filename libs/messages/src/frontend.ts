/** frontend ⇄ session: the frontend dials `session.<sid>`; one link carries all of its client connections. */
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { Identity, Resume, Role, Stats } from "./common.ts"
import type { FiredWatch, TraceContext } from "./trace.ts"

/** One client request, still in the memory in which it came from the socket: [start, end) is its body, after xid and type. */
export class ClientRequest {
  readonly conn: number
  readonly xid: number
  readonly op: number
  readonly buffer: Uint8Array
  readonly start: number
  readonly end: number
  /** undefined unless it is sampled. */
  trace: TraceContext | undefined

  constructor(
    conn: number,
    xid: number,
    op: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    trace?: TraceContext | undefined
  ) {
    this.conn = conn
    this.xid = xid
    this.op = op
    this.buffer = buffer
    this.start = start
    this.end = end
    this.trace = trace
  }
}

/** What an operator may ask a peer. `reset`: its counts and measurements begin anew. */
export type OperatorQuestion = "stats" | "watches" | "sessions" | "digests" | "acl" | "checkpoint" | "reset"

export type FrontendToSession =
  /** A client's ConnectRequest. `conn` is the frontend's own number for the socket, never used again. */
  | {
      readonly _tag: "Connect"
      readonly conn: number
      /** 0: a new session. */
      readonly sessionId: SessionId
      /** For a new session 16 fresh random bytes, else what the client presents. */
      readonly password: Uint8Array
      /** As the client asks; the session service clamps it. */
      readonly timeoutMs: number
      readonly lastZxidSeen: Zxid
      readonly readOnly: boolean
      readonly identity: Identity
      /** The client is there already, and is not told that it has another peer now. */
      readonly resume?: Resume | undefined
      readonly trace?: TraceContext | undefined
    }
  /** The connection has proved another id (auth, SASL): holds for requests that come after. */
  | { readonly _tag: "Identify"; readonly conn: number; readonly identity: Identity }
  | {
      readonly _tag: "Requests"
      readonly requests: ReadonlyArray<ClientRequest>
      /** At least one of them is sampled. */
      readonly isSampled?: true
    }
  /** The client's socket has gone; the session itself lives on until it is closed or expires. */
  | { readonly _tag: "Disconnected"; readonly conn: number }
  | { readonly _tag: "Query"; readonly id: number; readonly name: OperatorQuestion }

/** Whole reply and notification frames for one connection, in the order in which they leave. */
export interface Reply {
  readonly conn: number
  readonly bytes: Uint8Array
  /** How many requests it answers (notifications answer none): the frontend's count of what is outstanding. */
  readonly answers: number
}

export type SessionToFrontend =
  /** First on a link, and whenever it changes: whether new connections are welcome here, and what the peer is. */
  | {
      readonly _tag: "Status"
      readonly serving: boolean
      readonly role: Role
      readonly epoch: number
      readonly zxid: Zxid
      /** Only those are welcome who want to read and no more: there is no leader. */
      readonly readOnly?: boolean
      /** It leads, and is to serve clients only as long as no other peer does. */
      readonly leadsOnly?: boolean
    }
  /** Who the ensemble is, as `/zookeeper/config` has it at that peer: after the first Status, and whenever it has changed. */
  | { readonly _tag: "Configuration"; readonly text: string }
  | {
      readonly _tag: "Connected"
      readonly conn: number
      readonly sessionId: SessionId
      readonly password: Uint8Array
      readonly timeoutMs: number
      readonly readOnly: boolean
      /** The zxid that made this the session's live connection. */
      readonly connection: Zxid
      /** After `resume`: the last numbered request of that connection that is in the log; the replies due for it follow. */
      readonly logged?: number | undefined
    }
  /** expired: answer with the 0/0 ConnectResponse, then close. The others close without a word, as ZooKeeper does. */
  | {
      readonly _tag: "Refused"
      readonly conn: number
      readonly reason: "expired" | "ahead" | "notServing" | "readOnly" | "moved"
    }
  | { readonly _tag: "Replies"; readonly replies: ReadonlyArray<Reply> }
  /** After the notifications themselves: which of them are traced. */
  | { readonly _tag: "Fired"; readonly watches: ReadonlyArray<FiredWatch> }
  /**
   * Flush what was sent before, then close the socket; unless it is the peer that has failed (`elsewhere`), and another
   * one may go on with the client.
   */
  | { readonly _tag: "Close"; readonly conn: number; readonly reason: string; readonly elsewhere?: boolean }
  | { readonly _tag: "Answer"; readonly id: number; readonly stats: Stats }
