/**
 * A client that follows a script, and checks every byte that it is told: that answers come in order, that its zxid never
 * goes backwards, that results are those of the one history, that a watch fires once and before newer data.
 */
import { hex, type SessionId, type Zxid } from "@zkmesh/numbers"
import {
  ErrorCode,
  EventType,
  FrameSplitter,
  JuteReader,
  JuteWriter,
  OpCode,
  readConnectResponse,
  readReplyHeader,
  readWatcherEvent,
  writeConnectRequest,
  writeRequestHeader,
  Xid
} from "@zkmesh/protocol"
import type { History, Sent } from "../checks/history.ts"
import { Violation } from "../checks/violation.ts"
import type { ClientEnd, SimConnection } from "../network/socket.ts"
import type { Random } from "../virtual/random.ts"
import type { Timeline } from "../virtual/timeline.ts"
import { frameOf, isWrite, nameOf, type Operation, type Outcome, readOutcome } from "./operations.ts"

export interface Step {
  readonly at: number
  readonly operation: Operation
}

export interface ClientHost {
  readonly timeline: Timeline
  readonly history: History
  /** A connection to the frontend with this number; undefined if its process is down. */
  readonly connect: (frontend: number, end: ClientEnd, name: string) => SimConnection | undefined
  readonly frontends: number
  readonly said: (client: string, text: string) => void
}

interface Outstanding extends Sent {
  readonly onAnswer: ((outcome: Outcome) => void) | undefined
}

type Table = "data" | "child"

interface Armed {
  readonly since: Zxid
  /** It waits for a node that was not there. */
  readonly isForAbsent: boolean
}

export class ScriptedClient {
  readonly name: string
  sessionId: SessionId = 0
  readonly timeoutMs: number
  isConnected = false
  /** It has gone for good: its session is to expire, or was closed. */
  isGone = false
  expirations = 0
  answers = 0
  notifications = 0
  lastZxid: Zxid = 0
  private readonly host: ClientHost
  private readonly random: Random
  private sessionBytes: Uint8Array | undefined
  private password: Uint8Array | null = null
  private connection: SimConnection | undefined
  private life = 0
  private splitter = new FrameSplitter()
  private xid = 0
  private heardAt = 0
  private outstanding: Array<Outstanding> = []
  private waiting: Array<{ readonly operation: Operation; readonly onAnswer: Outstanding["onAnswer"] }> = []
  private readonly armed: Record<Table, Map<string, Armed>> = { data: new Map(), child: new Map() }
  /** Its frontend has gone on with it at another peer, where its watches were set anew. */
  private wasCarried = false
  /** Versions as the client has last read them, for what it does conditionally. */
  private readonly versions = new Map<string, number>()
  private frontend: number

  constructor(host: ClientHost, name: string, random: Random, timeoutMs: number) {
    this.host = host
    this.name = name
    this.random = random
    this.timeoutMs = timeoutMs
    this.frontend = random.int(0, host.frontends - 1)
    host.timeline.after(random.between(0, 300), () => this.connect())
    this.beat()
  }

  /** Asks when it can: at once, or once it is connected. */
  ask(operation: Operation, onAnswer?: (outcome: Outcome) => void): void {
    if (this.isGone) return
    if (!this.isConnected) {
      if (this.waiting.length < 20 || onAnswer !== undefined) this.waiting.push({ operation, onAnswer })
      return
    }
    const xid = ++this.xid
    const { history, timeline } = this.host
    const known = this.withVersion(operation)
    const sent: Outstanding = {
      client: this.name,
      session: this.sessionId,
      xid,
      operation: known,
      at: timeline.now,
      floor: history.told,
      onAnswer
    }
    if (isWrite(known)) history.asked(sent)
    this.outstanding.push(sent)
    this.host.said(this.name, `asks ${nameOf(known)} (${xid})`)
    this.connection?.send(frameOf(xid, known))
  }

  /**
   * Its frontend has gone on with it at another peer. Watches are set anew there by comparing states, as ZooKeeper's
   * setWatches does: a node that came and went in between is not seen.
   */
  carried(): void {
    this.wasCarried = true
  }

  /** Dies without a word: its session is to expire. */
  die(): void {
    this.isGone = true
    this.leave()
  }

  /** Leaves its frontend, and comes back by another door. */
  move(): void {
    if (this.connection === undefined || this.isGone) return
    this.leave()
    this.reconnect()
  }

  private withVersion(operation: Operation): Operation {
    if (operation.kind !== "set" || operation.version !== -2) return operation
    return { ...operation, version: this.versions.get(operation.path) ?? 0 }
  }

  private connect(): void {
    if (this.isGone) return
    const life = ++this.life
    this.frontend = (this.frontend + 1) % this.host.frontends
    this.splitter = new FrameSplitter()
    const end: ClientEnd = {
      received: (bytes) => life === this.life && this.received(bytes),
      closed: () => {
        if (life !== this.life) return
        this.leave()
        this.reconnect()
      }
    }
    this.connection = this.host.connect(this.frontend, end, this.name)
    this.heardAt = this.host.timeline.now
    if (this.connection === undefined) {
      this.reconnect()
      return
    }
    const writer = new JuteWriter(128)
    const at = writer.beginFrame()
    writeConnectRequest(writer, {
      lastZxidSeen: this.lastZxid,
      timeoutMs: this.timeoutMs,
      sessionId: this.sessionBytes,
      password: this.password,
      readOnly: false
    })
    writer.endFrame(at)
    this.connection.send(writer.take())
  }

  private reconnect(): void {
    if (this.isGone) return
    const life = ++this.life
    this.host.timeline.after(this.random.between(20, 200), () => life === this.life && this.connect())
  }

  /** The connection is over: what was not answered is in doubt, and watches are lost, as the client's program is told. */
  private leave(): void {
    this.life++
    this.connection?.close()
    this.connection = undefined
    this.isConnected = false
    const lost = this.outstanding
    this.outstanding = []
    this.armed.data.clear()
    this.armed.child.clear()
    this.wasCarried = false
    for (const { operation, onAnswer } of lost) if (onAnswer !== undefined) this.waiting.push({ operation, onAnswer })
  }

  private beat(): void {
    this.host.timeline.after(this.timeoutMs / 4, () => {
      if (this.isGone) return
      const silence = this.host.timeline.now - this.heardAt
      if (this.connection !== undefined && silence > (this.timeoutMs * 2) / 3) {
        this.leave()
        this.reconnect()
      } else if (this.isConnected) this.ping()
      this.beat()
    })
  }

  private ping(): void {
    const writer = new JuteWriter(64)
    const at = writer.beginFrame()
    writeRequestHeader(writer, Xid.ping, OpCode.ping)
    writer.endFrame(at)
    this.connection?.send(writer.take())
  }

  private received(bytes: Uint8Array): void {
    this.heardAt = this.host.timeline.now
    this.splitter.push(bytes)
    while (this.connection !== undefined && this.splitter.next() === "frame") {
      const { buffer, start, end } = this.splitter
      const reader = new JuteReader(buffer, start, end)
      if (this.isConnected) this.frame(reader)
      else this.connected(reader)
    }
  }

  private connected(reader: JuteReader): void {
    const response = readConnectResponse(reader)
    if (response.timeoutMs === 0) {
      this.expired()
      return
    }
    const view = new DataView(response.sessionId.buffer, response.sessionId.byteOffset, 8)
    const id = view.getUint32(0) * 2 ** 32 + view.getUint32(4)
    if (this.sessionId !== 0 && id !== this.sessionId) {
      throw new Violation("session", `${this.name} comes back as ${hex(this.sessionId)} and is ${hex(id)}`)
    }
    this.sessionId = id
    this.sessionBytes = Uint8Array.from(response.sessionId)
    this.password = response.password
    this.isConnected = true
    this.host.said(this.name, `is connected, session ${hex(id)}`)
    const { waiting } = this
    this.waiting = []
    for (const { operation, onAnswer } of waiting) this.ask(operation, onAnswer)
  }

  private expired(): void {
    const { history } = this.host
    if (history.open.has(this.sessionId)) {
      throw new Violation("expiry", `${this.name} is told that ${hex(this.sessionId)} has expired, which is open`)
    }
    this.host.said(this.name, `has lost its session ${hex(this.sessionId)}`)
    this.expirations++
    this.sessionId = 0
    this.sessionBytes = undefined
    this.password = null
    this.leave()
    this.reconnect()
  }

  private frame(reader: JuteReader): void {
    const header = readReplyHeader(reader)
    if (header.xid === Xid.notification) {
      this.notified(reader)
      return
    }
    if (header.zxid > 0) this.sees(header.zxid, header.xid)
    if (header.xid === Xid.ping) return
    const sent = this.outstanding.shift()
    if (sent === undefined || sent.xid !== header.xid) {
      throw new Violation("order", `${this.name} is answered ${header.xid} where ${sent?.xid ?? "nothing"} is due`)
    }
    const outcome: Outcome = header.err === ErrorCode.OK ? readOutcome(sent.operation, reader) : { err: header.err }
    this.answers++
    this.host.said(
      this.name,
      `is answered ${nameOf(sent.operation)} (${sent.xid}): ${header.err} at ${hex(header.zxid)}`
    )
    if (isWrite(sent.operation)) this.wrote(sent, header.zxid, outcome)
    else this.hasRead(sent, header.zxid, outcome)
    sent.onAnswer?.(outcome)
    if (sent.operation.kind === "close") {
      this.isGone = true
      this.leave()
    }
  }

  /** Everything that it watches and that has changed by then, it must have been told. */
  private sees(zxid: Zxid, xid: number): void {
    if (zxid < this.lastZxid) {
      throw new Violation("backwards", `${this.name} has seen ${hex(this.lastZxid)} and is answered at ${hex(zxid)}`)
    }
    this.lastZxid = zxid
    const { model } = this.host.history
    for (const table of ["data", "child"] as const) {
      for (const [path, { since, isForAbsent }] of this.armed[table]) {
        if (isForAbsent && this.wasCarried) continue
        const due = model.fires(table, path, since)
        if (due !== undefined && due <= zxid) {
          throw new Violation(
            "watch",
            `${this.name}'s ${table} watch on ${path} was due at ${hex(due)}, before the answer to ${xid} at ${hex(zxid)}`
          )
        }
      }
    }
  }

  private notified(reader: JuteReader): void {
    const { type, path } = readWatcherEvent(reader)
    const { model } = this.host.history
    this.notifications++
    this.host.said(this.name, `hears of event ${type} at ${path ?? "nothing"}`)
    if (path === null) return
    const tables: ReadonlyArray<Table> =
      type === EventType.NodeChildrenChanged ? ["child"] : type === EventType.NodeDeleted ? ["data", "child"] : ["data"]
    let used = 0
    for (const table of tables) {
      const armed = this.armed[table].get(path)
      if (armed === undefined) continue
      const { since } = armed
      if (model.fires(table, path, since) === undefined) {
        throw new Violation("watch", `${this.name}'s ${table} watch on ${path} fires and nothing has happened`)
      }
      this.armed[table].delete(path)
      used++
    }
    if (used === 0)
      throw new Violation("watch", `${this.name} hears of event ${type} at ${path}, which it does not watch`)
  }

  private wrote(sent: Sent, zxid: Zxid, outcome: Outcome): void {
    const { history } = this.host
    const landed = history.landedOf(sent.session, sent.xid)
    const what = `${this.name}'s ${nameOf(sent.operation)} (${sent.xid})`
    if (landed === undefined) throw new Violation("lost", `${what} is answered ${outcome.err} and is not in the log`)
    // On the way to another peer it may have overtaken a read of its own, whose zxid its answer may not go back behind.
    const isLate = this.wasCarried && zxid > landed.zxid
    if (landed.zxid !== zxid && !isLate) {
      throw new Violation("zxid", `${what} is at ${hex(landed.zxid)}, answered at ${hex(zxid)}`)
    }
    history.answered(landed.zxid)
    compare(what, landed.expected, outcome)
  }

  private hasRead(sent: Sent, zxid: Zxid, outcome: Outcome): void {
    const { operation } = sent
    if (operation.kind !== "get" && operation.kind !== "exists" && operation.kind !== "children") return
    const expected = this.host.history.model.read(zxid, operation)
    compare(`${this.name}'s ${nameOf(operation)} (${sent.xid}) at ${hex(zxid)}`, expected, outcome)
    if (outcome.version !== undefined) this.versions.set(operation.path, outcome.version)
    if (!operation.watch) return
    const table: Table = operation.kind === "children" ? "child" : "data"
    if (outcome.err !== 0 && operation.kind !== "exists") return
    if (this.armed[table].has(operation.path)) return
    this.armed[table].set(operation.path, { since: zxid, isForAbsent: outcome.err !== 0 })
  }
}

/** Everything that the model says, the answer has to say. */
const compare = (what: string, expected: Outcome, outcome: Outcome): void => {
  const differ = (field: string, wanted: unknown, got: unknown): never => {
    throw new Violation("result", `${what}: ${field} is ${JSON.stringify(got)}, must be ${JSON.stringify(wanted)}`)
  }
  const { err, errors, children, path, data, version, czxid, mzxid } = expected
  if (err !== outcome.err) differ("err", err, outcome.err)
  if (errors !== undefined) {
    const failed = (list: ReadonlyArray<number>): string => list.findIndex((one) => one !== 0 && one !== -2).toString()
    const got = outcome.errors ?? []
    if (failed(errors) !== failed(got)) differ("the failed part", errors, got)
  }
  if (children !== undefined && children.join() !== outcome.children?.join()) {
    differ("children", children, outcome.children)
  }
  if (path !== undefined && path !== outcome.path) differ("path", path, outcome.path)
  if (data !== undefined && data !== outcome.data) differ("data", data, outcome.data)
  if (version !== undefined && outcome.version !== version) differ("version", version, outcome.version)
  if (czxid !== undefined && outcome.czxid !== czxid) differ("czxid", czxid, outcome.czxid)
  if (mzxid !== undefined && outcome.mzxid !== mzxid) differ("mzxid", mzxid, outcome.mzxid)
}
