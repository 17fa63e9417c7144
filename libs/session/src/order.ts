import type { ClientRequest } from "@zkmesh/messages"
import { ClientRequest as Request } from "@zkmesh/messages"
import { OpCode, Xid } from "@zkmesh/protocol"
import type { Connection, Frontend } from "./connection.ts"
import { kindOf, LOCAL, READ, REFUSED, WRITE } from "./operations.ts"
import type { ReadOrder } from "./readOrder.ts"
import type { ReadsAfter } from "./readsAfter.ts"
import type { Standalone } from "./standalone.ts"
import type { ToLeader } from "./toLeader.ts"
import type { Tracking } from "./tracking.ts"

const NOTHING = new Uint8Array(0)

/**
 * The order of requests within a session.
 *
 * A read with no write before it goes to the peer's znode at once; a write goes to the leader, numbered. Nothing waits
 * here for anything: a read that follows a write which is still on its way goes to the znode as well, which does it
 * right after that write and before the next. So a client can neither miss what it has written nor see its own future,
 * and the zxids of its replies never go back. For that the znode must have the read before the leader has the next
 * write: what is due to the znode leaves first.
 */
export class Order {
  private readonly reads: ReadOrder
  private readonly readsAfter: ReadsAfter
  private readonly toLeader: ToLeader
  private readonly tracking: Tracking
  private readonly misplaced: (connection: Connection, op: number) => void
  private readonly standalone: (connection: Connection, standalone: Standalone, request: ClientRequest) => void

  constructor(
    reads: ReadOrder,
    readsAfter: ReadsAfter,
    toLeader: ToLeader,
    tracking: Tracking,
    misplaced: (connection: Connection, op: number) => void,
    standalone: (connection: Connection, standalone: Standalone, request: ClientRequest) => void
  ) {
    this.reads = reads
    this.readsAfter = readsAfter
    this.toLeader = toLeader
    this.tracking = tracking
    this.misplaced = misplaced
    this.standalone = standalone
  }

  /** The hot path: neighbours in a batch are mostly of one connection, and most have nothing to wait for. */
  take(frontend: Frontend, requests: ReadonlyArray<ClientRequest>): void {
    const { reads } = this
    let connection: Connection | undefined
    let conn = -1
    for (const request of requests) {
      if (request.conn !== conn) {
        conn = request.conn
        connection = frontend.connections.get(conn)
        if (connection !== undefined) this.tracking.hear(connection)
      }
      // Unknown: it was closed from here while the request was on its way.
      if (connection === undefined) continue
      const kind = kindOf(request.op)
      if (kind === READ && connection.pending.length === 0 && connection.live) {
        reads.push(request, connection.identity, connection)
      } else if (!this.accept(connection, request, kind)) connection = undefined
    }
  }

  /** False if the request has no place here; its connection is closed then. */
  private accept(connection: Connection, request: ClientRequest, kind: number): boolean {
    const { standalone } = connection
    if (standalone !== undefined && kind !== REFUSED) {
      this.standalone(connection, standalone, request)
      return true
    }
    if (!connection.live || kind === REFUSED) {
      this.misplaced(connection, request.op)
      return false
    }
    // Prepare would refuse what comes behind closeSession, and that would end the connection before its last replies.
    if (connection.isEnding) return true
    if (kind === WRITE) {
      connection.isEnding = request.op === OpCode.closeSession
      this.toLeader.write(connection, request, connection.identity)
    } else if (connection.pending.length > 0) this.park(connection, request, kind)
    else this.read(connection, request, true)
    return true
  }

  /** A request that nothing of its connection's has to come before. */
  takeOne(connection: Connection, request: ClientRequest): void {
    const kind = kindOf(request.op)
    if (kind === READ && connection.pending.length === 0) this.read(connection, request, false)
    else this.accept(connection, request, kind)
  }

  /** Goes to the znode at once, or a stand-in for what is answered here. */
  read(connection: Connection, request: ClientRequest, isLocal: boolean): void {
    if (isLocal) this.reads.pushLocal(request, standIn(request), connection.identity, connection)
    else this.reads.push(request, connection.identity, connection)
  }

  private park(connection: Connection, request: ClientRequest, kind: number): void {
    const isLocal = kind === LOCAL
    connection.parked.push(isLocal ? request : undefined)
    this.readsAfter.push(isLocal ? standIn(request) : request, connection.identity, connection)
  }
}

/** A ping: keeps a request's place in the znode's stream. */
const standIn = ({ conn, trace }: ClientRequest): ClientRequest =>
  new Request(conn, Xid.ping, OpCode.ping, NOTHING, 0, 0, trace)
