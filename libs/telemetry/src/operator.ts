/** What an operator asks of tracing, by whatever door: what is to be traced for a while, and which spans there are. */
import type { SpanRecord, TraceTarget } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Telemetry } from "./telemetry.ts"

const DEFAULT_SECONDS = 60
const MAX_SECONDS = 3600
/** Of a session's requests the latest are shown. */
const MAX_TRACES = 100

export type TraceReport =
  | { readonly error: string }
  | { readonly spans: ReadonlyArray<SpanRecord> }
  /** `at`: when that began, milliseconds since 1970. */
  | { readonly tracing: TraceTarget["kind"]; readonly of: string; readonly seconds: number; readonly at: number }

const OFF: TraceReport = { error: "tracing is off: telemetry.traces=false" }

/** `session` and `0x…`, or `path` and a path; undefined if it is neither. */
export const targetOf = (kind: string, subject: string): TraceTarget | undefined => {
  if (kind === "session" && /^0x[0-9a-f]{1,14}$/i.test(subject)) return { kind, session: Number(subject) }
  if (kind === "path" && subject.startsWith("/")) return { kind, path: subject }
  return undefined
}

/** Has everything of the target traced for a while, by default a minute; for 0 seconds: no more. */
export const traceFor = async (
  telemetry: Telemetry | undefined,
  target: TraceTarget,
  seconds = DEFAULT_SECONDS
): Promise<TraceReport> => {
  if (telemetry?.outlet === undefined) return OFF
  if (!(seconds >= 0 && seconds <= MAX_SECONDS)) return { error: `seconds are from 0 to ${MAX_SECONDS}` }
  const at = telemetry.wall(performance.now())
  await telemetry.outlet.want({ target, forMs: seconds * 1000 })
  const of = target.kind === "session" ? hex(target.session) : target.path
  return { tracing: target.kind, of, seconds, at }
}

/** The spans of a trace and of those that are linked with it, by its id, or of a session's latest requests, by `0x…`. */
export const showTraces = async (telemetry: Telemetry | undefined, subject: string): Promise<TraceReport> => {
  if (telemetry?.outlet === undefined) return OFF
  const { ask } = telemetry.outlet
  if (/^[0-9a-f]{32}$/.test(subject)) return { spans: await ask({ traceIds: [subject] }) }
  const target = targetOf("session", subject)
  if (target?.kind !== "session") return { error: "show what? A trace's 32 digits, or a session as 0x…" }
  const roots = await ask({ session: hex(target.session) })
  const latest = roots.toSorted((a, b) => b.start - a.start).slice(0, MAX_TRACES)
  return { spans: latest.length === 0 ? [] : await ask({ traceIds: latest.map((root) => root.traceId) }) }
}
