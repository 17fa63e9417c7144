/** Peers of election, broadcast and znode over one loopback bus and memory disks; the test is their session service. */
import { makeSupervisor, Supervisor } from "@zkmesh/actor"
import { type Address, Bus, Dialled, type Link, type LinkEvent, ownedBusLayer, type Protocol } from "@zkmesh/bus"
import {
  type AppliedTxn,
  ClientRequest,
  type PrepareToSession,
  prepareProtocol,
  type RoleChange,
  type SessionRecord,
  type SessionToPrepare,
  type SessionToZnode,
  type Stats,
  streamProtocol,
  WriteRequest,
  type ZnodeToSession
} from "@zkmesh/messages"
import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"
import { JuteReader, JuteWriter, OpCode, writeCreateRequest } from "@zkmesh/protocol"
import { runBroadcast } from "@zkmesh/service-broadcast"
import { runElection } from "@zkmesh/service-election"
import { type MemoryDatabase, memoryLayer } from "@zkmesh/store"
import { OPEN_ACL } from "@zkmesh/tree"
import { Effect, Exit, Scope } from "effect"
import { runZnode, type ZnodeServiceOptions } from "../src/index.ts"

const LOOKING: RoleChange = { _tag: "Role", role: "looking", epoch: 0, leader: 0 }
const IP = [{ scheme: "ip", id: "127.0.0.1" }]

/** Told after every message to any session. */
export class Changes {
  private readonly waiting = new Set<() => void>()

  readonly happened = (): void => {
    for (const check of [...this.waiting]) check()
  }
  /** Waits, without a clock, until something is true. */
  readonly until = (what: string, isTrue: () => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const check = () => {
        if (!isTrue()) return
        this.waiting.delete(check)
        resume(Effect.void)
      }
      this.waiting.add(check)
      check()
      return Effect.sync(() => void this.waiting.delete(check))
    }).pipe(
      Effect.timeoutOption("10 seconds"),
      Effect.flatMap((outcome) => (outcome._tag === "Some" ? Effect.void : Effect.die(new Error(`never: ${what}`))))
    )
}

/** What a session service hears of its znode, and asks it. */
export class TestSession {
  readonly sid: Sid
  role = LOOKING
  zxid: Zxid = 0
  sessions: ReadonlyArray<SessionRecord> = []
  txns: Array<AppliedTxn> = []
  /** Error codes of reads, in the order of asking. */
  replies: Array<{ readonly zxid: Zxid; readonly err: number }> = []
  rejected: Array<PrepareToSession> = []
  stats: Stats = {}
  hellos = 0
  private readonly changes: Changes
  private readonly bus: Bus["Service"]
  private readonly stream: Dialled<SessionToZnode, ZnodeToSession>
  private readonly prepare: Dialled<SessionToPrepare, PrepareToSession>
  private wished: RoleChange = LOOKING

  constructor(sid: Sid, bus: Bus["Service"], changes: Changes) {
    this.sid = sid
    this.bus = bus
    this.changes = changes
    this.stream = this.dialled(streamProtocol, (event) => this.heard(event))
    this.prepare = this.dialled(prepareProtocol, (event) => this.heardOfPrepare(event))
    this.stream.want({ address: `znode.${sid}`, for: undefined })
  }

  private dialled<Up, Down>(protocol: Protocol<Up, Down>, listener: (event: LinkEvent<Down, Up>) => void) {
    const later = (ms: number) => {
      const timer = setTimeout(() => dialled.redial(), ms)
      return () => clearTimeout(timer)
    }
    const dial = (to: Address): Link<Up> => this.bus.dial(`session.${this.sid}`, to, protocol, listener, 2000)
    const dialled: Dialled<Up, Down> = new Dialled<Up, Down>(() => performance.now(), later, dial)
    return dialled
  }

  close(): void {
    this.stream.want(undefined)
    this.prepare.want(undefined)
  }

  private heard(event: LinkEvent<ZnodeToSession, SessionToZnode>): void {
    const news = this.stream.take(event)
    if (news === "broken") this.role = LOOKING
    else if (news !== undefined && news !== "opened") for (const message of news) this.take(message)
    this.follow()
    this.changes.happened()
  }

  private take(message: ZnodeToSession): void {
    switch (message._tag) {
      case "Hello":
        this.hellos++
        this.zxid = message.zxid
        this.role = message.role
        this.sessions = message.sessions
        return
      case "Role":
        this.role = message
        return
      case "ReadReplies":
        for (const [i, end] of message.ends.entries()) {
          const reader = new JuteReader(message.buffer, i === 0 ? 0 : message.ends[i - 1]!, end)
          reader.int()
          reader.int()
          this.replies.push({ zxid: reader.long(), err: reader.int() })
        }
        return
      case "Applied":
        this.zxid = message.zxid
        this.txns.push(...message.txns)
        return
      case "Answer":
        this.stats = message.stats
        return
    }
  }

  private heardOfPrepare(event: LinkEvent<PrepareToSession, SessionToPrepare>): void {
    const news = this.prepare.take(event)
    if (news === "opened") this.prepare.link?.send({ _tag: "Hello", peer: this.sid, epoch: this.wished.epoch })
    else if (news !== undefined && news !== "broken") this.rejected.push(...news)
    this.changes.happened()
  }

  private follow(): void {
    if (this.wished === this.role) return
    this.wished = this.role
    const { leader, role } = this.role
    this.prepare.want(role === "looking" ? undefined : { address: `znode.${leader}`, for: this.role })
  }

  get canWrite(): boolean {
    return this.prepare.link !== undefined
  }

  open(token: number): void {
    const password = new Uint8Array(16).fill(token)
    this.prepare.link?.send({
      _tag: "Open",
      session: 0,
      password,
      timeoutMs: 10_000,
      lastZxidSeen: 0,
      peer: this.sid,
      token
    })
  }

  /** The session that came of the token. */
  opened(token: number): SessionId | undefined {
    for (const { sessionChange } of this.txns) {
      if (sessionChange?.kind === "created" && sessionChange.record.token === token) return sessionChange.record.id
    }
    return undefined
  }

  create(session: SessionId, from: number, to: number): void {
    const writer = new JuteWriter()
    const requests: Array<WriteRequest> = []
    const spans: Array<readonly [number, number]> = []
    for (let seq = from; seq <= to; seq++) {
      const start = writer.length
      writeCreateRequest(writer, { path: `/n${seq}`, data: new Uint8Array(100), acl: [...OPEN_ACL], flags: 0 })
      spans.push([start, writer.length])
    }
    const bytes = writer.take()
    for (const [i, [start, end]] of spans.entries()) {
      const seq = from + i
      requests.push(new WriteRequest(session, session, seq, seq, OpCode.create, IP, bytes, start, end))
    }
    this.prepare.link?.send({ _tag: "Writes", requests })
  }

  exists(session: SessionId, ...paths: ReadonlyArray<string>): void {
    const requests = paths.map((path) => {
      const writer = new JuteWriter()
      writer.ustring(path)
      writer.bool(false)
      const bytes = writer.take()
      return new ClientRequest(1, 1, OpCode.exists, bytes, 0, bytes.length)
    })
    this.stream.link?.send({
      _tag: "Reads",
      requests,
      identities: paths.map(() => IP),
      sessions: paths.map(() => session)
    })
  }

  query(): void {
    this.stats = {}
    this.stream.link?.send({ _tag: "Query", id: 1 })
  }
}

export interface TestPeer {
  readonly session: TestSession
  readonly kill: Effect.Effect<void>
  /** Why it died, or never. */
  readonly died: Effect.Effect<never, unknown>
}

export interface PeerOptions extends Partial<ZnodeServiceOptions> {
  readonly logRetain?: number
  readonly windowBytes?: number
}

/** Starts one peer over its disk, in a scope of its own that ends with the test at the latest. */
export const startPeer = (
  sid: Sid,
  voters: ReadonlyArray<Sid>,
  database: MemoryDatabase,
  changes: Changes,
  options: PeerOptions
) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const { logRetain, windowBytes, ...znode } = options
    const times = { tickTimeMs: 100, syncLimit: 5 }
    const program = Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(`peer ${sid}`)
      const services = Effect.gen(function* () {
        yield* runElection({ sid, voters, observer: false })
        yield* runBroadcast({
          sid,
          voters,
          observers: [],
          initLimit: 10,
          ...times,
          ...(logRetain === undefined ? {} : { logRetain }),
          ...(windowBytes === undefined ? {} : { windowBytes })
        })
        yield* runZnode({ sid, snapCount: 100_000, checkpointIntervalMs: 60_000, ...times, ...znode })
      })
      yield* Effect.provideService(Effect.orDie(services), Supervisor, supervisor)
      return supervisor.join
    })
    const died = yield* program.pipe(
      Effect.provide([memoryLayer(database), ownedBusLayer]),
      Effect.provideService(Scope.Scope, scope)
    )
    const session = new TestSession(sid, bus, changes)
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => session.close())
    )
    return { session, died, kill: Scope.close(scope, Exit.void) } satisfies TestPeer
  })
