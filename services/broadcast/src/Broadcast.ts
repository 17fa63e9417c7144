/** The shell of ZAB: links, the fan-out, the store and the clock of one peer. What they mean is the core's business. */
import { type ActorContext, type Handler, Machine, type Supervisor, spawn } from "@zkmesh/actor"
import { type Address, Bus, type BusError, Dialled, type Link } from "@zkmesh/bus"
import { CurrentHealth, type Report } from "@zkmesh/health"
import {
  type BroadcastToElection,
  type BroadcastToZnode,
  commitProtocol,
  type ElectionToBroadcast,
  electionProtocol,
  type FanOut,
  type LeaderToLearner,
  type LearnerToLeader,
  learnerProtocol,
  proposalsTopic,
  type Stats
} from "@zkmesh/messages"
import { CurrentMetrics, type Readings, type Registry } from "@zkmesh/metrics"
import type { Sid } from "@zkmesh/numbers"
import { LogStore, type StoreError } from "@zkmesh/store"
import { CurrentTelemetry, type LogContext, logFields } from "@zkmesh/telemetry"
import { type LinkId, type Output, Peer, type ReadOp, type WriteOp } from "@zkmesh/zab"
import { Effect, Scope } from "effect"
import { judged } from "./blank.ts"
import { healthOf } from "./health.ts"
import { Lane, Reader, Writer } from "./Lanes.ts"
import type { ElectionEvent, LeaderEvent, LearnerEvent, Message, ZnodeEvent } from "./message.ts"
import { type BroadcastServiceOptions, peerConfig } from "./options.ts"
import type { ShellParts } from "./parts.ts"
import { Statistics } from "./Statistics.ts"
import { Taken } from "./Taken.ts"
import { BroadcastTracing } from "./tracing/BroadcastTracing.ts"

/** Opens the log and starts the broadcast service of one peer at `broadcast.<sid>`; it lives until the scope closes. */
export const runBroadcast = (
  options: BroadcastServiceOptions
): Effect.Effect<void, BusError | StoreError, Scope.Scope | Bus | Supervisor | LogStore> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const store = yield* LogStore
    const scope = yield* Scope.Scope
    const metrics = yield* CurrentMetrics
    const { now } = yield* Machine
    const openedAt = now()
    const recovered = yield* judged(yield* store.open, options)
    metrics.summary("dbinittime").record(now() - openedAt)
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const name = `broadcast.${options.sid}`
    const tracing = yield* BroadcastTracing.start(yield* CurrentTelemetry, options)
    let shell: Shell | undefined
    const actor = yield* spawn<Message>(name, (context) => {
      const about = { service: "broadcast", peer: options.sid }
      const log = (text: string, context: LogContext) =>
        void run(Effect.annotateLogs(Effect.logInfo(`${name}: ${text}`), logFields({ ...about, ...context })))
      // An idle peer steps down as soon as its database has gone, not at the next write.
      context.pipe(store.lost)
      shell = new Shell({ options, recovered, context, bus, store, scope, log, tracing, metrics })
      return shell.handle
    })
    const own = shell!
    const forget = (yield* CurrentHealth).probe(name, () => own.health())
    const unobserve = metrics.observe(name, () => own.readings())
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        own.close()
        forget()
        unobserve()
      })
    )
    // Subscribed before anybody can be told to rely on it.
    yield* bus.subscribe(proposalsTopic, (message) => {
      if (message.leader !== options.sid) actor.tell({ _tag: "FanOut", message })
    })
    yield* bus.listen(name, learnerProtocol, (event) => actor.tell({ _tag: "Learner", event }))
    yield* bus.listen(name, commitProtocol, (event) => actor.tell({ _tag: "Znode", event }))
  })

/** How often the database is asked for sizes. */
const SIZES_EVERY_MS = 5000

class Shell {
  readonly handle: Handler<Message>
  private readonly context: ActorContext<Message>
  private readonly bus: Bus["Service"]
  private readonly store: LogStore["Service"]
  private sizedAt = Number.NEGATIVE_INFINITY
  private readonly log: ShellParts["log"]
  private readonly address: Address
  private readonly limitMs: number
  private readonly commitLingerMs: number
  private readonly appendLingerMs: number
  private lingers = false
  private readonly lingered = (): void => this.context.self.tell({ _tag: "Lingered" })
  /** The phase as of which an operator is told. */
  private toldPhase: Peer["phase"] | undefined
  /** A learner has come or gone since then. */
  private hasNews = false
  /** In this pass: it leaves once the pass is over. */
  private hasPublished = false
  private readonly peer: Peer
  private readonly statistics: Statistics
  private readonly metrics: Registry
  private readonly tracing: BroadcastTracing | undefined
  private readonly writes: Lane<WriteOp>
  private readonly reads: Lane<ReadOp>
  private readonly learners = new Taken<LeaderToLearner>()
  private readonly znodes = new Taken<BroadcastToZnode>()
  private readonly election: Dialled<BroadcastToElection, ElectionToBroadcast>
  /** The link to the leader that this peer follows or would follow. */
  private leader: { readonly id: LinkId; readonly link: Link<LearnerToLeader> } | undefined

  constructor(parts: ShellParts) {
    const { options, context, bus, store, scope } = parts
    this.context = context
    this.bus = bus
    this.store = store
    this.log = parts.log
    this.address = `broadcast.${options.sid}`
    this.limitMs = options.syncLimit * options.tickTimeMs
    this.commitLingerMs = options.commitLingerMs ?? 1
    this.appendLingerMs = options.appendLingerMs ?? 20
    this.peer = new Peer(peerConfig(options, context.randomBytes), parts.recovered)
    this.tracing = parts.tracing
    this.metrics = parts.metrics
    this.statistics = new Statistics(parts.metrics, context, options.tickTimeMs, parts.recovered.last)
    const writer = new Writer(store, scope, this.statistics, context.now, options.slowCommitMs ?? 1000, parts.tracing)
    this.writes = new Lane(writer.perform, context)
    this.reads = new Lane(new Reader(store, scope).perform, context)
    const { self } = context
    this.election = new Dialled(
      context.now,
      (ms) => context.after(ms, { _tag: "RedialElection" }),
      (to) =>
        bus.dial(
          this.address,
          to,
          electionProtocol,
          (event: ElectionEvent) => self.tell({ _tag: "Election", event }),
          this.limitMs
        )
    )
    this.election.want({ address: `election.${options.sid}`, for: undefined })
    // Finer than a tick: deadlines are noticed soon after they pass, and an idle pass costs microseconds.
    context.every(Math.max(5, Math.min(100, options.tickTimeMs / 4)), { _tag: "Tick" })
    context.every(1000, { _tag: "Report" })
    this.handle = (batch) => this.pass(batch)
  }

  /** Lets go of everybody: their listeners are told that this peer has ended. */
  close(): void {
    this.election.want(undefined)
    this.leader?.link.break("this peer has ended")
    for (const link of [...this.learners.all()]) link.break("this peer has ended")
    for (const link of [...this.znodes.all()]) link.break("this peer has ended")
  }

  private pass(batch: ReadonlyArray<Message>): void {
    const now = this.context.now()
    this.hasPublished = false
    for (const message of batch) this.take(now, message)
    for (const output of this.peer.flush()) this.carryOut(now, output)
    this.statistics.observed(this.peer, now)
    // An operator who asks right after an election, or after a learner has come, is to hear of it.
    if (this.peer.phase !== this.toldPhase || this.hasNews) this.tellStats()
  }

  private take(now: number, message: Message): void {
    const { peer } = this
    switch (message._tag) {
      case "FanOut":
        this.tracing?.fromLeaderFanOut(message.message, now)
        this.statistics.heard(message.message, now)
        peer.step(now, { _tag: "FromFanOut", message: message.message })
        return
      case "Done":
        message.lane.next()
        if (message.input !== undefined) this.tracing?.stored(message.input, now)
        if (message.input !== undefined) peer.step(now, message.input)
        return
      case "Znode":
        this.takeZnode(now, message.event)
        return
      case "Learner":
        this.takeLearner(now, message.event)
        return
      case "Leader":
        this.takeLeader(now, message.id, message.event)
        return
      case "Election":
        this.takeElection(now, message.event)
        return
      case "RedialElection":
        this.election.redial()
        return
      case "Lingered":
        this.lingers = false
        peer.step(now, message)
        return
      case "Tick":
      case "FanOutLost":
        peer.step(now, message)
        return
      case "Sized":
        this.statistics.sizes = message.sizes
        this.report()
        return
      case "Report":
        this.report()
    }
  }

  private takeZnode(now: number, event: ZnodeEvent): void {
    const { peer, znodes } = this
    if (event._tag === "Opened") {
      peer.step(now, { _tag: "ZnodeOpened", link: znodes.add(event.link) })
      this.report()
    } else if (event._tag === "Broken") {
      const link = znodes.remove(event.link)
      if (link !== undefined) peer.step(now, { _tag: "ZnodeBroken", link })
    } else {
      const link = znodes.id(event.link)
      if (link === undefined) return
      for (const message of event.messages) {
        this.tracing?.fromZnode(message, now)
        this.statistics.fromZnode(message, now)
        peer.step(now, { _tag: "FromZnode", link, message })
      }
    }
  }

  private takeLearner(now: number, event: LearnerEvent): void {
    const { peer, learners } = this
    if (event._tag === "Opened") {
      peer.step(now, { _tag: "LearnerOpened", link: learners.add(event.link) })
    } else if (event._tag === "Broken") {
      const link = learners.remove(event.link)
      const detail = `${event.reason}: ${event.detail}`
      if (link === undefined) return
      this.statistics.learnerGone(link)
      this.hasNews = true
      peer.step(now, { _tag: "LearnerBroken", link, detail })
    } else {
      const link = learners.id(event.link)
      if (link === undefined) return
      for (const message of event.messages) {
        this.tracing?.fromLearner(link, message, now)
        this.statistics.fromLearner(link, message, now)
        peer.step(now, { _tag: "FromLearner", link, message })
      }
    }
  }

  private takeLeader(now: number, link: LinkId, event: LeaderEvent): void {
    const { peer } = this
    if (event._tag === "Opened") peer.step(now, { _tag: "LeaderOpened", link })
    else if (event._tag === "Broken") {
      if (this.leader?.id === link) {
        this.leader = undefined
        this.tracing?.epochs.lostLeader(`${event.reason}: ${event.detail}`, now)
      }
      const detail = `${event.reason}: ${event.detail}`
      peer.step(now, { _tag: "LeaderBroken", link, detail })
    } else {
      for (const message of event.messages) {
        this.tracing?.fromLeader(message, now)
        peer.step(now, { _tag: "FromLeader", link, message })
      }
    }
  }

  private takeElection(now: number, event: ElectionEvent): void {
    const taken = this.election.take(event)
    if (taken === undefined) return
    if (taken === "opened") this.peer.step(now, { _tag: "ElectionOpened" })
    else if (taken === "broken") this.peer.step(now, { _tag: "ElectionBroken" })
    else {
      for (const message of taken) {
        if (message._tag === "Elected") this.tracing?.epochs.electedBy(message, now)
        this.peer.step(now, { _tag: "FromElection", message })
      }
    }
  }

  /** A link that is broken drops what it is given: its Broken is on the way and the core will hear of it. */
  private carryOut(now: number, output: Output): void {
    switch (output._tag) {
      case "Publish":
        this.publish(now, output.message)
        return
      case "Write":
        this.statistics.queued(this.writes.push(output.op, this.hasPublished), output.op)
        return
      case "Read":
        this.reads.push(output.op)
        return
      case "ToZnode":
        this.statistics.toZnode(output.message, now)
        // An operator who finds a leader finds its numbers.
        if (output.message._tag === "Role") this.tellStats()
        this.znodes.link(output.link)?.send(this.tracing?.toZnode(output.message, this.context.now()) ?? output.message)
        return
      case "ToLeader":
        if (this.leader?.id === output.link) this.leader.link.send(output.message)
        return
      case "ToLearner":
        this.statistics.toLearner(output.link, output.message)
        if (output.message._tag === "UpToDate") this.hasNews = true
        this.learners.link(output.link)?.send(this.tracing?.epochs.toLearner(output.message) ?? output.message)
        return
      case "DialLeader":
        this.dial(output.link, output.leader)
        return
      case "BreakLeader":
        if (this.leader?.id === output.link) this.leader.link.break(output.detail)
        return
      case "BreakLearner":
        this.learners.link(output.link)?.break(output.detail)
        return
      case "BreakZnode":
        this.znodes.link(output.link)?.break(output.detail)
        return
      case "ToElection":
        // Should it be broken, it is dialled again and the core says it again.
        this.election.link?.send(output.message)
        return
      case "Linger":
        if (output.with === "delivery") this.context.nextTurn(this.lingered)
        else this.linger(output.with === "commit" ? this.commitLingerMs : this.appendLingerMs)
        return
      case "Note":
        this.note(output.text)
    }
  }

  /** For the operator, beside what he may look it up by. */
  private note(text: string): void {
    const { epoch, committed } = this.peer
    this.log(text, { epoch, zxid: committed, traceId: this.tracing?.epochs.traceId })
  }

  /** One timer at a time: it ends a commit's or an append's wait, if nothing that comes next has. */
  private linger(ms: number): void {
    if (this.lingers) return
    this.lingers = true
    if (ms === 0) this.context.self.tell({ _tag: "Lingered" })
    else this.context.after(ms, { _tag: "Lingered" })
  }

  private dial(id: LinkId, leader: Sid): void {
    const { self } = this.context
    const listener = (event: LeaderEvent) => self.tell({ _tag: "Leader", id, event })
    const link = this.bus.dial(this.address, `broadcast.${leader}`, learnerProtocol, listener, this.limitMs)
    this.leader = { id, link }
    this.tracing?.epochs.dialled(leader, this.context.now())
  }

  private publish(now: number, message: FanOut): void {
    this.statistics.committed(message._tag === "Commit" ? message.zxid : message.committed, now)
    this.hasPublished = true
    const sent = this.tracing?.publishes(message, this.context.now()) ?? message
    if (!this.bus.publish(proposalsTopic, sent)) this.context.self.tell({ _tag: "FanOutLost" })
    if (message._tag === "Propose") this.statistics.proposed(message.batch, now, this.context.now())
  }

  private tellStats(): void {
    this.toldPhase = this.peer.phase
    this.hasNews = false
    const { metrics } = this
    let figures: Stats | undefined
    const stats: Stats = {
      ...this.peer.stats(),
      // Many are told, and hardly anybody looks.
      get figures() {
        figures ??= metrics.figures("broadcast", "election")
        return figures
      }
    }
    for (const link of this.znodes.all()) link.send({ _tag: "Stats", stats })
  }

  private report(): void {
    this.tellStats()
    if (this.context.now() >= this.sizedAt + SIZES_EVERY_MS) this.size()
  }

  /** Asks the database how large everything has become. */
  private size(): void {
    this.sizedAt = this.context.now()
    this.context.pipe(Effect.map(this.store.sizes, (sizes) => ({ _tag: "Sized", sizes })))
  }

  readings(): Readings {
    return this.statistics.readings(this.peer)
  }

  health(): Report {
    return healthOf(this.peer)
  }
}
