/** The session service's shell: its links and its clock. What they mean is the core's business (`@zkmesh/session`). */
import { type ActorContext, type Handler, type Supervisor, spawn } from "@zkmesh/actor"
import { type Address, Bus, type BusError, Dialled, type Link, type LinkEvent } from "@zkmesh/bus"
import { CurrentHealth, type Report } from "@zkmesh/health"
import {
  type ExpiryToSession,
  expiryProtocol,
  type FrontendToSession,
  frontendProtocol,
  type PrepareToSession,
  prepareProtocol,
  type SessionToExpiry,
  type SessionToFrontend,
  type SessionToPrepare,
  type SessionToZnode,
  type Stats,
  streamProtocol,
  type ZnodeToSession
} from "@zkmesh/messages"
import { CurrentMetrics, readingsOf } from "@zkmesh/metrics"
import type { Sid } from "@zkmesh/numbers"
import { Perms } from "@zkmesh/protocol"
import { type Leader, SessionCore, type SessionInput, type SessionOutput } from "@zkmesh/session"
import { CurrentTelemetry, logFields } from "@zkmesh/telemetry"
import { isAllowed } from "@zkmesh/tree"
import { Effect, FiberSet, type Scope } from "effect"
import { Audit, type WriteLine } from "./Audit.ts"
import { Expiries } from "./Expiries.ts"
import { Measures } from "./Measures.ts"
import { SessionTracing } from "./tracing/SessionTracing.ts"
import { Waits } from "./Waits.ts"

export interface SessionServiceOptions {
  readonly sid: Sid
  readonly tickTimeMs: number
  /** Ticks: how long clients wait without a leader before their connections are closed. */
  readonly syncLimit: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** Sessions begin at this peer alone (`localSessionsEnabled`), and may become the ensemble's. Defaults: no. */
  readonly localSessions?: boolean
  readonly localSessionsUpgrading?: boolean
  /** Without a leader, clients that only want to read are served after a while (`readonlymode.enabled`). Default: no. */
  readonly readOnlyMode?: boolean
  /** Whether a peer that leads serves clients while there are others that can (`leaderServes`). Default: yes. */
  readonly leaderServes?: boolean
  /** Nobody's permissions are checked (`zookeeper.skipACL`), nor what a watch may tell. Default: no. */
  readonly skipAcl?: boolean
  /** Who did what is written to the log (`audit.enable`). Default: no. */
  readonly audit?: boolean
}

type StreamEvent = LinkEvent<ZnodeToSession, SessionToZnode>
type PrepareEvent = LinkEvent<PrepareToSession, SessionToPrepare>
type LeaderEvent = LinkEvent<ExpiryToSession, SessionToExpiry>

type Message =
  | { readonly _tag: "Frontend"; readonly event: LinkEvent<FrontendToSession, SessionToFrontend> }
  | { readonly _tag: "Expiry"; readonly event: LinkEvent<SessionToExpiry, ExpiryToSession> }
  /** `at`: when it came. */
  | { readonly _tag: "Stream"; readonly event: StreamEvent; readonly at: number }
  | { readonly _tag: "Prepare"; readonly event: PrepareEvent }
  | { readonly _tag: "Leader"; readonly event: LeaderEvent }
  | { readonly _tag: "Redial"; readonly whom: "stream" | "prepare" | "leader" }
  | { readonly _tag: "Tick" }

/** Starts the session service of one peer at `session.<sid>`; it lives until the scope closes. */
export const runSession = (
  options: SessionServiceOptions
): Effect.Effect<void, BusError, Scope.Scope | Bus | Supervisor> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const name = `session.${options.sid}`
    const tracing = yield* SessionTracing.start(yield* CurrentTelemetry, options.sid)
    const metrics = yield* CurrentMetrics
    const audit =
      options.audit === true
        ? new Audit(yield* infoLog({ logger: "audit", service: "session", peer: options.sid }))
        : undefined
    if (audit !== undefined) {
      audit.started()
      yield* Effect.addFinalizer(() => Effect.sync(() => audit.stopped()))
    }
    const expiries = new Expiries(yield* infoLog({ service: "session", peer: options.sid }))
    let shell: Shell | undefined
    const actor = yield* spawn<Message>(name, (context) => {
      shell = new Shell(options, context, bus, new Measures(metrics), tracing, audit, expiries)
      return shell.handle
    })
    const own = shell!
    const forget = (yield* CurrentHealth).probe(name, () => own.health())
    const unobserve = metrics.observe(name, () => readingsOf("session", own.stats()))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        own.close()
        forget()
        unobserve()
      })
    )
    yield* bus.listen(name, frontendProtocol, (event) => actor.tell({ _tag: "Frontend", event }))
    yield* bus.listen(name, expiryProtocol, (event) => actor.tell({ _tag: "Expiry", event }))
  })

/** How long a peer looks for a leader before it serves readers, at least. */
const READ_ONLY_AFTER_MS = 2000

/** Writes lines to the log, each with `always` and what it is about beside it. */
const infoLog = (always: Readonly<Record<string, unknown>>): Effect.Effect<WriteLine, never, Scope.Scope> =>
  Effect.map(
    FiberSet.makeRuntime<never, void, never>(),
    (run): WriteLine =>
      (line, about) =>
        void run(Effect.annotateLogs(Effect.logInfo(line), { ...always, ...logFields(about) }))
  )

/** Connections are numbered from a random place, so that a service's next life does not repeat the numbers of the last. */
const firstToken = (randomBytes: (size: number) => Uint8Array): number =>
  Buffer.from(randomBytes(6)).readUIntBE(0, 6) % 2 ** 45

class Shell {
  readonly handle: Handler<Message>
  private readonly context: ActorContext<Message>
  private readonly sid: Sid
  private readonly core: SessionCore
  private readonly measures: Measures
  private readonly waits: Waits
  private readonly tracing: SessionTracing | undefined
  private readonly expiries: Expiries
  private readonly frontends = new Map<string, Link<SessionToFrontend>>()
  private readonly stream: Dialled<SessionToZnode, ZnodeToSession>
  private readonly prepare: Dialled<SessionToPrepare, PrepareToSession>
  private readonly leader: Dialled<SessionToExpiry, ExpiryToSession>
  /** The leader that `prepare` and `leader` are dialled to. */
  private dialled: Leader | undefined
  /** The pass under way has a tick in it. */
  private ticked = false

  constructor(
    options: SessionServiceOptions,
    context: ActorContext<Message>,
    bus: Bus["Service"],
    measures: Measures,
    tracing: SessionTracing | undefined,
    audit: Audit | undefined,
    expiries: Expiries
  ) {
    const limitMs = options.syncLimit * options.tickTimeMs
    const address = `session.${options.sid}`
    const skipAcl = options.skipAcl ?? false
    const { self } = context
    this.context = context
    this.sid = options.sid
    this.measures = measures
    this.tracing = tracing
    this.expiries = expiries
    this.core = new SessionCore({
      sid: options.sid,
      tickTimeMs: options.tickTimeMs,
      minSessionTimeoutMs: options.minSessionTimeoutMs,
      maxSessionTimeoutMs: options.maxSessionTimeoutMs,
      giveUpMs: limitMs,
      localSessions: options.localSessions ?? false,
      localSessionsUpgrading: options.localSessionsUpgrading ?? false,
      housePassword: context.randomBytes(16),
      leaderServes: options.leaderServes ?? true,
      readOnlyAfterMs: options.readOnlyMode === true ? Math.max(READ_ONLY_AFTER_MS, options.tickTimeMs) : undefined,
      firstToken: firstToken(context.randomBytes),
      mayRead: (acl, identity) => skipAcl || isAllowed(acl, Perms.READ, identity),
      onWritten: audit?.decided,
      onEnded: audit?.sessionEnded,
      onFired: measures.fired,
      figures: () => measures.metrics.figures("session"),
      onReset: () => measures.metrics.reset()
    })
    this.waits = new Waits(measures.metrics, this.core)
    const stream = (event: StreamEvent) => self.tell({ _tag: "Stream", event, at: context.now() })
    const prepare = (event: PrepareEvent) => self.tell({ _tag: "Prepare", event })
    const leader = (event: LeaderEvent) => self.tell({ _tag: "Leader", event })
    const later = (whom: "stream" | "prepare" | "leader") => (ms: number) => context.after(ms, { _tag: "Redial", whom })
    this.stream = new Dialled(context.now, later("stream"), (to) =>
      bus.dial(address, to, streamProtocol, stream, limitMs)
    )
    this.prepare = new Dialled(context.now, later("prepare"), (to) =>
      bus.dial(address, to, prepareProtocol, prepare, limitMs)
    )
    this.leader = new Dialled(context.now, later("leader"), (to) =>
      bus.dial(address, to, expiryProtocol, leader, limitMs)
    )
    this.stream.want({ address: `znode.${options.sid}`, for: undefined })
    context.every(options.tickTimeMs / 2, { _tag: "Tick" })
    this.handle = (batch) => this.pass(batch)
  }

  /** Lets go of everybody who was dialled. */
  close(): void {
    this.stream.want(undefined)
    this.prepare.want(undefined)
    this.leader.want(undefined)
  }

  stats(): Stats {
    return this.core.stats()
  }

  health(): Report {
    const { role, serving, connected, readOnly } = this.core.standing
    if (!connected) return { condition: "starting", why: `znode.${this.sid} is not reached yet` }
    if (role.role !== "looking") return { condition: "serving", why: `${role.role} in epoch ${role.epoch}` }
    if (readOnly) return { condition: "readOnly", why: "there is no leader: readers are served" }
    const what = serving ? "reads are answered for a while, writes wait" : "no client is served"
    return { condition: "looking", why: `there is no leader: ${what}` }
  }

  private pass(batch: ReadonlyArray<Message>): void {
    const now = this.context.now()
    for (const message of batch) this.take(message, now)
    this.carryOut(now)
  }

  private take(message: Message, now: number): void {
    switch (message._tag) {
      case "Frontend":
        this.fromFrontend(message.event, now)
        return
      case "Stream":
        this.fromZnode(message.event, message.at, now)
        return
      case "Prepare":
        this.fromPrepare(message.event, now)
        return
      case "Leader":
        this.fromLeader(message.event, now)
        return
      case "Expiry":
        if (message.event._tag === "Received") {
          for (const { sessions } of message.event.messages) this.core.step({ _tag: "Touched", sessions }, now)
        }
        return
      case "Redial":
        this[message.whom].redial()
        return
      case "Tick":
        this.core.step({ _tag: "Tick" }, now)
        this.measures.looked(this.core)
        this.ticked = true
        this.tracing?.tick(now)
        return
    }
  }

  private fromFrontend(event: LinkEvent<FrontendToSession, SessionToFrontend>, now: number): void {
    const link = event.link.id
    switch (event._tag) {
      case "Received":
        this.measures.asked(event.messages)
        this.core.step(
          { _tag: "FromFrontend", link, messages: this.tracing?.arrive(link, event.messages, now) ?? event.messages },
          now
        )
        return
      case "Opened":
        this.frontends.set(link, event.link)
        this.tracing?.opened(link)
        this.core.step({ _tag: "FrontendOpened", link }, now)
        return
      case "Broken":
        this.frontends.delete(link)
        this.tracing?.broken(link)
        this.core.step({ _tag: "FrontendBroken", link }, now)
        return
    }
  }

  private fromZnode(event: StreamEvent, at: number, now: number): void {
    const news = this.stream.take(event)
    if (news === undefined || news === "opened") return
    if (news === "broken") {
      this.tracing?.lost(now)
      this.core.step({ _tag: "StreamBroken" }, now)
    } else {
      this.tracing?.hear(news, now)
      this.waits.heard(news, now, now - at, () => this.core.step({ _tag: "FromZnode", messages: news }, now))
    }
    this.follow(now)
  }

  private fromPrepare(event: PrepareEvent, now: number): void {
    const news = this.prepare.take(event)
    if (news === undefined) return
    if (news === "opened") {
      this.prepare.link?.send({ _tag: "Hello", peer: this.sid, epoch: this.dialled!.epoch })
      this.waits.again()
      this.core.step({ _tag: "PrepareOpened" }, now)
    } else this.core.step(news === "broken" ? { _tag: "PrepareBroken" } : { _tag: "FromPrepare", messages: news }, now)
  }

  private fromLeader(event: LeaderEvent, now: number): void {
    const news = this.leader.take(event)
    if (news === "opened" || news === "broken") this.core.step({ _tag: "ExpiryLink", open: news === "opened" }, now)
  }

  /** Dials the leader that the stream has named last; links to earlier ones end at once. */
  private follow(now: number): void {
    const { leader } = this.core.standing
    if (leader === this.dialled) return
    this.dialled = leader
    const wish = (address: Address) => ({ address, for: leader })
    this.prepare.want(leader && wish(`znode.${leader.sid}`))
    const own = leader?.sid === this.sid
    const hung = this.leader.want(leader && !own ? wish(`session.${leader.sid}`) : undefined)
    const input: SessionInput = { _tag: "ExpiryLink", open: false }
    if (hung) this.core.step(input, now)
  }

  private carryOut(now: number): void {
    const output = this.core.takeOutput()
    this.waits.left(output, now)
    if (output !== undefined) this.send(output)
    this.ticked = false
    if (this.tracing === undefined) return
    const notices = this.tracing.passed(output, this.context.now())
    for (const { link, message } of notices) this.frontends.get(link)?.send(message)
  }

  private send(output: SessionOutput): void {
    // Only a tick makes sessions expire.
    if (this.ticked) {
      this.tracing?.expires(output.toPrepare, this.context.now())
      this.expiries.asked(output.toPrepare)
    }
    // A link that turns out to be broken has its Broken on the way; what it did not take is sent again after that.
    for (const message of output.toZnode) this.stream.link?.send(message)
    for (const message of output.toPrepare) this.prepare.link?.send(message)
    if (output.touch !== undefined) this.leader.link?.send({ _tag: "Touch", sessions: output.touch })
    for (const { link, messages } of output.toFrontends) {
      const frontend = this.frontends.get(link)
      if (frontend !== undefined) for (const message of messages) frontend.send(message)
    }
  }
}
