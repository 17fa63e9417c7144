import type { ClientRequest, Identity, SessionToZnode } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { Connection } from "./connection.ts"

type Message = Extract<SessionToZnode, { _tag: "ReadsAfter" }>

/** Reads that follow a write of their own connection which is on its way: the znode does each right after that write. */
export class ReadsAfter {
  private requests: Array<ClientRequest> = []
  private identities: Array<Identity> = []
  private sessions: Array<SessionId> = []
  private connections: Array<Zxid> = []
  private seqs: Array<number> = []

  /** After the connection's last write so far. */
  push(request: ClientRequest, identity: Identity, connection: Connection): void {
    this.requests.push(request)
    this.identities.push(identity)
    this.sessions.push(connection.session)
    this.connections.push(connection.connection)
    this.seqs.push(connection.seq)
    connection.readsSent++
  }

  /** What has been pushed since the last call, as one message. */
  take(): Message | undefined {
    if (this.requests.length === 0) return undefined
    const { requests, identities, sessions, connections, seqs } = this
    this.clear()
    return { _tag: "ReadsAfter", requests, identities, sessions, connections, seqs }
  }

  clear(): void {
    this.requests = []
    this.identities = []
    this.sessions = []
    this.connections = []
    this.seqs = []
  }
}
