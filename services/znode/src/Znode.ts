/** The znode service's shell: its links, its clock, its database. What they mean is the core's business (`@zkmesh/tree`). */
import { type ActorContext, type Handler, Machine, type Supervisor, spawn } from "@zkmesh/actor"
import { Bus, type BusError, Dialled, type Link, type LinkEvent } from "@zkmesh/bus"
import { CurrentHealth, type Report } from "@zkmesh/health"
import {
  type BroadcastToZnode,
  commitProtocol,
  type PrepareToSession,
  prepareProtocol,
  type SessionToPrepare,
  type SessionToZnode,
  streamProtocol,
  type ZnodeToBroadcast,
  type ZnodeToSession
} from "@zkmesh/messages"
import { CurrentMetrics, type Readings } from "@zkmesh/metrics"
import type { Sid } from "@zkmesh/numbers"
import { StoreError, TreeStore } from "@zkmesh/store"
import { CurrentTelemetry } from "@zkmesh/telemetry"
import { type Clocks, type OptionalScheme, type Tree, TreeLoader, ZnodeCore, type ZnodeInput } from "@zkmesh/tree"
import { Effect, type Scope, Stream } from "effect"
import { Measures } from "./Measures.ts"
import { Namespaces } from "./Namespaces.ts"
import { ZnodeTracing } from "./tracing/ZnodeTracing.ts"

export interface ZnodeServiceOptions {
  readonly sid: Sid
  /** Transactions after which a checkpoint is written. */
  readonly snapCount: number
  /** How long a change may go without a checkpoint. */
  readonly checkpointIntervalMs: number
  readonly tickTimeMs: number
  /** Ticks of silence after which a link breaks. */
  readonly syncLimit: number
  /** TTL nodes (`zookeeper.extendedTypesEnabled`); must be the same on all peers. Default: no. */
  readonly extendedTypes?: boolean
  /** Hard quotas are kept (`zookeeper.enforceQuota`). Default: no. */
  readonly enforceQuota?: boolean
  /** What `/zookeeper/config` shows. Default: nothing. */
  readonly configText?: string
  /** How often the leader deletes empty containers and ttl nodes past their time. Default: a minute. */
  readonly containerCheckIntervalMs?: number
  /** How many of them in a minute at most. Default: 10,000. */
  readonly containerMaxPerMinute?: number
  /** How long a container may wait for its first child. Default: 0, for ever. */
  readonly containerMaxNeverUsedMs?: number
  /** The membership may be changed (`reconfigEnabled`). Default: no. */
  readonly reconfigEnabled?: boolean
  /** A lone voter is a server alone, which cannot be changed (`standaloneEnabled`). Default: yes. */
  readonly standaloneEnabled?: boolean
  /** Schemes by which nobody can prove anything, and which no ACL may name. Default: none. */
  readonly absentSchemes?: ReadonlyArray<OptionalScheme>
  /** Nobody's permissions are checked (`zookeeper.skipACL`). Default: no. */
  readonly skipAcl?: boolean
  /** How much the leader prepares ahead of what is applied. Default: 16 MiB. */
  readonly proposalWindowBytes?: number
  /** Memory for the replies to everybody's last writes, bytes; a frontend whose peer dies asks for them. Default: 8 MiB. */
  readonly recentReplyBytes?: number
  /** Transactions whose events are kept for the same clients (32,768); 0: none. */
  readonly recentEvents?: number
  /** Trees are compared whenever a zxid's counter is a multiple of this; must be the same on all peers. Default: 128. */
  readonly digestEvery?: number
}

type Message =
  | { readonly _tag: "Stream"; readonly event: LinkEvent<SessionToZnode, ZnodeToSession> }
  /** `at`: when it came, on the monotonic clock. */
  | { readonly _tag: "Prepare"; readonly event: LinkEvent<SessionToPrepare, PrepareToSession>; readonly at: number }
  | { readonly _tag: "Broadcast"; readonly event: LinkEvent<BroadcastToZnode, ZnodeToBroadcast> }
  | { readonly _tag: "Redial" }
  | { readonly _tag: "Loaded"; readonly tree: Tree }
  | { readonly _tag: "CheckpointWritten" }
  /** Told again after a while: a SNAP may have come between, and then it is no failure. */
  | { readonly _tag: "CheckpointFailed"; readonly cause: StoreError; readonly isFinal: boolean }
  | { readonly _tag: "Tick" }

/** How long a checkpoint that failed waits to hear that its tree has been replaced. */
const REPLACED_WITHIN_MS = 3000

/** Reads the checkpoint whole; what it has taken from the store it keeps until the scope closes. */
const loadTree = (
  options: ZnodeServiceOptions,
  hashSeed: number
): Effect.Effect<Tree, StoreError, Scope.Scope | TreeStore> =>
  Effect.gen(function* () {
    const store = yield* TreeStore
    const { zxid, digest, sessions, nodes } = yield* store.load
    const loader = new TreeLoader(hashSeed)
    yield* Stream.runForEach(nodes, (batch) => Effect.sync(() => loader.add(batch)))
    const tree = yield* Effect.try({
      try: () => loader.finish(zxid, digest, sessions),
      catch: (cause) =>
        new StoreError({
          operation: "load",
          message: `znodes is corrupt: ${cause instanceof Error ? cause.message : String(cause)}`,
          fault: "corrupt",
          cause
        })
    })
    if (options.configText !== undefined) tree.setConfig(options.configText)
    return tree
  })

/** Starts the znode service of one peer at `znode.<sid>`, its tree loaded; it lives until the scope closes. */
export const runZnode = (
  options: ZnodeServiceOptions
): Effect.Effect<void, BusError | StoreError, Scope.Scope | Bus | Supervisor | TreeStore> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const store = yield* TreeStore
    const machine = yield* Machine
    const hashSeed = Buffer.from(machine.randomBytes(4)).readUInt32BE()
    const measures = new Measures(yield* CurrentMetrics)
    const name = `znode.${options.sid}`
    const health = yield* CurrentHealth
    const forgetLoading = health.probe(name, () => ({ condition: "starting", why: "the tree is being loaded" }))
    yield* Effect.addFinalizer(() => Effect.sync(forgetLoading))
    const startedAt = machine.now()
    const tree = yield* loadTree(options, hashSeed)
    measures.loaded(machine.now() - startedAt)
    // The store is held by the service's scope already: what a reload takes besides, it gives back.
    const reload = Effect.scoped(loadTree(options, hashSeed)).pipe(Effect.provideService(TreeStore, store))
    const tracing = yield* ZnodeTracing.start(yield* CurrentTelemetry, options.sid)
    let shell: Shell | undefined
    const actor = yield* spawn<Message>(name, (context) => {
      shell = new Shell(options, context, bus, store, reload, tree, measures, tracing)
      return shell.handle
    })
    const own = shell!
    const forget = health.probe(name, () => own.health())
    const unobserve = measures.metrics.observe(name, () => own.readings())
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        own.close()
        forget()
        unobserve()
      })
    )
    yield* bus.listen(name, streamProtocol, (event) => actor.tell({ _tag: "Stream", event }))
    yield* bus.listen(name, prepareProtocol, (event) => actor.tell({ _tag: "Prepare", event, at: machine.now() }))
  })

class Shell {
  readonly handle: Handler<Message>
  private readonly context: ActorContext<Message>
  private readonly store: TreeStore["Service"]
  private readonly reload: Effect.Effect<Tree, StoreError>
  private readonly core: ZnodeCore
  private readonly measures: Measures
  private readonly tracing: ZnodeTracing | undefined
  private readonly streams = new Map<string, Link<ZnodeToSession>>()
  private readonly prepares = new Map<string, Link<PrepareToSession>>()
  private readonly broadcast: Dialled<ZnodeToBroadcast, BroadcastToZnode>

  constructor(
    options: ZnodeServiceOptions,
    context: ActorContext<Message>,
    bus: Bus["Service"],
    store: TreeStore["Service"],
    reload: Effect.Effect<Tree, StoreError>,
    tree: Tree,
    measures: Measures,
    tracing: ZnodeTracing | undefined
  ) {
    const { sid, tickTimeMs, syncLimit, snapCount, checkpointIntervalMs } = options
    const checkMs = options.containerCheckIntervalMs ?? 60_000
    this.context = context
    this.store = store
    this.reload = reload
    this.measures = measures
    this.tracing = tracing
    this.core = new ZnodeCore(
      {
        sid,
        snapCount,
        checkpointIntervalMs,
        ...(options.digestEvery === undefined ? {} : { digestEvery: options.digestEvery }),
        extendedTypes: options.extendedTypes ?? false,
        enforceQuota: options.enforceQuota ?? false,
        absentSchemes: options.absentSchemes ?? [],
        skipAcl: options.skipAcl ?? false,
        reconfigEnabled: options.reconfigEnabled ?? false,
        standaloneEnabled: options.standaloneEnabled ?? true,
        containerCheckIntervalMs: checkMs,
        containerMaxPerCheck: Math.max(1, Math.ceil(((options.containerMaxPerMinute ?? 10_000) * checkMs) / 60_000)),
        containerMaxNeverUsedMs: options.containerMaxNeverUsedMs ?? 0,
        recentReplyBytes: options.recentReplyBytes ?? 8 * 1024 * 1024,
        recentEvents: options.recentEvents ?? 32_768,
        proposalWindowBytes: options.proposalWindowBytes ?? 16 * 1024 * 1024,
        figures: () => measures.metrics.figures("znode"),
        onReset: () => measures.metrics.reset(),
        traffic: new Namespaces(measures.metrics)
      },
      tree
    )
    const { self } = context
    this.broadcast = new Dialled(
      context.now,
      (ms) => context.after(ms, { _tag: "Redial" }),
      (to) =>
        bus.dial(
          `znode.${sid}`,
          to,
          commitProtocol,
          (event: LinkEvent<BroadcastToZnode, ZnodeToBroadcast>) => self.tell({ _tag: "Broadcast", event }),
          syncLimit * tickTimeMs
        )
    )
    this.broadcast.want({ address: `broadcast.${sid}`, for: undefined })
    context.every(Math.min(1000, checkpointIntervalMs, checkMs), { _tag: "Tick" })
    this.handle = (batch) => this.pass(batch)
  }

  /** Lets go of broadcast, and of everybody who has dialled. */
  close(): void {
    this.broadcast.want(undefined)
    for (const link of [...this.streams.values(), ...this.prepares.values()]) link.break("the znode service has ended")
  }

  readings(): Readings {
    return this.measures.readings(this.core)
  }

  health(): Report {
    const { role, isLoading } = this.core
    if (isLoading) return { condition: "syncing", why: "the tree of a leader's snapshot is being loaded" }
    if (role.role !== "looking") return { condition: "serving", why: role.role }
    const why = this.broadcast.link === undefined ? "its broadcast is not reached" : "there is no leader"
    return { condition: "looking", why }
  }

  private pass(batch: ReadonlyArray<Message>): void {
    const clocks = { nowMs: this.context.now(), wallMs: this.context.wallClock() }
    for (const message of batch) this.take(message, clocks)
    this.carryOut(clocks.nowMs)
  }

  private take(message: Message, clocks: Clocks): void {
    switch (message._tag) {
      case "Stream":
        this.fromSession(message.event, clocks)
        return
      case "Prepare":
        this.fromAsker(message.event, message.at, clocks)
        return
      case "Broadcast":
        this.fromBroadcast(message.event, clocks)
        return
      case "Redial":
        this.broadcast.redial()
        return
      case "CheckpointWritten":
        this.tracing?.checkpointEnds(clocks.nowMs, undefined)
        this.measures.checkpointed(clocks.nowMs)
        this.core.step(message, clocks)
        return
      case "CheckpointFailed":
        this.checkpointFailed(message, clocks)
        return
      default:
        this.core.step(message, clocks)
        return
    }
  }

  private fromSession(event: LinkEvent<SessionToZnode, ZnodeToSession>, clocks: Clocks): void {
    const link = event.link.id
    if (event._tag === "Received") {
      const { messages } = event
      const started = this.context.now()
      this.core.step({ _tag: "FromStream", link, messages }, clocks)
      this.measures.answered(messages, this.context.now() - started)
    } else if (event._tag === "Opened") {
      this.streams.set(link, event.link)
      this.core.step({ _tag: "StreamOpened", link }, clocks)
    } else if (this.streams.delete(link)) this.core.step({ _tag: "StreamBroken", link }, clocks)
  }

  private fromAsker(event: LinkEvent<SessionToPrepare, PrepareToSession>, at: number, clocks: Clocks): void {
    const link = event.link.id
    if (event._tag === "Received") {
      const { messages } = event
      const started = this.context.now()
      const closes = this.core.preparedCloses
      this.core.step({ _tag: "FromPrepare", link, messages }, clocks)
      const ms = this.context.now() - started
      this.measures.prepared(messages, ms, this.core.preparedCloses - closes, started - at)
    } else if (event._tag === "Opened") {
      this.prepares.set(link, event.link)
      this.core.step({ _tag: "PrepareOpened", link }, clocks)
    } else if (this.prepares.delete(link)) this.core.step({ _tag: "PrepareBroken", link }, clocks)
  }

  private fromBroadcast(event: LinkEvent<BroadcastToZnode, ZnodeToBroadcast>, clocks: Clocks): void {
    const news = this.broadcast.take(event)
    if (news === undefined) return
    const input: ZnodeInput =
      news === "opened"
        ? { _tag: "BroadcastOpened" }
        : news === "broken"
          ? { _tag: "BroadcastBroken" }
          : { _tag: "FromBroadcast", messages: news }
    const started = this.context.now()
    this.measures.watched(() => this.core.step(input, clocks))
    if (input._tag !== "FromBroadcast") return
    const ended = this.context.now()
    this.measures.applied(input.messages, clocks.wallMs, ended - started)
    this.tracing?.applies(input.messages, started, ended)
  }

  /** `started`: when the pass began. */
  private carryOut(started: number): void {
    const output = this.core.take()
    const { tracing } = this
    const now = tracing === undefined ? 0 : this.context.now()
    // A link that turns out to be broken has its Broken on the way, and everything begins anew after that.
    for (const message of output.toBroadcast) {
      this.broadcast.link?.send(tracing?.proposes(message, started, now) ?? message)
    }
    for (const { link, messages } of output.toStreams) {
      const stream = this.streams.get(link)
      if (stream === undefined) continue
      for (const message of messages) stream.send(tracing?.streams(message, started, now) ?? message)
    }
    tracing?.passed()
    for (const { link, messages } of output.toPrepare) {
      const asker = this.prepares.get(link)
      if (asker !== undefined) for (const message of messages) asker.send(message)
    }
    for (const { link, detail } of output.breaks) {
      const broken = this.streams.get(link) ?? this.prepares.get(link)
      this.streams.delete(link)
      this.prepares.delete(link)
      broken?.break(detail)
    }
    if (output.checkpoint !== undefined) this.write(output.checkpoint)
    if (output.reload) this.context.pipe(Effect.map(this.reload, (tree) => ({ _tag: "Loaded", tree })))
  }

  private write(delta: Parameters<TreeStore["Service"]["checkpoint"]>[0]): void {
    this.tracing?.checkpointBegins(delta, this.context.now())
    this.measures.checkpointBegins(this.context.now())
    const written = Effect.match(this.store.checkpoint(delta), {
      onSuccess: (): Message => ({ _tag: "CheckpointWritten" }),
      onFailure: (cause): Message => ({ _tag: "CheckpointFailed", cause, isFinal: false })
    })
    this.context.pipe(written)
  }

  /** The database refuses a checkpoint that a SNAP has overtaken, and the news of that may come later. */
  private checkpointFailed(message: Extract<Message, { readonly _tag: "CheckpointFailed" }>, clocks: Clocks): void {
    this.tracing?.checkpointEnds(clocks.nowMs, message.cause.message)
    if (!this.core.needsCheckpoint) this.core.step({ _tag: "CheckpointAbandoned" }, clocks)
    else if (message.isFinal) throw message.cause
    else this.context.after(REPLACED_WITHIN_MS, { ...message, isFinal: true })
  }
}
