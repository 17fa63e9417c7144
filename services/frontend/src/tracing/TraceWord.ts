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
import { showTraces, type Telemetry, type TraceReport, targetOf, traceFor } from "@zkmesh/telemetry"

const MAX_LINE = 4096
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
  const [verb = "", subject = "", seconds] = line.split(/\s+/)
  const target = targetOf(verb, subject)
  if (target !== undefined)
    return answer(await traceFor(telemetry, target, seconds === undefined ? undefined : +seconds))
  if (verb === "show" && subject !== "") return answer(await showTraces(telemetry, subject))
  return answer({ error: `usage: ${USAGE}` })
}

const answer = (report: TraceReport): string => `${JSON.stringify(report)}\n`
