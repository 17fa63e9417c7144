/**
 * Tracing of one process: what its services record by, what is sampled, and how the processes of an ensemble ask each
 * other for spans.
 *
 * A service takes its `Tracer` when it starts, or undefined while nothing can be traced: then it pays nothing at all.
 */
import type { KeptRequest, SpanAttributes, SpanKind, SpanRecord, TraceContext, TraceTarget } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import { Context } from "effect"
import { newSpanId } from "./ids.ts"
import { Recorder } from "./recorder.ts"
import { Sampler } from "./sampler.ts"

/** Replies with which codes count as failed. */
export type Failures = "none" | "system" | "all"

export interface TelemetryOptions {
  readonly ensemble: string
  /** How services reach each other: OpenTelemetry's messaging.system. */
  readonly messaging: "nats" | "loopback"
  /** What the log and the tree are kept in: OpenTelemetry's db.system.name; undefined for memory. */
  readonly database: string | undefined
  /** Of client requests, 0…1. */
  readonly ratio: number
  /** Requests that are traced by chance in a second at most; 0: no limit. */
  readonly perSecond: number
  /** A request that has taken this long is traced after all; 0: none is. */
  readonly slowMs: number
  /** Replies with which codes are traced after all. */
  readonly failures: Failures
}

/** A span as a service tells it; times are milliseconds on the process's monotonic clock (`performance.now()`). */
export interface Told {
  readonly traceId: string
  readonly spanId: string
  /** "": the root of its trace. */
  readonly parentId: string
  readonly name: string
  readonly kind: SpanKind
  readonly start: number
  readonly end: number
  readonly attributes: SpanAttributes
  readonly links?: ReadonlyArray<TraceContext> | undefined
  readonly error?: string | undefined
}

/** How spans get out of this process, and questions into it; what does it is there once the bus is. */
export interface Outlet {
  /** Everything of the target is sampled for so long, by every frontend; with 0 no more. Resolves when they have heard. */
  readonly want: (message: { readonly target: TraceTarget; readonly forMs: number }) => Promise<void>
  readonly keep: (request: KeptRequest) => void
  readonly ask: (
    question: { readonly traceIds: ReadonlyArray<string> } | { readonly session: string }
  ) => Promise<ReadonlyArray<SpanRecord>>
}

export class Telemetry {
  readonly options: TelemetryOptions
  readonly recorder = new Recorder()
  readonly sampler: Sampler
  /** Whether requests are looked at again when they are answered: slow and failed ones are traced after all. */
  readonly keepsTail: boolean
  outlet: Outlet | undefined
  private readonly keepers = new Set<(request: KeptRequest) => void>()
  /** Wall clock minus monotonic clock, milliseconds. */
  private offset = performance.timeOrigin

  constructor(options: TelemetryOptions) {
    this.options = options
    this.sampler = new Sampler(options.ratio, options.perSecond)
    this.keepsTail = options.slowMs > 0 || options.failures !== "none"
  }

  /** Milliseconds since 1970 of a reading of the monotonic clock. */
  wall(at: number): number {
    return this.offset + at
  }

  /** Follows a wall clock that has been set; small differences are its resolution. */
  followClock(): void {
    const off = Date.now() - this.wall(performance.now())
    if (Math.abs(off) > 20) this.offset += off
  }

  tracer(service: string, instance: string, sid: Sid): Tracer {
    return new Tracer(this, service, instance, sid)
  }

  /** `keeper` is asked for the parts of requests that are traced after all; returns how to stop that. */
  onKeep(keeper: (request: KeptRequest) => void): () => void {
    this.keepers.add(keeper)
    return () => this.keepers.delete(keeper)
  }

  keep(request: KeptRequest): void {
    for (const keeper of this.keepers) keeper(request)
  }
}

/** A service's way to record spans. */
export class Tracer {
  readonly telemetry: Telemetry
  readonly service: string
  readonly instance: string
  readonly sid: Sid
  /** OpenTelemetry's attributes of a message that came over the bus to this service, at its address. */
  readonly messaging: SpanAttributes
  /** Of messages that leave it. */
  readonly sending: SpanAttributes

  constructor(telemetry: Telemetry, service: string, instance: string, sid: Sid) {
    this.telemetry = telemetry
    this.service = service
    this.instance = instance
    this.sid = sid
    const system = { "messaging.system": telemetry.options.messaging }
    const process = { "messaging.operation.name": "process", "messaging.operation.type": "process" }
    this.messaging = { ...system, ...process, "messaging.destination.name": instance }
    this.sending = { ...system, "messaging.operation.name": "publish", "messaging.operation.type": "send" }
  }

  record(told: Told): void {
    const { service, instance, sid, telemetry } = this
    const { traceId, spanId, parentId, name, kind, attributes, links, error } = told
    const start = telemetry.wall(told.start)
    // A clock of a pass is read once: what ends within it has taken no time, never less.
    const end = Math.max(start, telemetry.wall(told.end))
    const span = { traceId, spanId, parentId, name, kind, service, instance, sid, start, end, attributes }
    telemetry.recorder.record(
      links === undefined && error === undefined ? span : { ...span, links: links ?? [], error }
    )
  }

  /** Records a step of a request and returns the context that what follows it goes by. */
  step(parent: TraceContext, spanId: string, told: Omit<Told, "traceId" | "spanId" | "parentId">): TraceContext {
    const { traceId } = parent
    this.record({ ...told, traceId, spanId, parentId: parent.spanId })
    return { traceId, spanId }
  }

  /** Records a span under `parent`, by an id of its own. */
  child(parent: TraceContext, told: Omit<Told, "traceId" | "spanId" | "parentId">): TraceContext {
    return this.step(parent, newSpanId(), told)
  }
}

/** How many messages (or rows) a span is about, if they are several: a single one is no batch, says the convention. */
export const batchOf = (
  name: "messaging.batch.message_count" | "db.operation.batch.size",
  count: number
): SpanAttributes => (count > 1 ? { [name]: count } : {})

/** The process's tracing; undefined (the default) where there is none. */
export const CurrentTelemetry = Context.Reference<Telemetry | undefined>("@zkmesh/telemetry/CurrentTelemetry", {
  defaultValue: () => undefined
})
