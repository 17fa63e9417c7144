import type {
  ClientRequest,
  Identity,
  Reply,
  Resume,
  SessionToFrontend,
  TraceContext,
  WriteRequest
} from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { Fifo } from "./fifo.ts"
import type { Standalone } from "./standalone.ts"

/** A frontend's link, and what is owed to it: what opens connections, then replies, then what closes them. */
export class Frontend {
  readonly link: string
  readonly connections = new Map<number, Connection>()
  private first: Array<SessionToFrontend> = []
  private replies: Array<Reply> = []
  private last: Array<SessionToFrontend> = []

  constructor(link: string) {
    this.link = link
  }

  /** Connected, Refused, Status, Answer: nothing of their connection can be under way before them. */
  open(message: SessionToFrontend): void {
    this.first.push(message)
  }

  reply(conn: number, bytes: Uint8Array, answers: number): void {
    this.replies.push({ conn, bytes, answers })
  }

  /** Close: nothing of its connection comes after it. */
  close(message: SessionToFrontend): void {
    this.last.push(message)
  }

  take(): ReadonlyArray<SessionToFrontend> | undefined {
    const { first, replies, last } = this
    if (first.length + replies.length + last.length === 0) return undefined
    if (replies.length > 0) first.push({ _tag: "Replies", replies })
    for (const message of last) first.push(message)
    this.first = []
    this.replies = []
    this.last = []
    return first
  }
}

/** What a connection asked for when it came, until its session is there: asked again of each new leader. */
export interface Opening {
  readonly sessionId: SessionId
  readonly password: Uint8Array
  readonly timeoutMs: number
  readonly lastZxidSeen: Zxid
  /** It is a local session that becomes one of the ensemble's. */
  readonly isUpgrade?: true
  /** The client goes on from another connection. */
  readonly resume?: Resume | undefined
  /** undefined unless it is sampled. */
  readonly trace?: TraceContext | undefined
}

export class Connection {
  readonly conn: number
  /** The ensemble-wide number of this connection, by which its createSession or attachSession is recognised. */
  token: number
  identity: Identity
  /** undefined once the client has gone: what is still pending then is finished for the session's sake alone. */
  frontend: Frontend | undefined
  opening: Opening | undefined
  /** 0 until the session is there. */
  session: SessionId = 0
  /** The zxid that made this the session's live connection. */
  connection: Zxid = 0
  seq = 0
  /** Writes on their way through the log, oldest first. */
  readonly pending = new Fifo<WriteRequest>()
  /**
   * Reads that the znode does right after one of `pending`, oldest first; those that are answered here when their turn
   * comes are there as the requests that they are.
   */
  readonly parked = new Fifo<ClientRequest | undefined>()
  /** How many reads have gone to the znode, and how many of them are answered. */
  readsSent = 0
  readsAnswered = 0
  /** For each of its writes on their way: how many reads come before it. */
  readonly readsBefore = new Fifo<number>()
  /** Its number in the watch table; -1 as long as it watches nothing. */
  watcher = -1
  /** From when its session is there until another peer takes that over: only then may it ask for anything. */
  live = false
  /** It has asked for the end of its session: what it says behind that is not heard. */
  isEnding = false
  /** undefined if its session is one of the ensemble's, and it can write. */
  standalone: Standalone | undefined
  /** The last round of touches that it was part of. */
  heardIn = -1

  constructor(
    frontend: Frontend | undefined,
    conn: number,
    token: number,
    identity: Identity,
    opening: Opening | undefined
  ) {
    this.frontend = frontend
    this.conn = conn
    this.token = token
    this.identity = identity
    this.opening = opening
  }
}
