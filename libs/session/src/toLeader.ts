import type { ClientRequest, Identity, SessionToPrepare } from "@zkmesh/messages"
import { WriteRequest } from "@zkmesh/messages"
import type { SessionId, Sid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import type { Connection } from "./connection.ts"

const NOTHING = new Uint8Array(0)

/**
 * What goes to the leader's znode. Whatever is on its way when the way is lost stays where it belongs (a connection's
 * `pending` or `opening`, the sessions that are closing) and is sent again, in order, once there is a way.
 */
export class ToLeader {
  private readonly sid: Sid
  private isOpen = false
  private opens: Array<SessionToPrepare> = []
  private writes: Array<WriteRequest> = []

  constructor(sid: Sid) {
    this.sid = sid
  }

  lost(): void {
    this.isOpen = false
    this.opens = []
    this.writes = []
  }

  /** There is a way again: everything that has not been answered yet goes first. */
  found(opening: Iterable<Connection>, attached: Iterable<Connection>, closing: Iterable<SessionId>): void {
    this.lost()
    this.isOpen = true
    for (const connection of opening) this.open(connection)
    for (const connection of attached) for (const write of connection.pending) this.writes.push(write)
    for (const session of closing) this.expire(session)
  }

  open(connection: Connection): void {
    if (!this.isOpen) return
    const { sessionId, password, timeoutMs, lastZxidSeen, isUpgrade, resume, trace } = connection.opening!
    const { sid, opens } = this
    opens.push({
      _tag: "Open",
      session: sessionId,
      password,
      timeoutMs,
      lastZxidSeen,
      peer: sid,
      token: connection.token,
      ...(isUpgrade === undefined ? {} : { isUpgrade }),
      ...(resume === undefined ? {} : { resume }),
      ...(trace === undefined ? {} : { trace })
    })
  }

  /** Gives the request its number for ever. */
  write(connection: Connection, request: ClientRequest, identity: Identity): WriteRequest {
    const { session, connection: made } = connection
    const { xid, op, buffer, start, end, trace } = request
    const write = new WriteRequest(session, made, ++connection.seq, xid, op, identity, buffer, start, end, trace)
    connection.pending.push(write)
    connection.readsBefore.push(connection.readsSent)
    if (this.isOpen) this.writes.push(write)
    return write
  }

  /** The ensemble itself closes a session that has been silent for too long. */
  expire(session: SessionId): void {
    if (this.isOpen) this.writes.push(new WriteRequest(session, 0, 0, 0, OpCode.closeSession, [], NOTHING, 0, 0))
  }

  take(): Array<SessionToPrepare> {
    const messages = this.opens
    if (this.writes.length > 0) {
      messages.push({ _tag: "Writes", requests: this.writes })
      this.writes = []
    }
    if (messages.length > 0) this.opens = []
    return messages
  }
}
