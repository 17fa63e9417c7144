import type { ClientRequest, Identity } from "@zkmesh/messages"
import { ClientRequest as Request } from "@zkmesh/messages"
import { OpCode, Xid } from "@zkmesh/protocol"
import type { Connection, Frontend } from "./connection.ts"
import { kindOf, LOCAL, READ, REFUSED, WRITE } from "./operations.ts"
import type { ReadOrder } from "./readOrder.ts"
import type { ToLeader } from "./toLeader.ts"
import type { Tracking } from "./tracking.ts"

const NOTHING = new Uint8Array(0)

/**
 * The order of requests within a session.
 *
 * A read with no write before it goes to the peer's znode at once; a write goes to the leader, numbered. Writes that
 * follow each other are all under way together. What comes after a read that waits for a write waits with it, writes
 * too: the read has to be done between the two, or the client would see its own future, and the zxids of its replies
 * would go back. When the write passes by in the stream, its reply leaves and the waiting requests go on: reads leave
 * first, so that the znode has them before the leader has the write that came after them.
 */
export class Order {
  private readonly reads: ReadOrder
  private readonly toLeader: ToLeader
  private readonly tracking: Tracking
  private readonly misplaced: (connection: Connection, op: number) => void

  constructor(
    reads: ReadOrder,
    toLeader: ToLeader,
    tracking: Tracking,
    misplaced: (connection: Connection, op: number) => void
  ) {
    this.reads = reads
    this.toLeader = toLeader
    this.tracking = tracking
    this.misplaced = misplaced
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

  /** A write of this connection has been answered: what waited for it goes on. */
  goOn(connection: Connection): void {
    const { waiting, pending } = connection
    for (let next = waiting.peek(); next !== undefined; next = waiting.peek()) {
      const kind = kindOf(next.request.op)
      if (kind !== WRITE && pending.length > 0) return
      waiting.shift()
      if (kind === WRITE) this.toLeader.write(connection, next.request, next.identity)
      else this.read(connection, next.request, next.identity, kind)
    }
  }

  /** The client has gone: nobody waits for its reads, but what it had written before is written all the same. */
  finish(connection: Connection): void {
    const { waiting } = connection
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (kindOf(next.request.op) === WRITE) this.toLeader.write(connection, next.request, next.identity)
    }
  }

  /** False if the request has no place here; its connection is closed then. */
  private accept(connection: Connection, request: ClientRequest, kind: number): boolean {
    if (!connection.live || kind === REFUSED) {
      this.misplaced(connection, request.op)
      return false
    }
    const { pending, waiting, identity } = connection
    if (waiting.length > 0 || (kind !== WRITE && pending.length > 0)) waiting.push({ request, identity })
    else if (kind === WRITE) this.toLeader.write(connection, request, identity)
    else this.read(connection, request, identity, kind)
    return true
  }

  private read(connection: Connection, request: ClientRequest, identity: Identity, kind: number): void {
    if (kind === LOCAL) {
      const stand = new Request(request.conn, Xid.ping, OpCode.ping, NOTHING, 0, 0)
      this.reads.pushLocal(request, stand, identity, connection)
    } else this.reads.push(request, identity, connection)
  }
}
