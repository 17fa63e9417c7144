/** A frontend between real sockets and session services that the test plays. */
import { once } from "node:events"
import { connect as dialSocket, type Socket } from "node:net"
import { type ConnectionOptions, connect as dialTls } from "node:tls"
import { Supervisor, supervisorLayer } from "@zkmesh/actor"
import { Bus, type Link, type LinkEvent, loopbackLayer } from "@zkmesh/bus"
import { type FrontendToSession, frontendProtocol, type SessionToFrontend } from "@zkmesh/messages"
import {
  FrameSplitter,
  JuteReader,
  JuteWriter,
  Perms,
  type ReceivedConnectResponse,
  readConnectResponse,
  readReplyHeader,
  writeConnectRequest,
  writeEmptyReply,
  writeRequestHeader
} from "@zkmesh/protocol"
import { Effect, type Scope } from "effect"
import { type FrontendOptions, runFrontend } from "../src/index.ts"

/** Waits for conditions that change only when something is told. */
class Condition {
  private waiting: Array<{ readonly met: () => boolean; readonly resolve: () => void }> = []

  until(met: () => boolean): Promise<void> {
    if (met()) return Promise.resolve()
    return new Promise((resolve) => this.waiting.push({ met, resolve }))
  }

  changed(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const one of waiting) {
      if (one.met()) one.resolve()
      else this.waiting.push(one)
    }
  }
}

type FromFrontend = LinkEvent<FrontendToSession, SessionToFrontend>
export type Connect = Extract<FrontendToSession, { _tag: "Connect" }>

/** The session service of a peer, as the test plays it. */
export class PlayedSession extends Condition {
  link: Link<SessionToFrontend> | undefined
  readonly messages: Array<FrontendToSession> = []
  /** True: sessions are opened and requests answered as they come. */
  isHelpful = true
  timeoutMs = 30_000
  private readonly writer = new JuteWriter()

  readonly listener = (event: FromFrontend): void => {
    if (event._tag === "Opened") {
      this.link = event.link
      this.status(true)
    } else if (event._tag === "Broken") this.link = undefined
    else {
      for (const message of event.messages) {
        this.messages.push(message)
        if (this.isHelpful) this.help(message)
      }
    }
    this.changed()
  }

  status(serving: boolean): void {
    this.link?.send({ _tag: "Status", serving, role: serving ? "following" : "looking", epoch: 1, zxid: 77 })
  }

  private help(message: FrontendToSession): void {
    if (message._tag === "Connect") this.accept(message)
    else if (message._tag === "Requests") this.answer(message.requests.length, message)
    else if (message._tag === "Query")
      this.link!.send({ _tag: "Answer", id: message.id, stats: { znode_count: 5, figures: { znode_count: 5 } } })
  }

  accept({ conn, sessionId, password }: Connect): void {
    const { timeoutMs } = this
    const id = sessionId === 0 ? 1000 + conn : sessionId
    this.link!.send({ _tag: "Connected", conn, sessionId: id, password, timeoutMs, readOnly: false, connection: id })
  }

  /** Answers the first `count` requests of a message, each with a frame of its own and zxid 99. */
  answer(count: number, message: Extract<FrontendToSession, { _tag: "Requests" }>): void {
    const replies = message.requests.slice(0, count).map(({ conn, xid }) => {
      writeEmptyReply(this.writer, xid, 99, 0)
      return { conn, bytes: this.writer.take(), answers: 1 }
    })
    this.link!.send({ _tag: "Replies", replies })
  }

  all<Tag extends FrontendToSession["_tag"]>(tag: Tag): ReadonlyArray<Extract<FrontendToSession, { _tag: Tag }>> {
    return this.messages.filter((message): message is Extract<FrontendToSession, { _tag: Tag }> => message._tag === tag)
  }

  async first<Tag extends FrontendToSession["_tag"]>(tag: Tag, count = 1) {
    await this.until(() => this.all(tag).length >= count)
    return this.all(tag)[count - 1]!
  }

  get requests() {
    return this.all("Requests").flatMap((message) => message.requests)
  }
}

/** A client's end of a socket, in frames and bytes. */
export class RawClient extends Condition {
  readonly socket: Socket
  readonly frames: Array<Uint8Array> = []
  text = ""
  isClosed = false
  private readonly splitter = new FrameSplitter(64 * 2 ** 20)
  private readonly writer = new JuteWriter()

  constructor(port: number, tls?: ConnectionOptions) {
    super()
    const place = { port, host: "127.0.0.1" }
    this.socket = tls === undefined ? dialSocket({ ...place, noDelay: true }) : dialTls({ ...place, ...tls })
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1")
      this.splitter.push(chunk)
      while (this.splitter.next() === "frame") {
        const { buffer, start, end } = this.splitter
        this.frames.push(buffer.subarray(start, end))
      }
      this.changed()
    })
    this.socket.on("error", () => {})
    this.socket.on("close", () => {
      this.isClosed = true
      this.changed()
    })
  }

  get port(): number {
    return this.socket.localPort!
  }

  async connected(): Promise<void> {
    if (this.socket.connecting) await once(this.socket, "connect")
  }

  closed(): Promise<void> {
    return this.until(() => this.isClosed)
  }

  send(...parts: ReadonlyArray<Uint8Array>): void {
    this.socket.write(Buffer.concat(parts))
  }

  connectFrame(
    options: {
      sessionId?: Uint8Array
      password?: Uint8Array
      lastZxidSeen?: number
      timeoutMs?: number
      readOnly?: boolean
    } = {}
  ): Uint8Array {
    const at = this.writer.beginFrame()
    writeConnectRequest(this.writer, {
      lastZxidSeen: options.lastZxidSeen ?? 0,
      timeoutMs: options.timeoutMs ?? 10_000,
      sessionId: options.sessionId,
      password: options.password ?? new Uint8Array(16),
      readOnly: options.readOnly
    })
    this.writer.endFrame(at)
    return this.writer.take()
  }

  requestFrame(xid: number, op: number, body: Uint8Array = new Uint8Array(0)): Uint8Array {
    const at = this.writer.beginFrame()
    writeRequestHeader(this.writer, xid, op)
    this.writer.raw(body)
    this.writer.endFrame(at)
    return this.writer.take()
  }

  async frame(count: number): Promise<Uint8Array> {
    await this.until(() => this.frames.length >= count || this.isClosed)
    return this.frames[count - 1]!
  }

  /** Opens a session and returns what it was told. */
  async open(options: Parameters<RawClient["connectFrame"]>[0] = {}): Promise<ReceivedConnectResponse> {
    this.send(this.connectFrame(options))
    await this.frame(1)
    return this.connectResponse()
  }

  connectResponse(): ReceivedConnectResponse {
    return readConnectResponse(new JuteReader(this.frames[0]!))
  }

  /** The header of the `count`th frame. */
  async reply(count: number): Promise<{ xid: number; zxid: number; err: number }> {
    return readReplyHeader(new JuteReader(await this.frame(count)))
  }

  /** Everything that has come until the other end closed. */
  async untilClosed(): Promise<string> {
    await this.closed()
    return this.text
  }
}

export interface Stage {
  readonly port: number
  readonly sessions: ReadonlyArray<PlayedSession>
  readonly client: (tls?: ConnectionOptions) => RawClient
  /** Starts another peer's session service. */
  readonly join: (sid: number) => Promise<PlayedSession>
  /** Fails with why the frontend died, when it has. */
  readonly died: Promise<never>
}

const DEFAULTS: FrontendOptions = {
  name: "test",
  peers: [1],
  host: "127.0.0.1",
  port: 0,
  maxClientCnxns: 60,
  maxFrameBytes: 0xf_ffff,
  fourLetterWords: "*"
}

const played = (sid: number): Effect.Effect<PlayedSession, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const session = new PlayedSession()
    yield* bus.listen(`session.${sid}`, frontendProtocol, session.listener).pipe(Effect.orDie)
    return session
  })

/** Runs a test's conversation with a frontend and the sessions of its peers. */
export const withFrontend = (
  options: Partial<FrontendOptions>,
  play: (stage: Stage) => Promise<void>,
  stopped?: (stage: Stage) => Promise<void>
): Promise<void> => {
  const clients: Array<RawClient> = []
  let kept: Stage | undefined
  const program = Effect.gen(function* () {
    const all = { ...DEFAULTS, ...options }
    const sessions = yield* Effect.forEach(all.peers, played)
    const { port } = yield* runFrontend(all)
    const supervisor = yield* Supervisor
    const died = Effect.runPromise(supervisor.join)
    died.catch(() => {})
    const client = (tls?: ConnectionOptions) => {
      const made = new RawClient(port, tls)
      clients.push(made)
      return made
    }
    const context = yield* Effect.context<Bus | Scope.Scope>()
    const join = (sid: number) => Effect.runPromise(Effect.provide(played(sid), context))
    kept = { port, sessions, client, join, died }
    yield* Effect.promise(() => Promise.all(sessions.map((session) => session.until(() => session.link !== undefined))))
    yield* Effect.promise(() => Promise.race([play(kept!), died]))
  })
  return Effect.runPromise(
    program.pipe(
      Effect.scoped,
      Effect.andThen(Effect.promise(async () => stopped?.(kept!))),
      Effect.ensuring(Effect.sync(() => clients.forEach((client) => void client.socket.destroy()))),
      Effect.provide([loopbackLayer, supervisorLayer("test")])
    )
  )
}

/** Whoever it is may do everything. */
export const OPEN = [{ perms: Perms.ALL, id: { scheme: "world", id: "anyone" } }]

export const bodyOf = (write: (writer: JuteWriter) => void): Uint8Array => {
  const writer = new JuteWriter()
  write(writer)
  return writer.take()
}
