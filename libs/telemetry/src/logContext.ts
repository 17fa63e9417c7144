/** What a line of the log is about, under names that are the same in every service: by them it finds its trace, and others. */
import { hex, type SessionId, type Sid, type Zxid } from "@zkmesh/numbers"

export interface LogContext {
  /** `frontend`, `session`, `znode`, `broadcast`, `election`. */
  readonly service?: string | undefined
  readonly peer?: Sid | undefined
  readonly epoch?: number | undefined
  /** 0: none yet. */
  readonly session?: SessionId | undefined
  readonly xid?: number | undefined
  /** 0: none yet. */
  readonly zxid?: Zxid | undefined
  readonly traceId?: string | undefined
  /** A client's address and port. */
  readonly client?: string | undefined
  readonly op?: string | undefined
  readonly path?: string | undefined
  readonly error?: string | undefined
  readonly durationMs?: number | undefined
}

/** As annotations of a line: sessions and zxids as ZooKeeper writes them, the trace as OpenTelemetry names it in logs. */
export const logFields = (context: LogContext): Record<string, string | number> => {
  const { session, zxid, traceId, durationMs, ...plain } = context
  const fields = {
    ...plain,
    session: session === undefined || session === 0 ? undefined : hex(session),
    zxid: zxid === undefined || zxid === 0 ? undefined : hex(zxid),
    duration_ms: durationMs === undefined ? undefined : Math.round(durationMs * 100) / 100,
    trace_id: traceId
  }
  const given: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) given[name] = value
  return given
}
