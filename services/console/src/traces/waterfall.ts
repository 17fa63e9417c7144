/** A trace as a picture in the terminal: who did what, when, and because of what. */
import type { SpanRecord } from "@zkmesh/messages"

const WIDTH = 40
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

const byTime = (a: SpanRecord, b: SpanRecord): number => a.start - b.start || a.end - b.end

interface Row {
  readonly depth: number
  readonly span: SpanRecord
}

/** Spans in the order of the tree, each below what caused it. Those whose cause is not there are on the first level. */
export const rowsOf = (spans: ReadonlyArray<SpanRecord>): ReadonlyArray<Row> => {
  const ids = new Set(spans.map((span) => span.spanId))
  const children = new Map<string, Array<SpanRecord>>()
  for (const span of [...spans].sort(byTime)) {
    const cause = ids.has(span.parentId) ? span.parentId : ""
    children.set(cause, [...(children.get(cause) ?? []), span])
  }
  const rows: Array<Row> = []
  const visit = (cause: string, depth: number): void => {
    for (const span of children.get(cause) ?? []) {
      rows.push({ depth, span })
      visit(span.spanId, depth + 1)
    }
  }
  visit("", 0)
  return rows
}

export const formatMs = (ms: number): string =>
  `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`

/** A bar from `from` to `to`, both 0…1 of the width. */
const bar = (from: number, to: number): string => {
  const start = Math.min(WIDTH - 1, Math.max(0, Math.floor(from * WIDTH)))
  const eighths = Math.max(1, Math.round((Math.min(1, to) * WIDTH - start) * 8))
  const full = Math.floor(eighths / 8)
  const text = " ".repeat(start) + "█".repeat(full) + EIGHTHS[eighths % 8]!
  return text.slice(0, WIDTH).padEnd(WIDTH)
}

const note = (span: SpanRecord): string => {
  const { attributes, error } = span
  const parts = [
    attributes["zookeeper.ack.made_quorum"] === true
      ? `of peer ${attributes["zookeeper.ack.peer"]}, made the quorum`
      : "",
    attributes["messaging.batch.message_count"] === undefined ||
    Number(attributes["messaging.batch.message_count"]) <= 1
      ? ""
      : `one of ${attributes["messaging.batch.message_count"]}`,
    attributes["zookeeper.watch.type"] === undefined ? "" : `to session ${attributes["zookeeper.session.id"]}`,
    error ?? ""
  ]
  return parts.filter((part) => part !== "").join(", ")
}

/** The line that says what the trace is of. */
const titleOf = ({ traceId, attributes, start, end }: SpanRecord): string => {
  const path = attributes["zookeeper.path"] === undefined ? "" : ` ${attributes["zookeeper.path"]}`
  const code = attributes["rpc.response.status_code"] ?? "OK"
  const status = code === "OK" ? "" : `, ${code}`
  const where = `session ${attributes["zookeeper.session.id"]}, xid ${attributes["zookeeper.xid"]}, zxid ${attributes["zookeeper.zxid"] ?? "none"}`
  return `${attributes["zookeeper.op"]}${path}: ${formatMs(end - start)}${status} (${where}, trace ${traceId})`
}

/** The watches that it has fired, each a trace of its own, from the firing to the delivery. */
const firedBy = ({ traceId }: SpanRecord, spans: ReadonlyArray<SpanRecord>): ReadonlyArray<SpanRecord> => {
  const fired = spans.filter(
    (span) => span.name.startsWith("watch ") && span.links?.some((to) => to.traceId === traceId)
  )
  const traces = new Set(fired.map((span) => span.traceId))
  return spans.filter((span) => traces.has(span.traceId))
}

/** One request: its title, a row for each span, and below them those of the watches that it has fired. */
export const waterfall = (root: SpanRecord, spans: ReadonlyArray<SpanRecord>): string => {
  const rows = [...rowsOf(spans.filter((span) => span.traceId === root.traceId)), ...rowsOf(firedBy(root, spans))]
  const from = Math.min(...rows.map(({ span }) => span.start))
  const length = Math.max(0.001, Math.max(...rows.map(({ span }) => span.end)) - from)
  const who = Math.max(...rows.map(({ span }) => span.instance.length))
  const names = rows.map(({ depth, span }) => `${"  ".repeat(depth)}${span.name}`)
  const what = Math.max(...names.map((name) => name.length))
  const lines = rows.map(({ span }, i) => {
    const begin = span.start - from
    const drawn = bar(begin / length, (span.end - from) / length)
    const times = `${formatMs(begin).padStart(8)} +${formatMs(span.end - span.start)}`.padEnd(20)
    return `${span.instance.padEnd(who)}  ${names[i]!.padEnd(what)} |${drawn}| ${times} ${note(span)}`.trimEnd()
  })
  return [titleOf(root), ...lines].join("\n")
}
