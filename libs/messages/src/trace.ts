/**
 * Traces: what travels beside sampled requests, and the finished spans that services keep and tell each other.
 *
 * A request is sampled if it has a context; nothing else says so, and nothing is sent for one that is not.
 */
import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"

/** W3C trace context of a sampled request: whose trace it is, and the span that caused what comes next. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
}

/** A sampled transaction in a batch of transactions. */
export interface TracedTxn {
  readonly zxid: Zxid
  readonly trace: TraceContext
}

/** A client's watch that a sampled transaction has fired. */
export interface FiredWatch {
  /** The connection that was told. */
  readonly conn: number
  /** The event's name: `NodeDataChanged`. */
  readonly type: string
  readonly path: string
  readonly zxid: Zxid
  /** The span of its firing, which the delivery follows from. */
  readonly trace: TraceContext
  /** The write that fired it. */
  readonly write: TraceContext
}

/** A sampled answer in a batch of answers. */
export interface TracedAnswer {
  /** Its place in the batch. */
  readonly index: number
  readonly trace: TraceContext
}

/** OpenTelemetry's kinds of spans, under its numbers. */
export const SpanKind = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind]

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** A finished span as plain data: what OpenTelemetry's SDK makes its own of, off the hot path. */
export interface SpanRecord {
  readonly traceId: string
  readonly spanId: string
  /** "": the root of its trace. */
  readonly parentId: string
  readonly name: string
  readonly kind: SpanKind
  /** Which service: `frontend`, `session`, `znode`, `broadcast`, `election`. */
  readonly service: string
  /** Its address on the bus. */
  readonly instance: string
  /** 0: it is no peer's own. */
  readonly sid: Sid
  /** Milliseconds since 1970, with fractions. */
  readonly start: number
  readonly end: number
  readonly attributes: SpanAttributes
  readonly links?: ReadonlyArray<TraceContext> | undefined
  /** Why it failed, if it did. */
  readonly error?: string | undefined
}

/** What is to be traced for a while, whatever the ratio says. */
export type TraceTarget =
  | { readonly kind: "session"; readonly session: SessionId }
  /** The path itself and everything below it. */
  | { readonly kind: "path"; readonly path: string }

/** A request whose trace is wanted after all, when it has been answered: everybody looks for its part in what they remember. */
export interface KeptRequest {
  readonly traceId: string
  readonly rootId: string
  readonly isRead: boolean
  /** Its transaction; of a read, the state that it was read from. */
  readonly zxid: Zxid
  readonly session: SessionId
  /** The peer whose session service it went to, and its number among all requests on the frontend's link there; -1 if it went elsewhere first. */
  readonly peer: Sid
  readonly link: string
  readonly ordinal: number
  readonly op: string
  /** Milliseconds since 1970. */
  readonly start: number
  readonly end: number
}

/** Between the processes of an ensemble, topic `traces`. */
export type TraceMessage =
  | { readonly _tag: "Target"; readonly target: TraceTarget; readonly forMs: number }
  | { readonly _tag: "Keep"; readonly request: KeptRequest }
  /** Who has spans of these traces, or of such as are linked with them? */
  | { readonly _tag: "Ask"; readonly from: string; readonly id: number; readonly traceIds: ReadonlyArray<string> }
  /** Who has spans of the traces that this session's requests have begun? */
  | { readonly _tag: "AskSession"; readonly from: string; readonly id: number; readonly session: string }
  | { readonly _tag: "Spans"; readonly to: string; readonly id: number; readonly spans: ReadonlyArray<SpanRecord> }
