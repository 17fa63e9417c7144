/**
 * The frontend's shell: client sockets on one side, session services on the other, no state that would be missed.
 *
 * Sockets are plain `node:net` and handled where they call back: this is the hottest path of all. Everything that comes
 * in one turn of the event loop leaves for a session service as one message (when the turn's sockets have been read),
 * and everything that comes back for a client in one pass leaves as one write.
 */
import type { AddressInfo, Socket } from "node:net"
import type { ActorContext, ActorRef, Handler } from "@zkmesh/actor"
import { type Bus, Dialled, type LinkEvent } from "@zkmesh/bus"
import type { Report } from "@zkmesh/health"
import { type FrontendToSession, frontendProtocol, type SessionToFrontend } from "@zkmesh/messages"
import type { LogContext, Telemetry } from "@zkmesh/telemetry"
import { Effect } from "effect"
import { Client, Hold, Phase } from "./Client.ts"
import { Carrier } from "./carry/Carrier.ts"
import { Conversation } from "./conversation/Conversation.ts"
import { Draining } from "./Draining.ts"
import { Admission } from "./limits/Admission.ts"
import { Flow } from "./limits/Flow.ts"
import { OwnPort } from "./OwnPort.ts"
import type { Frontends } from "./operator/Frontends.ts"
import { FrontendError, type Settings } from "./options.ts"
import type { Peer } from "./Peer.ts"
import { Peers } from "./Peers.ts"
import { type DropReason, Statistics } from "./statistics.ts"
import { certificateIds } from "./tls/certificates.ts"
import { Door } from "./tls/door.ts"
import type { RequestTracing } from "./tracing/RequestTracing.ts"

type PeerEvent = LinkEvent<SessionToFrontend, FrontendToSession>
export type Message =
  | { readonly _tag: "Peer"; readonly peer: Peer; readonly event: PeerEvent }
  | { readonly _tag: "Redial"; readonly peer: Peer }
  | { readonly _tag: "Watch" }
  /** A socket's callback has thrown: the frontend ends with the reason, as any actor would. */
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** What an operator reads: a warning, unless it is news and no more, and what it is about. */
export type Log = (message: string, about?: LogContext, isNews?: true) => void

/** How often deadlines are looked at. */
const WATCH_MS = 250
/** How long a client may take to close its end after we have closed ours. */
const LINGER_MS = 2000
/** The same reason is logged this often at most; the count goes on. */
const LOG_EVERY_MS = 5000
/** A burst of replies may be this many times what a client may leave untaken for long. */
const UNSENT_BURST = 4

export class Frontend {
  readonly handle: Handler<Message>
  readonly settings: Settings
  readonly statistics: Statistics
  /** All doors of the same server: what an operator is told is about them together. */
  readonly server: Frontends
  readonly flow: Flow
  readonly clients = new Map<number, Client>()
  readonly peers: Peers
  readonly now: () => number
  readonly wallClock: () => number
  /** undefined: nothing is traced. */
  readonly tracing: RequestTracing | undefined
  private readonly nextTurn: (task: () => void) => void
  private readonly randomBytes: (size: number) => Uint8Array
  private readonly self: ActorRef<Message>
  private readonly log: Log
  private readonly loggedAt = new Map<DropReason, number>()
  readonly conversation: Conversation
  readonly carrier: Carrier
  readonly door: Door
  private readonly ownPort: OwnPort | undefined
  private nextConn = 1
  private flushDue = false
  private readonly flushAll = (): void => this.flushPeers()
  private draining: Draining | undefined
  /** Clients with something to write at the end of this pass. */
  private dirty: Array<Client> = []

  constructor(
    settings: Settings,
    context: ActorContext<Message>,
    bus: Bus["Service"],
    log: Log,
    server: Frontends,
    tracing?: RequestTracing | undefined
  ) {
    this.server = server
    this.settings = settings
    this.tracing = tracing
    this.log = log
    this.self = context.self
    this.now = context.now
    this.wallClock = context.wallClock
    this.nextTurn = context.nextTurn
    this.randomBytes = context.randomBytes
    this.statistics = new Statistics(server.metrics)
    this.flow = new Flow(settings, this.statistics, server.load, () => this.scheduleFlush())
    const from = `frontend.${settings.name}`
    this.peers = new Peers(settings.peers, settings.preference, (peer) => {
      const listener = (event: PeerEvent) => context.self.tell({ _tag: "Peer", peer, event })
      const later = (ms: number) => context.after(ms, { _tag: "Redial", peer })
      return new Dialled(context.now, later, (to) =>
        bus.dial(from, to, frontendProtocol, listener, settings.linkLimitMs)
      )
    })
    this.carrier = new Carrier(this)
    this.conversation = new Conversation(this)
    const { tls, sessionlessTimeoutMs, tcpKeepAlive, proxies } = settings
    const admission = new Admission(settings, (reason) => this.count("tooManyConnections", reason))
    this.door = new Door(
      { tls, handshakeTimeoutMs: sessionlessTimeoutMs, keepAlive: tcpKeepAlive, proxies },
      {
        admit: (socket) => admission.admit(socket, this.door.originOf(socket).address),
        enter: (socket) => this.guard(() => this.accept(socket)),
        refuse: (reason) => this.guard(() => this.count("badHandshake", reason)),
        refuseProxy: (reason) => this.guard(() => this.count("badProxyHeader", reason)),
        warn: log
      }
    )
    const { own, backlog } = settings
    this.ownPort = own && new OwnPort(own, this.door, backlog, log, (cause) => this.failed(cause))
    context.every(WATCH_MS, { _tag: "Watch" })
    this.handle = (batch) => {
      for (const message of batch) this.take(message)
      this.carrier.settle()
      this.flushClients()
      this.tracing?.flushed(this.now())
      this.draining?.letGo()
    }
  }

  health(): Report {
    const peer = this.peers.serving()
    if (peer === undefined) {
      const reader = this.peers.serving(true)
      if (reader !== undefined) return { condition: "readOnly", why: `peer ${reader.sid} has no leader` }
      return { condition: "looking", why: `no peer serves, of ${this.peers.names}` }
    }
    return { condition: "serving", why: `by peer ${peer.sid}` }
  }

  listen(): Effect.Effect<number, FrontendError> {
    const { host, port, backlog } = this.settings
    return Effect.callback<number, FrontendError>((resume) => {
      const failed = (cause: Error) => {
        resume(Effect.fail(new FrontendError({ message: `cannot listen at ${host}:${port}: ${cause.message}`, cause })))
      }
      const { server } = this.door
      server.once("error", failed)
      server.listen({ host, port, backlog }, () => {
        server.off("error", failed)
        server.on("error", (cause) => this.self.tell({ _tag: "Failed", cause }))
        resume(Effect.succeed((server.address() as AddressInfo).port))
      })
    })
  }

  /** Takes no more clients, and lets go of each that is here at a good moment: see `Draining`. */
  drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.door.server.close()
      this.draining = new Draining(this)
      return this.draining.done()
    })
  }

  /** Takes no more clients, lets go of those that are here (what has been written to them still leaves), and of peers. */
  close(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // Also called back if it has never listened.
      this.door.server.close(() => resume(Effect.void))
      for (const client of this.clients.values()) {
        this.disconnect(client)
        client.phase = Phase.Ending
        client.socket.destroySoon()
      }
      for (const peer of this.peers.all) peer.dialled.want(undefined)
    }).pipe(
      Effect.timeoutOption(LINGER_MS),
      Effect.andThen(Effect.sync(() => this.clients.forEach((client) => void client.socket.destroy())))
    )
  }

  /** What `conf` prints: where clients connect as it is now. */
  get configuration(): Settings["configuration"] {
    const { configuration } = this.settings
    return this.ownPort?.shown(configuration) ?? configuration
  }

  get telemetry(): Telemetry | undefined {
    return this.tracing?.telemetry
  }

  // Peers.

  private take(message: Message): void {
    switch (message._tag) {
      case "Peer":
        this.takePeer(message.peer, message.peer.dialled.take(message.event))
        return
      case "Redial":
        message.peer.dialled.redial()
        return
      case "Watch":
        this.watch(this.now())
        return
      case "Failed":
        throw message.cause
    }
  }

  private takePeer(peer: Peer, news: "opened" | "broken" | ReadonlyArray<SessionToFrontend> | undefined): void {
    if (news === undefined || news === "opened") return
    if (news === "broken") {
      peer.lost()
      for (const client of [...peer.clients]) this.carrier.lose(client, "peerLost")
      return
    }
    const now = this.now()
    for (const message of news) this.conversation.fromSession(peer, message, now)
  }

  /** A peer tells who the ensemble is now. */
  follow(text: string): void {
    this.ownPort?.follow(text)
    const { peers } = this
    if (peers.follow(text)) this.log(`the ensemble has changed: clients are sent to peers ${peers.names}`, {}, true)
    this.flow.shareAmong(peers.voters ?? this.settings.voters)
  }

  /** A peer has left the ensemble: its clients go on at another one. */
  private letGo(peer: Peer): void {
    this.carrier.leave(peer)
    peer.lost()
    peer.dialled.want(undefined)
  }

  /** Queues whole frames for a client; they leave at the end of the pass. */
  reply(client: Client, bytes: Uint8Array): void {
    if (client.queue(bytes)) this.dirty.push(client)
  }

  flushClients(): void {
    const { dirty, statistics } = this
    if (dirty.length === 0) return
    this.dirty = []
    for (const client of dirty) {
      statistics.bytesSent += client.flush()
      const waiting = client.socket.writableLength
      if (waiting > this.settings.maxUnsentBytes * UNSENT_BURST)
        this.drop(client, "slow", `${waiting} bytes wait for it`)
    }
  }

  /** What clients have asked for leaves when all sockets of this turn have been read. */
  scheduleFlush(): void {
    if (this.flushDue) return
    this.flushDue = true
    this.nextTurn(this.flushAll)
  }

  private flushPeers(): void {
    this.flushDue = false
    const now = this.now()
    for (const client of this.flow.takeReady()) this.guard(() => this.conversation.goOn(client, now))
    for (const peer of this.peers.all) peer.flush()
  }

  // Sockets.

  /** Runs a socket's callback. An exception ends the frontend, not the process, and never passes unnoticed. */
  failed(cause: unknown): void {
    this.self.tell({ _tag: "Failed", cause })
  }

  private guard(callback: () => void): void {
    try {
      callback()
    } catch (cause) {
      this.self.tell({ _tag: "Failed", cause })
    }
  }

  private accept(socket: Socket): void {
    const { maxFrameBytes, sessionlessTimeoutMs, tls } = this.settings
    const origin = this.door.originOf(socket)
    const client = new Client(
      this.nextConn++,
      socket,
      origin,
      [{ scheme: "ip", id: origin.address }, ...certificateIds(socket, tls?.superUser)],
      maxFrameBytes,
      this.flow.firstWindow(),
      this.wallClock(),
      this.now() + sessionlessTimeoutMs
    )
    client.traced = this.tracing?.traced()
    this.clients.set(client.conn, client)
    socket.on("data", (chunk: Buffer) => this.guard(() => this.conversation.data(client, chunk)))
    socket.on("drain", () => this.emptied(client))
    socket.on("end", () => this.guard(() => this.conversation.ended(client)))
    socket.on("close", () => this.guard(() => this.closed(client)))
  }

  /** What was written to it has left. What it had sent before it was held comes first, then it is read from again. */
  private emptied(client: Client): void {
    client.release(Hold.Unsent)
    this.flow.reconsider(client)
  }

  private closed(client: Client): void {
    this.disconnect(client)
    client.phase = Phase.Closed
    this.clients.delete(client.conn)
    this.draining?.hasGone()
  }

  /** The session service is told that the client has gone, once; requests that came before still reach it first. */
  private disconnect(client: Client): void {
    const { peer, carry } = client
    this.carrier.forget(client)
    if (peer === undefined && carry?.lostAt === undefined) return
    if (carry !== undefined) carry.lostAt = undefined
    this.tracing?.gone(client, this.now())
    client.peer = undefined
    peer?.clients.delete(client)
    this.flow.forget(client)
    this.flow.answered(client, client.outstanding, 0)
    peer?.send({ _tag: "Disconnected", conn: client.conn })
  }

  /** Ends a connection in good order: what has been written leaves, then the client's own end is awaited for a while. */
  end(client: Client, reason: DropReason): void {
    if (client.phase >= Phase.Ending) return
    this.statistics.bytesSent += client.flush()
    client.phase = Phase.Ending
    client.deadline = this.now() + LINGER_MS
    this.disconnect(client)
    this.count(reason)
    client.socket.end()
    // Unread bytes would turn our end into a reset, and that would take our last words from the client.
    client.socket.resume()
  }

  /** Ends a connection at once, without a word. */
  drop(client: Client, reason: DropReason, detail?: string): void {
    if (client.phase === Phase.Closed) return
    client.phase = Phase.Closed
    // As long as it has a peer, and traces under way.
    const about = client.about
    this.disconnect(client)
    this.count(reason, detail === undefined ? undefined : `${client.address}:${client.port}: ${detail}`, about)
    client.socket.destroy()
  }

  private count(reason: DropReason, detail?: string, about: LogContext = {}): void {
    const count = this.statistics.drop(reason)
    if (detail === undefined) return
    const now = this.now()
    if (now - (this.loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return
    this.loggedAt.set(reason, now)
    this.log(`client turned away, ${reason} (${count} so far): ${detail}`, { ...about, error: reason })
  }

  // Time.

  private watch(now: number): void {
    for (const peer of this.peers.all) peer.expire(now)
    for (const peer of this.peers.takeLeft()) this.letGo(peer)
    this.carrier.tick(now)
    this.tracing?.tick(now)
    for (const client of this.clients.values()) {
      if (client.holdsFor(Hold.Unsent) && this.isStuck(client, now)) {
        this.drop(client, "slow", `${client.socket.writableLength} bytes wait for it`)
        continue
      }
      if (client.deadline > now) continue
      if (client.phase === Phase.Open) {
        // One that waits for us is not silent of its own will.
        if (client.outstanding > 0 || client.isHeld) continue
        this.end(client, "idle")
      } else if (client.phase === Phase.Ending) client.socket.destroy()
      else this.drop(client, "sessionless")
    }
  }

  /** Whether it has left too much untaken for as long as its session may be silent. */
  private isStuck(client: Client, now: number): boolean {
    const idleMs = client.idleOutput(now)
    return client.socket.writableLength > this.settings.maxUnsentBytes && idleMs > client.timeoutMs
  }

  /** 16 bytes that nobody can guess: a new session's password. */
  password(): Uint8Array {
    return this.randomBytes(16)
  }
}
