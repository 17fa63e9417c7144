/**
 * A peer's session service, as a plain object: the clients that are attached here, the order of their requests (see
 * `order.ts`), their watches, and on the leader which sessions have expired.
 *
 * Exactly once. A write stays in `pending` until it passes by in the stream (or is refused). Each time that the way to
 * the leader opens, everything pending is sent again in order; prepare knows by its number what is in the log already.
 */
import type {
  ClientRequest,
  FrontendToSession,
  Identity,
  PrepareToSession,
  RoleChange,
  SessionToZnode,
  Stats,
  WriteRequest,
  ZnodeToSession
} from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { JuteWriter } from "@zkmesh/protocol"
import { Connection, Frontend, type Opening } from "./connection.ts"
import type { SessionInput, SessionOptions, SessionOutput } from "./input.ts"
import { answerLocally } from "./operations.ts"
import { Order } from "./order.ts"
import { Queries } from "./queries.ts"
import { ReadOrder } from "./readOrder.ts"
import { ReadsAfter } from "./readsAfter.ts"
import { StandaloneSessions } from "./standalone.ts"
import { Standing } from "./standing.ts"
import { Stranded } from "./stranded.ts"
import { Stream } from "./stream.ts"
import { ToLeader } from "./toLeader.ts"
import { Tracking } from "./tracking.ts"
import { Watchers } from "./watchers.ts"

const TOKENS_PER_PEER = 2 ** 45

export class SessionCore {
  readonly options: SessionOptions
  readonly writer = new JuteWriter()
  readonly watchers: Watchers
  readonly reads = new ReadOrder()
  private readonly readsAfter = new ReadsAfter()
  readonly tracking: Tracking
  readonly order: Order
  private readonly toLeader: ToLeader
  private readonly stream: Stream
  private readonly queries: Queries
  readonly frontends = new Map<string, Frontend>()
  /** The live connection of each session that is attached here; those whose client has gone, while writes are pending. */
  readonly attached = new Map<SessionId, Connection>()
  /** Connections whose session is not there yet, by token. */
  readonly opening = new Map<number, Connection>()
  /** Those who do without the ensemble. */
  readonly standalone: StandaloneSessions
  readonly stranded = new Stranded((connection, reason) => this.close(connection, reason))
  readonly standing = new Standing(this)
  /** Of clients' writes: how many have passed by, and how often one was the last of its session on its way. */
  readonly writes = { finished: 0, drained: 0 }
  /** The time of the last step. */
  now = 0
  private expiryOpen = false
  private nextToken: number
  private toZnode: Array<SessionToZnode> = []
  private touch: ReadonlyArray<SessionId> | undefined

  constructor(options: SessionOptions) {
    this.options = options
    this.nextToken = options.firstToken % TOKENS_PER_PEER
    this.watchers = new Watchers(options.mayRead, this.writer, options.onFired)
    this.standalone = new StandaloneSessions(this)
    this.tracking = new Tracking(options.tickTimeMs, options.readOnlyAfterMs !== undefined)
    this.toLeader = new ToLeader(options.sid)
    this.order = new Order(
      this.reads,
      this.readsAfter,
      this.toLeader,
      this.tracking,
      (connection, op) =>
        this.close(connection, this.stranded.has(connection) ? "moved" : `request ${op} out of place`),
      (connection, standalone, request) => this.standalone.take(connection, standalone, request)
    )
    this.stream = new Stream(this)
    this.queries = new Queries(this)
  }

  /** `now`: monotonic, milliseconds. */
  step(input: SessionInput, now: number): void {
    this.now = now
    switch (input._tag) {
      case "FrontendOpened": {
        const frontend = new Frontend(input.link)
        this.frontends.set(input.link, frontend)
        for (const message of this.standing.news) frontend.open(message)
        return
      }
      case "FromFrontend": {
        const frontend = this.frontends.get(input.link)
        if (frontend !== undefined) for (const message of input.messages) this.fromFrontend(frontend, message)
        return
      }
      case "FrontendBroken":
        this.frontendBroken(input.link)
        return
      case "FromZnode":
        for (const message of input.messages) this.fromZnode(message, now)
        return
      case "StreamBroken":
        this.streamBroken()
        return
      case "PrepareOpened":
        this.toLeader.found(this.opening.values(), this.attached.values(), this.tracking.closing)
        return
      case "FromPrepare":
        for (const message of input.messages) this.rejected(message)
        return
      case "PrepareBroken":
        this.toLeader.lost()
        return
      case "Touched":
        for (const session of input.sessions) this.tracking.tracker?.touch(session, now)
        return
      case "ExpiryLink":
        this.expiryOpen = input.open
        return
      case "Tick":
        this.tick(now)
        return
    }
  }

  /** Everything that steps have caused since the last call; undefined if nothing. */
  takeOutput(): SessionOutput | undefined {
    const readsAfter = this.readsAfter.take()
    const reads = this.reads.take()
    const toZnode = this.toZnode
    // First those that follow a write: of one connection they are the older ones, if their write has just passed by.
    if (readsAfter !== undefined) toZnode.push(readsAfter)
    if (reads !== undefined) toZnode.push(reads)
    const toPrepare = this.toLeader.take()
    const toFrontends: Array<SessionOutput["toFrontends"][number]> = []
    for (const frontend of this.frontends.values()) {
      const messages = frontend.take()
      if (messages !== undefined) toFrontends.push({ link: frontend.link, messages })
    }
    const touch = this.touch
    if (toZnode.length + toPrepare.length + toFrontends.length === 0 && touch === undefined) return undefined
    this.toZnode = []
    this.touch = undefined
    const fired = this.watchers.takeFired()
    return { toZnode, toPrepare, touch, toFrontends, ...(fired === undefined ? {} : { fired }) }
  }

  /** Ends a connection; its frontend flushes what it was sent before, then closes the socket. */
  close(connection: Connection, reason: string): void {
    connection.frontend?.close({ _tag: "Close", conn: connection.conn, reason })
    this.forget(connection)
  }

  /** It is this peer that can do no more for the connection: another one may. */
  private giveUp(connection: Connection, reason: string): void {
    connection.frontend?.close({ _tag: "Close", conn: connection.conn, reason, elsewhere: true })
    this.forget(connection)
  }

  sendToZnode(message: SessionToZnode): void {
    this.toZnode.push(message)
  }

  // From frontends.

  private fromFrontend(frontend: Frontend, message: FrontendToSession): void {
    switch (message._tag) {
      case "Requests":
        this.order.take(frontend, message.requests)
        return
      case "Connect":
        this.connect(frontend, message)
        return
      case "Identify": {
        const connection = frontend.connections.get(message.conn)
        if (connection !== undefined) connection.identity = message.identity
        return
      }
      case "Disconnected": {
        const connection = frontend.connections.get(message.conn)
        if (connection !== undefined) this.disconnected(connection)
        return
      }
      case "Query":
        this.queries.ask(frontend, message)
        return
    }
  }

  private connect(frontend: Frontend, message: Extract<FrontendToSession, { _tag: "Connect" }>): void {
    if (!this.standing.serving) {
      frontend.open({ _tag: "Refused", conn: message.conn, reason: "notServing" })
      return
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.options
    const timeoutMs = Math.min(Math.max(message.timeoutMs, minSessionTimeoutMs), maxSessionTimeoutMs)
    if (this.standalone.connect(frontend, message, timeoutMs)) return
    const connection = new Connection(frontend, message.conn, this.token(), message.identity, {
      sessionId: message.sessionId,
      password: message.password,
      timeoutMs,
      lastZxidSeen: message.lastZxidSeen,
      resume: message.resume,
      trace: message.trace
    })
    frontend.connections.set(message.conn, connection)
    this.ask(connection)
  }

  private token(): number {
    // Beyond 255 ids are drawn: two peers that share this part begin their counts at random places, far apart.
    const token = (this.options.sid % 256) * TOKENS_PER_PEER + this.nextToken
    this.nextToken = (this.nextToken + 1) % TOKENS_PER_PEER
    return token
  }

  private ask(connection: Connection): void {
    this.opening.set(connection.token, connection)
    this.toLeader.open(connection)
  }

  /** Asks for a session of this service's own. */
  openOwn(opening: Opening): Connection {
    const connection = new Connection(undefined, 0, this.token(), [], opening)
    this.ask(connection)
    return connection
  }

  /** Asks for another session for a connection that has one. */
  openAgain(connection: Connection, opening: Opening): void {
    connection.token = this.token()
    connection.opening = opening
    this.ask(connection)
  }

  /** Writes in the name of another connection's session. */
  writeAs(connection: Connection, request: ClientRequest, identity: Identity): WriteRequest {
    return this.toLeader.write(connection, request, identity)
  }

  get zxid(): Zxid {
    return this.stream.zxid
  }

  /** The client has gone. What it had written before is written all the same. */
  private disconnected(connection: Connection): void {
    connection.frontend?.connections.delete(connection.conn)
    connection.frontend = undefined
    this.watchers.leave(connection)
    this.opening.delete(connection.token)
    if (connection.pending.length === 0) this.forget(connection)
  }

  private frontendBroken(link: string): void {
    const frontend = this.frontends.get(link)
    if (frontend === undefined) return
    this.frontends.delete(link)
    for (const connection of [...frontend.connections.values()]) this.disconnected(connection)
  }

  /** Nothing refers to the connection any more; answers that are still on their way to it find nobody. */
  forget(connection: Connection): void {
    connection.frontend?.connections.delete(connection.conn)
    connection.frontend = undefined
    this.watchers.leave(connection)
    this.opening.delete(connection.token)
    this.stranded.remove(connection)
    this.standalone.forget(connection)
    if (this.attached.get(connection.session) === connection) this.attached.delete(connection.session)
  }

  /** Another connection has this one's session now. */
  strand(connection: Connection, until: number): void {
    this.attached.delete(connection.session)
    this.stranded.add(connection, until)
  }

  // From the leader's znode.

  private rejected(message: PrepareToSession): void {
    if (message.token !== 0) {
      const connection = this.opening.get(message.token)
      if (connection === undefined) return
      const reason = message.reason === "malformed" ? "notServing" : message.reason
      if (connection.standalone === undefined) {
        connection.frontend?.open({ _tag: "Refused", conn: connection.conn, reason })
        this.forget(connection)
        this.standalone.lostHouse(connection)
      } else this.close(connection, "its session cannot become one of the ensemble's")
      return
    }
    if (message.seq === 0) {
      // The session that was to be closed for its silence had been closed already.
      this.tracking.closing.delete(message.session)
      return
    }
    const connection = this.attached.get(message.session)
    if (connection?.connection !== message.connection) return
    this.close(connection, message.reason)
    this.standalone.lostHouse(connection)
  }

  // From the peer's own znode.

  private fromZnode(message: ZnodeToSession, now: number): void {
    switch (message._tag) {
      case "ReadReplies":
        this.stream.readReplies(message)
        return
      case "RepliesAfter":
        this.stream.repliesAfter(message)
        return
      case "Applied":
        this.stream.applied(message, now)
        return
      case "Role":
        this.roleChanged(message, now)
        return
      case "Hello":
        // The tree has been replaced under the same link: what was watched or waited for is from another history.
        if (this.standing.connected) this.closeAll("the peer's tree was replaced")
        this.tracking.reset(message.sessions)
        this.stream.start(message.zxid)
        this.toLeader.lost()
        this.standing.begin(message.role, now)
        return
      case "Configuration":
        this.standing.configured(message.text)
        return
      case "Answer":
        this.queries.answered(message.id, message.stats)
        return
    }
  }

  private roleChanged(role: RoleChange, now: number): void {
    this.toLeader.lost()
    this.standing.roleChanged(role, now)
  }

  private streamBroken(): void {
    this.standing.end()
    this.toLeader.lost()
    this.closeAll("the peer's znode was lost")
    this.reads.clear()
    this.readsAfter.clear()
    this.toZnode = []
    this.tracking.reset([])
    this.queries.abandon()
    this.standing.tell(this.standing.status)
  }

  // Time.

  private tick(now: number): void {
    this.stranded.tick(now)
    this.standalone.tick(now)
    const { role } = this.standing.role
    if (role === "looking") this.standing.tick(now)
    else if (role === "leading") for (const session of this.tracking.expire(now)) this.toLeader.expire(session)
    else if (this.expiryOpen) {
      const heard = this.tracking.takeHeard()
      if (heard.length > 0) this.touch = heard
    }
  }

  /** Lets go of every client: what has been written for it leaves first. */
  closeAll(reason: string): void {
    for (const connection of [...this.opening.values()]) {
      connection.frontend?.open({ _tag: "Refused", conn: connection.conn, reason: "notServing" })
      this.forget(connection)
    }
    this.standalone.closeAll(reason)
    for (const connection of [...this.attached.values()]) this.giveUp(connection, reason)
    this.stranded.closeAll(reason)
  }

  /** What an operator asks about (see `Queries.stats`). */
  stats(): Stats {
    return this.queries.stats()
  }

  /** Answers a request about watches in its place in the order. */
  answerLocal(connection: Connection, request: ClientRequest): Uint8Array {
    return answerLocally(this.watchers, connection, request, this.stream.zxid, this.writer)
  }
}
