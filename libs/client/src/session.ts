import type tls from "node:tls"
import {
  ErrorCode,
  EventType,
  hexOf,
  type JuteReader,
  JuteWriter,
  OpCode,
  type ReceivedConnectResponse,
  type ReplyHeader,
  readReplyHeader,
  readWatcherEvent,
  writeConnectRequest,
  writeRequestHeader,
  Xid
} from "@zkmesh/protocol"
import { Connection } from "./connection.ts"
import type { Chroot, Endpoint } from "./connectString.ts"
import { ZkError } from "./errors.ts"
import { guarded } from "./guarded.ts"
import { Identities } from "./identities.ts"
import { LOGIN_XID, Login, type SaslOptions } from "./login.ts"
import { ReadWriteSearch } from "./readWriteSearch.ts"
import { writeRegistrations } from "./registrations.ts"
import { RequestQueue } from "./requests.ts"
import { type WatchEvent, type WatchEventType, type Watcher, WatchTable } from "./watches.ts"

/** EXPIRED, AUTH_FAILED and CLOSED are final: a new client is needed. */
export type ClientState = "CONNECTING" | "CONNECTED" | "CONNECTEDREADONLY" | "EXPIRED" | "AUTH_FAILED" | "CLOSED"

/** What re-attaches to a session: from `ZkClient.session`, for a client in another process perhaps. */
export interface SessionCredentials {
  /** Eight bytes. */
  readonly id: Uint8Array
  readonly password: Uint8Array
}

export interface SessionOptions {
  readonly servers: ReadonlyArray<Endpoint>
  readonly chroot: Chroot
  readonly sessionTimeoutMs: number
  readonly readOnly: boolean
  readonly tls: tls.ConnectionOptions | undefined
  readonly sasl: SaslOptions | undefined
  readonly maxResponseBytes: number
  readonly credentials: SessionCredentials | undefined
}

export interface SessionEvents {
  readonly onState: (state: ClientState) => void
  readonly onDisconnect: (reason: Error) => void
}

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 1000
/** A connection that lasted as long was a good one: the next is tried without delay. */
const STABLE_MS = 1000

/** A session and its requests, from one connection to the next, until it is closed or expires. */
export class Session {
  readonly watches = new WatchTable()
  private readonly options: SessionOptions
  private readonly events: SessionEvents
  private readonly writer = new JuteWriter()
  private currentState: ClientState = "CONNECTING"
  private credentials: SessionCredentials | undefined
  private negotiatedMs: number
  private lastZxid = 0
  private lastXid = 0
  /** A session that began at a read-only server is known nowhere else. */
  private seenReadWrite: boolean
  private connection: Connection | undefined
  private connectedAt = 0
  private nextServer = 0
  private failures = 0
  private redial: NodeJS.Timeout | undefined
  private search: ReadWriteSearch | undefined
  private closing = false
  private closed: Promise<void> | undefined
  private readonly requests = new RequestQueue()
  private readonly identities = new Identities()
  private readonly login: Login
  private attachedReadOnly = false

  constructor(options: SessionOptions, events: SessionEvents) {
    this.options = options
    this.events = events
    this.login = new Login(options.sasl)
    this.credentials = options.credentials
    this.seenReadWrite = options.credentials !== undefined
    this.negotiatedMs = options.sessionTimeoutMs
    this.dial()
  }

  get state(): ClientState {
    return this.currentState
  }
  get isConnected(): boolean {
    return this.currentState === "CONNECTED" || this.currentState === "CONNECTEDREADONLY"
  }
  get server(): Endpoint | undefined {
    return this.isConnected ? this.connection?.endpoint : undefined
  }
  get timeoutMs(): number {
    return this.negotiatedMs
  }
  get lastZxidSeen(): number {
    return this.lastZxid
  }
  get session(): SessionCredentials | undefined {
    return this.credentials
  }
  get sessionId(): string {
    return this.credentials === undefined ? "0x0" : hexOf(this.credentials.id)
  }

  private setState(state: ClientState): void {
    if (state === this.currentState) return
    this.currentState = state
    guarded(() => this.events.onState(state))
  }

  private dial(): void {
    const { servers, tls, maxResponseBytes } = this.options
    const endpoint = servers[this.nextServer++ % servers.length]!
    this.connectedAt = 0
    const connection: Connection = new Connection(
      endpoint,
      {
        tls,
        connectTimeoutMs: Math.max(this.negotiatedMs / servers.length, 100),
        readTimeoutMs: (this.negotiatedMs * 2) / 3,
        maxFrameBytes: maxResponseBytes
      },
      {
        onOpen: () => this.hello(),
        onHandshake: (response) => this.onHandshake(connection, response),
        onFrame: (reader) => this.onFrame(reader),
        onIdle: () => this.ping(),
        onClose: (reason) => this.onClose(connection, reason)
      }
    )
    this.connection = connection
  }

  private hello(): Uint8Array {
    const known = this.seenReadWrite ? this.credentials : undefined
    const at = this.writer.beginFrame()
    writeConnectRequest(this.writer, {
      lastZxidSeen: this.lastZxid,
      timeoutMs: this.options.sessionTimeoutMs,
      sessionId: known?.id,
      password: known?.password ?? new Uint8Array(16),
      readOnly: this.options.readOnly
    })
    this.writer.endFrame(at)
    return this.writer.take()
  }

  private onHandshake(connection: Connection, response: ReceivedConnectResponse): void {
    if (response.timeoutMs <= 0) {
      this.end("EXPIRED", ErrorCode.SESSIONEXPIRED)
      return
    }
    this.credentials = { id: response.sessionId, password: response.password }
    this.negotiatedMs = response.timeoutMs
    this.connectedAt = performance.now()
    if (!response.readOnly) this.seenReadWrite = true
    this.attachedReadOnly = response.readOnly
    if (this.login.begin(this.writer)) connection.flushSoon(this.writer)
    else this.begin(connection)
  }

  /** The server knows who we are, as far as SASL goes. */
  private begin(connection: Connection): void {
    // Who we are, then what we watch, then what we want: the order in which the server must learn it.
    this.identities.writeTo(this.writer)
    writeRegistrations(this.writer, this.watches, this.lastZxid)
    this.requests.writeTo(this.writer)
    connection.flushSoon(this.writer)
    if (this.attachedReadOnly) this.lookForWrites(connection)
    this.setState(this.attachedReadOnly ? "CONNECTEDREADONLY" : "CONNECTED")
  }

  /** Reads are better than nothing, but only for as long as there is no server that takes writes. */
  private lookForWrites(connection: Connection): void {
    const { servers, tls } = this.options
    this.search = new ReadWriteSearch(servers, this.nextServer, tls, (index) => {
      this.nextServer = index
      connection.close(new Error("another server takes writes"))
    })
  }

  private ping(): void {
    const at = this.writer.beginFrame()
    writeRequestHeader(this.writer, Xid.ping, OpCode.ping)
    this.writer.endFrame(at)
    this.connection?.flushSoon(this.writer)
  }

  private onFrame(reader: JuteReader): void {
    const header = readReplyHeader(reader)
    switch (header.xid) {
      case Xid.notification: {
        const event = readWatcherEvent(reader)
        this.fire(event.type, event.path, header.zxid)
        break
      }
      case Xid.setWatches:
        // Without its watches the connection is worse than none.
        if (header.err !== 0) throw new ZkError(header.err)
        this.sawZxid(header.zxid)
        break
      case Xid.ping:
        this.sawZxid(header.zxid)
        break
      case Xid.auth:
        if (header.err === 0) this.identities.accepted()
        else this.end("AUTH_FAILED", ErrorCode.AUTHFAILED)
        break
      default:
        if (header.xid === LOGIN_XID && this.login.isUnderWay) this.onToken(header, reader)
        else this.onReply(header, reader)
    }
  }

  private onToken(header: ReplyHeader, reader: JuteReader): void {
    const result = this.login.step(header.err, reader, this.writer)
    // Neither side is to go on with somebody who does not know the password.
    if (result === "failed") this.end("AUTH_FAILED", ErrorCode.AUTHFAILED)
    else if (this.connection !== undefined) {
      if (result === "done") this.begin(this.connection)
      else this.connection.flushSoon(this.writer)
    }
  }

  private sawZxid(zxid: number): void {
    if (zxid > this.lastZxid) this.lastZxid = zxid
  }

  private fire(type: number, path: string, zxid: number): void {
    const event: WatchEvent = { type: type as WatchEventType, path: this.options.chroot.toClient(path), zxid }
    for (const watcher of this.watches.fire(type, path)) this.tell(watcher, event)
  }

  tell(watcher: Watcher, event: WatchEvent): void {
    guarded(() => watcher(event))
  }

  private onReply(header: ReplyHeader, reader: JuteReader): void {
    const request = this.requests.answered(header.xid)
    this.sawZxid(header.zxid)
    request.onReply(header, reader)
  }

  private onClose(connection: Connection, reason: Error): void {
    if (connection !== this.connection) return
    this.connection = undefined
    this.search?.stop()
    // What it left unsent belongs to requests that now fail with it.
    this.writer.rewind()
    this.requests.failSent(ErrorCode.CONNECTIONLOSS, reason)
    if (this.closing) {
      this.end("CLOSED", ErrorCode.CONNECTIONLOSS)
      return
    }
    const lived = this.connectedAt === 0 ? 0 : performance.now() - this.connectedAt
    this.failures = lived >= STABLE_MS ? 0 : this.failures + 1
    const rounds = Math.floor(this.failures / this.options.servers.length)
    const roundOver = this.failures > 0 && this.failures % this.options.servers.length === 0
    // Nobody is there: whoever waits has to know.
    if (roundOver) this.requests.failAll(ErrorCode.CONNECTIONLOSS, reason)
    const backoff = Math.min(FIRST_BACKOFF_MS * 2 ** (rounds - 1), MAX_BACKOFF_MS)
    this.redial = setTimeout(() => this.dial(), roundOver ? backoff * (0.5 + Math.random() / 2) : 0)
    this.setState("CONNECTING")
    guarded(() => this.events.onDisconnect(reason))
  }

  private end(state: "EXPIRED" | "AUTH_FAILED" | "CLOSED", code: number): void {
    if (this.ended !== undefined) return
    const connection = this.connection
    this.connection = undefined
    this.search?.stop()
    clearTimeout(this.redial)
    this.setState(state)
    connection?.close(new Error(state))
    this.requests.failAll(code, undefined)
    this.identities.end(code)
    for (const [path, watcher] of this.watches.clear()) {
      this.tell(watcher, { type: EventType.None, path: this.options.chroot.toClient(path), zxid: -1 })
    }
  }

  /** The code that every request now fails with, once the session has ended. */
  private get ended(): number | undefined {
    switch (this.currentState) {
      case "EXPIRED":
      case "CLOSED":
        return ErrorCode.SESSIONEXPIRED
      case "AUTH_FAILED":
        return ErrorCode.AUTHFAILED
      default:
        return undefined
    }
  }

  /**
   * Sends a request, or keeps it until there is a connection. `read` gets the reply's body when it succeeded (a
   * ZkError that it throws is the caller's); `onResult` sees the code first, at the reply's place in the stream: there
   * watches are registered.
   */
  submit<T>(
    op: number,
    path: string | undefined,
    write: (writer: JuteWriter) => void,
    read: (reader: JuteReader) => T,
    onResult?: (code: number) => void
  ): Promise<T> {
    const ended = this.ended
    if (ended !== undefined) return Promise.reject(new ZkError(ended, path))
    if (this.closing) return Promise.reject(new ZkError(ErrorCode.SESSIONEXPIRED, path))
    return new Promise<T>((resolve, reject) => {
      const xid = (this.lastXid = this.lastXid >= 0x7fff_ffff ? 1 : this.lastXid + 1)
      const onReply = (header: ReplyHeader, reader: JuteReader): void => {
        onResult?.(header.err)
        try {
          if (header.err === 0) resolve(read(reader))
          else reject(new ZkError(header.err, path))
        } catch (error) {
          reject(error instanceof ZkError ? error : new ZkError(ErrorCode.MARSHALLINGERROR, path, error))
        }
      }
      this.encode(xid, op, write)
      // Encoded now: the caller may change its buffers once this returns.
      const frame = this.isConnected ? undefined : this.writer.take()
      this.requests.push({ xid, path, frame, onReply, onFailure: reject })
      if (frame === undefined) this.connection?.flushSoon(this.writer)
    })
  }

  private encode(xid: number, op: number, write: (writer: JuteWriter) => void): void {
    const at = this.writer.beginFrame()
    try {
      writeRequestHeader(this.writer, xid, op)
      write(this.writer)
    } catch (error) {
      // Half a frame would spoil the stream for everybody.
      this.writer.rewind(at)
      throw error
    }
    this.writer.endFrame(at)
  }

  /** Proves another identity on this connection and every later one. Resolves when the server has accepted it. */
  addAuth(scheme: string, auth: Uint8Array): Promise<void> {
    if (this.ended !== undefined) return Promise.reject(new ZkError(this.ended))
    return new Promise((resolve, reject) => {
      this.identities.add({ scheme, auth: Uint8Array.from(auth), accepted: resolve, refused: reject })
      if (!this.isConnected) return
      this.identities.writeLast(this.writer)
      this.connection?.flushSoon(this.writer)
    })
  }

  /** Ends the session at the server, if it is in reach, and for ever here. */
  close(): Promise<void> {
    return (this.closed ??= this.sayGoodbye())
  }

  private async sayGoodbye(): Promise<void> {
    if (this.ended !== undefined) return
    const farewell = this.isConnected
      ? this.submit(
          OpCode.closeSession,
          undefined,
          () => undefined,
          () => undefined
        )
      : undefined
    this.closing = true
    try {
      await farewell
    } catch (error) {
      // The server closes the connection after its answer, and may be gone before: then the session just times out.
      if (!(error instanceof ZkError)) throw error
    }
    this.end("CLOSED", ErrorCode.CONNECTIONLOSS)
  }
}
