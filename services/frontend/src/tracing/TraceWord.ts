/**
 * `trac`: the four-letter word with a line behind it, as ZooKeeper's `stmk` has a mask behind it.
 *
 * | line | answer, as JSON |
 * | --- | --- |
 * | `trac session 0x100000001 [SECONDS]` | everything that the session asks for is traced for a while, by default a minute |
 * | `trac path /a/b [SECONDS]` | so is everything at or below the path |
 * | `trac show 0x100000001` | the spans of what the session has asked for lately, from every service |
 * | `trac show TRACE` | the spans of one trace, and of those that are linked with it |
 */
import type { TraceTarget } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Telemetry } from "@zkmesh/telemetry"

const MAX_LINE = 4096
const DEFAULT_SECONDS = 60
const MAX_SECONDS = 3600
/** Spans that are shown of a session's requests: of the latest. */
const MAX_TRACES = 100

const USAGE = "trac session 0xID [SECONDS] | trac path /PATH [SECONDS] | trac show 0xID | trac show TRACE"

/** Gathers the line that follows the word. */
export class LineReader {
  private text = ""
  private isOver = false
  private readonly onLine: (line: string) => void

  constructor(onLine: (line: string) => void) {
    this.onLine = onLine
  }

  push(bytes: Uint8Array): void {
    if (this.isOver) return
    this.text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
    const end = this.text.indexOf("\n")
    if (end >= 0 || this.text.length > MAX_LINE) this.finish(this.text.slice(0, end < 0 ? MAX_LINE : end))
  }

  /** Nothing more comes: what is there is the line. */
  end(): void {
    if (!this.isOver) this.finish(this.text)
  }

  private finish(line: string): void {
    this.isOver = true
    this.onLine(line.trim())
  }
}

/** Carries out what the line says; the answer is a line of JSON. */
export const answerTraceLine = async (telemetry: Telemetry | undefined, line: string): Promise<string> => {
  const outlet = telemetry?.outlet
  if (telemetry === undefined || outlet === undefined)
    return answer({ error: "tracing is off: telemetry.traces=false" })
  const [verb = "", subject = "", seconds] = line.split(/\s+/)
  if (verb === "show" && subject !== "") {
    const { ask } = outlet
    if (/^[0-9a-f]{32}$/.test(subject)) return answer({ spans: await ask({ traceIds: [subject] }) })
    const roots = await ask({ session: subject.toLowerCase() })
    const latest = [...roots].sort((a, b) => b.start - a.start).slice(0, MAX_TRACES)
    return answer({ spans: latest.length === 0 ? [] : await ask({ traceIds: latest.map((root) => root.traceId) }) })
  }
  const target = targetOf(verb, subject)
  const forSeconds = Number(seconds ?? DEFAULT_SECONDS)
  if (target === undefined || !(forSeconds >= 0 && forSeconds <= MAX_SECONDS))
    return answer({ error: `usage: ${USAGE}` })
  const at = telemetry.wall(performance.now())
  await outlet.want({ target, forMs: forSeconds * 1000 })
  const of = target.kind === "session" ? hex(target.session) : target.path
  return answer({ tracing: target.kind, of, seconds: forSeconds, at })
}

const targetOf = (verb: string, subject: string): TraceTarget | undefined => {
  if (verb === "session" && /^0x[0-9a-f]{1,14}$/i.test(subject)) return { kind: "session", session: Number(subject) }
  if (verb === "path" && subject.startsWith("/")) return { kind: "path", path: subject }
  return undefined
}

const answer = (value: unknown): string => `${JSON.stringify(value)}\n`
