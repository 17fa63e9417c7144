/**
 * What the session service's shell tells about sampled requests: from when they come to when their replies leave, and
 * which watches they fire. Of the others it remembers when each message came, and how many requests it held.
 */
import {
  ClientRequest,
  type FrontendToSession,
  type KeptRequest,
  type SessionToPrepare,
  SpanKind,
  type TraceContext,
  type ZnodeToSession
} from "@zkmesh/messages"
import { hex, type SessionId, type Sid } from "@zkmesh/numbers"
import { opName } from "@zkmesh/protocol"
import type { SessionOutput } from "@zkmesh/session"
import { newTraceId, Rows, spanIdOf, type Telemetry, type Tracer } from "@zkmesh/telemetry"
import { Effect, type Scope } from "effect"
import { FiredWatches, type Notice } from "./FiredWatches.ts"

/** A sampled request that has not been answered. */
interface Underway {
  readonly parentId: string
  readonly name: string
  readonly start: number
  /** Of a trace that began here, not with a client: the session that it is about. */
  readonly expired?: SessionId
}

/** A request whose reply has passed by, or nearly: what answered it. */
interface Ended extends TraceContext {
  /** When the answer came. */
  readonly at: number
}

/** Those that nobody answers (their clients have gone) are given up after this. */
const PATIENCE_MS = 120_000
const MAX_UNDERWAY = 65_536
/** Expiries in one pass that are traced at most. */
const MAX_EXPIRIES = 16

export class SessionTracing {
  private readonly tracer: Tracer
  private readonly underway = new Map<string, Underway>()
  /** Of each frontend's link: the numbers of the first and last request of a message, and when it came. */
  private readonly arrivals = new Map<string, { readonly rows: Rows; count: number }>()
  private ended: Array<Ended> = []
  private readonly watches: FiredWatches

  private constructor(tracer: Tracer) {
    this.tracer = tracer
    this.watches = new FiredWatches(tracer)
  }

  /** undefined if nothing is traced. It answers to the ensemble until the scope closes. */
  static start(
    telemetry: Telemetry | undefined,
    sid: Sid
  ): Effect.Effect<SessionTracing | undefined, never, Scope.Scope> {
    if (telemetry === undefined) return Effect.succeed(undefined)
    const tracing = new SessionTracing(telemetry.tracer("session", `session.${sid}`, sid))
    const listen = Effect.sync(() => telemetry.onKeep((request) => tracing.keep(request)))
    return Effect.as(
      Effect.acquireRelease(listen, (stop) => Effect.sync(stop)),
      tracing
    )
  }

  // From frontends.

  opened(link: string): void {
    this.arrivals.set(link, { rows: new Rows(3, 2048), count: 0 })
  }

  broken(link: string): void {
    this.arrivals.delete(link)
  }

  /** Messages as the core shall have them: sampled requests go on under this service's own span. */
  arrive(link: string, messages: ReadonlyArray<FrontendToSession>, now: number): ReadonlyArray<FrontendToSession> {
    const arrivals = this.arrivals.get(link)
    let isSampled = false
    for (const message of messages) {
      if (message._tag === "Requests") {
        const count = message.requests.length
        if (arrivals !== undefined) {
          arrivals.rows.push(arrivals.count, arrivals.count + count - 1, now)
          arrivals.count += count
        }
        isSampled ||= message.isSampled === true
      } else isSampled ||= message._tag === "Connect" && message.trace !== undefined
    }
    return isSampled ? messages.map((message) => this.take(message, now)) : messages
  }

  private take(message: FrontendToSession, now: number): FrontendToSession {
    if (message._tag === "Connect" && message.trace !== undefined) {
      return { ...message, trace: this.begin(message.trace, "session createSession", now) }
    }
    if (message._tag !== "Requests" || message.isSampled !== true) return message
    const requests = message.requests.map((request) => {
      const { conn, xid, op, buffer, start, end, trace } = request
      if (trace === undefined) return request
      return new ClientRequest(conn, xid, op, buffer, start, end, this.begin(trace, `session ${opName(op)}`, now))
    })
    return { ...message, requests }
  }

  private begin({ traceId, spanId }: TraceContext, name: string, now: number): TraceContext {
    if (this.underway.size < MAX_UNDERWAY) {
      this.underway.set(traceId, { parentId: spanId, name, start: now })
    }
    return { traceId, spanId: spanIdOf(traceId, "session", this.tracer.sid) }
  }

  // From the znodes.

  /** What the peer's own znode says: answers to sampled requests are among it, or not. */
  hear(messages: ReadonlyArray<ZnodeToSession>, now: number): void {
    for (const message of messages) {
      if (message._tag === "ReadReplies" || message._tag === "RepliesAfter") {
        if (message.traces !== undefined) for (const { trace } of message.traces) this.ends(trace, now)
      } else if (message._tag === "Applied" && message.traces !== undefined) {
        for (const { zxid, trace } of message.traces) {
          this.watches.passes(zxid, trace, now)
          this.ends(trace, now)
        }
      }
    }
  }

  private ends({ traceId, spanId }: TraceContext, at: number): void {
    if (this.underway.has(traceId)) this.ended.push({ traceId, spanId, at })
  }

  /** The stream has ended: nobody will be answered. */
  lost(now: number): void {
    for (const [traceId, one] of this.underway) this.tell(traceId, one, now, "the peer's znode was lost")
    this.underway.clear()
    this.ended = []
  }

  // To the others.

  /** The ensemble closes sessions for their silence: that is a trace of its own. */
  expires(messages: ReadonlyArray<SessionToPrepare>, now: number): void {
    let left = MAX_EXPIRIES
    for (const message of messages) {
      if (message._tag !== "Writes") continue
      for (const request of message.requests) {
        if (request.connection !== 0 || request.trace !== undefined || left === 0) continue
        left--
        const traceId = newTraceId()
        this.underway.set(traceId, { parentId: "", name: "expire session", start: now, expired: request.session })
        request.trace = { traceId, spanId: spanIdOf(traceId, "session", this.tracer.sid) }
      }
    }
  }

  /** Everything that the pass has caused has left. Returns what frontends are told of it. */
  passed(output: SessionOutput | undefined, now: number): ReadonlyArray<Notice> {
    if (this.ended.length > 0) {
      const { ended } = this
      this.ended = []
      for (const one of ended) this.answered(one, now)
    }
    return this.watches.passed(output?.fired, now)
  }

  private answered({ traceId, spanId, at }: Ended, now: number): void {
    const one = this.underway.get(traceId)
    if (one === undefined) return
    this.underway.delete(traceId)
    this.tell(traceId, one, now, undefined)
    if (one.expired !== undefined) return
    const { tracer } = this
    tracer.step({ traceId, spanId }, spanIdOf(traceId, "reply", tracer.sid), {
      name: "reply",
      kind: SpanKind.producer,
      start: at,
      end: now,
      attributes: tracer.sending
    })
  }

  private tell(traceId: string, one: Underway, now: number, error: string | undefined): void {
    const { parentId, name, start, expired } = one
    const { tracer } = this
    tracer.record({
      traceId,
      parentId,
      spanId: spanIdOf(traceId, "session", tracer.sid),
      name,
      kind: SpanKind.consumer,
      start,
      end: now,
      attributes: {
        ...tracer.messaging,
        ...(expired === undefined ? {} : { "zookeeper.session.id": hex(expired) })
      },
      error
    })
  }

  // Time.

  tick(now: number): void {
    for (const [traceId, one] of this.underway) {
      // In the order in which they came.
      if (now - one.start < PATIENCE_MS) return
      this.underway.delete(traceId)
      this.tell(traceId, one, now, "never answered")
    }
  }

  /** A request that is traced after all. */
  private keep(request: KeptRequest): void {
    const { tracer } = this
    if (request.peer !== tracer.sid) return
    const { traceId, rootId, op, end, zxid, isRead } = request
    const rows = this.arrivals.get(request.link)?.rows
    const age = rows?.covering(request.ordinal) ?? 0
    if (rows === undefined || age === 0) return
    const offset = tracer.telemetry.wall(0)
    const start = rows.value(age, 2)
    const reply = Math.max(start, end - offset)
    this.tell(traceId, { parentId: rootId, name: `session ${op}`, start }, reply, undefined)
    const step = isRead ? "read" : "apply"
    tracer.step(
      { traceId, spanId: spanIdOf(traceId, step, tracer.sid, isRead ? 0 : zxid) },
      spanIdOf(traceId, "reply", tracer.sid),
      {
        name: "reply",
        kind: SpanKind.producer,
        start: reply,
        end: reply,
        attributes: tracer.sending
      }
    )
  }
}
