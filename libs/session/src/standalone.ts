/**
 * Sessions that the ensemble does not know: local ones (`localSessionsEnabled`), and whoever reads from a peer that has no
 * leader (`readonlymode.enabled`).
 *
 * A local session begins and ends here, without a transaction, and expires here. Its reads are like any other's. Its
 * writes are made in the name of a session that this service itself has (the house), so that they are carried out exactly
 * once whoever leads. It owns no ephemeral nodes: before it creates its first one it becomes a session of the ensemble, or
 * the request fails. Its id lies beyond all zxids, where the id of no other session can be.
 */
import type { ClientRequest, FrontendToSession } from "@zkmesh/messages"
import { ClientRequest as Request } from "@zkmesh/messages"
import { isLocalId, localId, type SessionId } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import { Connection, type Frontend } from "./connection.ts"
import type { SessionCore } from "./core.ts"
import { createsEphemeral } from "./ephemeral.ts"
import { ExpiryTracker } from "./expiry.ts"
import { Fifo } from "./fifo.ts"
import { kindOf, READ, WRITE } from "./operations.ts"

type Connect = Extract<FrontendToSession, { _tag: "Connect" }>

interface LocalSession {
  readonly password: Uint8Array
  timeoutMs: number
  /** undefined while its client is away. */
  connection: Connection | undefined
}

/** What is special about a connection of such a session. */
export interface Standalone {
  /** Nothing can be written: there is no leader. */
  readonly isReadOnly: boolean
  /** Requests that wait for writes before them, or for the session to be one of the ensemble's. */
  readonly held: Fifo<ClientRequest>
  /** It is becoming a session of the ensemble, for the sake of `first`. */
  isUpgrading: boolean
  first: ClientRequest | undefined
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

export class StandaloneSessions {
  private readonly core: SessionCore
  private readonly sessions = new Map<SessionId, LocalSession>()
  /** Connections of all sessions that are not the ensemble's, as of now. */
  private readonly connections = new Set<Connection>()
  private tracker: ExpiryTracker | undefined
  private next: number
  /** The session in whose name local ones write; asked for when the first of them does. */
  private house: Connection | undefined
  /** Whose the house's pending writes are, oldest first. */
  private writers = new Fifo<Connection>()
  expiredCount = 0

  constructor(core: SessionCore) {
    this.core = core
    this.next = core.options.firstToken
  }

  get size(): number {
    return this.sessions.size
  }

  has(id: SessionId): boolean {
    return this.sessions.has(id)
  }

  // Connections.

  /** Takes a client that does not need the ensemble for its session; false if it does. */
  connect(frontend: Frontend, message: Connect, timeoutMs: number): boolean {
    const { core } = this
    if (core.standing.readOnly) this.connectReadOnly(frontend, message, timeoutMs)
    else if (message.sessionId === 0 && core.options.localSessions === true) this.begin(frontend, message, timeoutMs)
    else if (this.sessions.has(message.sessionId)) this.renew(frontend, message, timeoutMs)
    else return false
    return true
  }

  private connectReadOnly(frontend: Frontend, message: Connect, timeoutMs: number): void {
    const { conn, sessionId } = message
    if (!message.readOnly) frontend.open({ _tag: "Refused", conn, reason: "readOnly" })
    else if (sessionId === 0) this.begin(frontend, message, timeoutMs)
    else if (this.sessions.has(sessionId)) this.renew(frontend, message, timeoutMs)
    else if (this.knows(message)) this.open(frontend, message, sessionId, message.password, timeoutMs)
    else frontend.open({ _tag: "Refused", conn, reason: "expired" })
  }

  /** A session of the ensemble keeps: whoever leads next gives it its full timeout. */
  private knows({ sessionId, password }: Connect): boolean {
    const known = this.core.tracking.password(sessionId)
    return known !== undefined && same(known, password)
  }

  private begin(frontend: Frontend, message: Connect, timeoutMs: number): void {
    this.open(frontend, message, localId(this.next++), message.password, timeoutMs)
  }

  private renew(frontend: Frontend, message: Connect, timeoutMs: number): void {
    const session = this.sessions.get(message.sessionId)!
    if (!same(session.password, message.password)) {
      frontend.open({ _tag: "Refused", conn: message.conn, reason: "expired" })
      return
    }
    if (session.connection !== undefined) this.core.close(session.connection, "moved")
    this.open(frontend, message, message.sessionId, session.password, timeoutMs)
  }

  private open(frontend: Frontend, message: Connect, id: SessionId, password: Uint8Array, timeoutMs: number): void {
    const { core } = this
    const { conn } = message
    if (message.lastZxidSeen > core.zxid) {
      frontend.open({ _tag: "Refused", conn, reason: "ahead" })
      return
    }
    const connection = new Connection(frontend, conn, 0, message.identity, undefined)
    connection.session = id
    connection.standalone = {
      isReadOnly: core.standing.readOnly,
      held: new Fifo(),
      isUpgrading: false,
      first: undefined
    }
    frontend.connections.set(conn, connection)
    this.connections.add(connection)
    if (isLocalId(id)) {
      this.sessions.set(id, { password, timeoutMs, connection })
      this.tracker ??= new ExpiryTracker(core.options.tickTimeMs, core.now)
      this.tracker.add(id, timeoutMs, core.now)
    }
    const readOnly = core.standing.readOnly
    frontend.open({ _tag: "Connected", conn, sessionId: id, password, timeoutMs, readOnly, connection: 0 })
  }

  /** The connection has ended. */
  forget(connection: Connection): void {
    if (!this.connections.delete(connection)) return
    const session = this.sessions.get(connection.session)
    if (session?.connection === connection) session.connection = undefined
  }

  /** Everybody's connection ends; local sessions stay, for as long as they may be silent. */
  closeAll(reason: string): void {
    for (const connection of [...this.connections]) this.core.close(connection, reason)
    this.house = undefined
    this.writers = new Fifo()
  }

  /** The peer takes part in an ensemble again: what began without one ends. */
  clear(): void {
    for (const id of [...this.sessions.keys()]) this.end(id)
  }

  private end(id: SessionId): void {
    this.sessions.delete(id)
    this.tracker?.remove(id)
  }

  // Requests.

  take(connection: Connection, standalone: Standalone, request: ClientRequest): void {
    const { held, isUpgrading } = standalone
    this.tracker?.touch(connection.session, this.core.now)
    if (held.length > 0 || isUpgrading || this.mustWait(connection, standalone, request)) held.push(request)
    else this.carryOut(connection, standalone, request)
  }

  /**
   * What is answered here or read comes after the writes before it; so does a write that needs another session than the
   * house's. Any other needs the house to be there.
   */
  private mustWait(connection: Connection, standalone: Standalone, request: ClientRequest): boolean {
    const isPlain = kindOf(request.op) === WRITE && request.op !== OpCode.closeSession && !standalone.isReadOnly
    if (!isPlain || createsEphemeral(request)) return connection.pending.length > 0
    if (this.house === undefined) this.openHouse(connection)
    return this.house?.live !== true
  }

  private carryOut(connection: Connection, standalone: Standalone, request: ClientRequest): void {
    const { core } = this
    const kind = kindOf(request.op)
    if (kind !== WRITE || request.op === OpCode.closeSession) core.order.read(connection, request, kind !== READ)
    else if (standalone.isReadOnly) core.order.read(connection, as(request, OpCode.notReadOnly), true)
    else if (!createsEphemeral(request)) this.write(connection, request)
    else if (core.options.localSessionsUpgrading === true) this.upgrade(connection, standalone, request)
    else core.order.read(connection, as(request, OpCode.ephemeralOnLocal), true)
  }

  private write(connection: Connection, request: ClientRequest): void {
    connection.pending.push(this.core.writeAs(this.house!, request, connection.identity))
    this.writers.push(connection)
  }

  private openHouse(first: Connection): void {
    const { core } = this
    // The password is nobody's: what is asked for in this name comes from here alone.
    const password = core.options.housePassword ?? this.sessions.get(first.session)!.password
    const timeoutMs = core.options.maxSessionTimeoutMs
    this.house = core.openOwn({ sessionId: 0, password, timeoutMs, lastZxidSeen: 0 })
  }

  private upgrade(connection: Connection, standalone: Standalone, request: ClientRequest): void {
    const session = this.sessions.get(connection.session)
    if (session === undefined) {
      // An earlier connection has asked for it, and was gone before it was there.
      this.core.close(connection, "the session has become one of the ensemble's")
      return
    }
    const { password, timeoutMs } = session
    standalone.first = request
    standalone.isUpgrading = true
    this.core.openAgain(connection, {
      sessionId: connection.session,
      password,
      timeoutMs,
      lastZxidSeen: 0,
      isUpgrade: true
    })
  }

  /** The ensemble knows the session from now on: it is no local one any more. */
  becameGlobal(id: SessionId): void {
    this.end(id)
  }

  /** The stream says that this connection's session is one of the ensemble's now. True if that is news here. */
  opened(connection: Connection): boolean {
    if (connection === this.house) {
      for (const one of [...this.connections]) this.goOn(one)
      return true
    }
    const { standalone } = connection
    if (standalone === undefined) return false
    connection.standalone = undefined
    this.connections.delete(connection)
    if (standalone.first !== undefined) this.core.order.takeOne(connection, standalone.first)
    for (let next = standalone.held.shift(); next !== undefined; next = standalone.held.shift()) {
      this.core.order.takeOne(connection, next)
    }
    return true
  }

  /** Whose answer a transaction of the house's brings; undefined if it is not the house's. */
  finished(house: Connection): Connection | undefined {
    if (house !== this.house) return undefined
    const connection = this.writers.shift()
    connection?.pending.shift()
    return connection
  }

  /** A write of the connection's has been answered, or the house is there: what has waited for it may go on. */
  goOn(connection: Connection): void {
    const { standalone } = connection
    if (standalone === undefined || connection.frontend === undefined) return
    const { held } = standalone
    for (let next = held.peek(); next !== undefined; next = held.peek()) {
      if (standalone.isUpgrading || this.mustWait(connection, standalone, next)) return
      held.shift()
      this.carryOut(connection, standalone, next)
    }
  }

  /** The house's session has gone, if it was this one: nobody knows what has become of what was under way. */
  lostHouse(connection: Connection): void {
    if (connection !== this.house) return
    this.house = undefined
    this.writers = new Fifo()
    for (const one of [...this.connections]) {
      const waits = one.pending.length > 0 || (one.standalone?.held.length ?? 0) > 0
      if (waits) this.core.close(one, "what it has written may be lost")
    }
  }

  isHouse(connection: Connection): boolean {
    return connection === this.house
  }

  /** closeSession, in its turn: the session ends, and its connection with it. */
  closing(connection: Connection): void {
    const { standalone } = connection
    if (standalone?.isReadOnly !== true || isLocalId(connection.session)) this.end(connection.session)
    this.core.close(connection, "the session is closed")
  }

  // Time.

  tick(now: number): void {
    if (this.house?.live === true) this.core.tracking.hear(this.house)
    for (const id of this.tracker?.expire(now) ?? []) {
      const session = this.sessions.get(id)
      this.sessions.delete(id)
      this.expiredCount++
      if (session?.connection !== undefined) this.core.close(session.connection, "the session has expired")
    }
  }
}

/** The request under another opcode, which says how it is answered. */
const as = ({ conn, xid, buffer, start, end }: ClientRequest, op: number): ClientRequest =>
  new Request(conn, xid, op, buffer, start, end)
