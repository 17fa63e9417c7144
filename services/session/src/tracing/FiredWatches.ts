/**
 * Watches that sampled writes fire: each firing is a trace of its own, linked to its write, since one write may fire any
 * number of them. The frontends that deliver the notifications are told, and their part follows from the firing.
 */
import { type FiredWatch, type SessionToFrontend, SpanKind, type TraceContext } from "@zkmesh/messages"
import { hex, type Zxid } from "@zkmesh/numbers"
import { EventType } from "@zkmesh/protocol"
import type { Fired } from "@zkmesh/session"
import { newSpanId, newTraceId, type Tracer } from "@zkmesh/telemetry"

const NAMES = new Map<number, string>(Object.entries(EventType).map(([name, type]) => [type, name]))

/** What a frontend's link is to be told of the notifications that it has been given. */
export interface Notice {
  readonly link: string
  readonly message: Extract<SessionToFrontend, { _tag: "Fired" }>
}

export class FiredWatches {
  private readonly tracer: Tracer
  /** The sampled transactions of this pass: what watches are linked with, and when it came. */
  private readonly writes = new Map<Zxid, { readonly trace: TraceContext; readonly at: number }>()

  constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  passes(zxid: Zxid, trace: TraceContext, at: number): void {
    this.writes.set(zxid, { trace, at })
  }

  /** The notifications have left. Returns what goes after them. */
  passed(fired: ReadonlyArray<Fired> | undefined, now: number): ReadonlyArray<Notice> {
    if (this.writes.size === 0) return []
    const byLink = new Map<string, Array<FiredWatch>>()
    for (const one of fired ?? []) {
      const watch = this.tell(one, now)
      if (watch === undefined) continue
      const watches = byLink.get(one.link)
      if (watches === undefined) byLink.set(one.link, [watch])
      else watches.push(watch)
    }
    this.writes.clear()
    return [...byLink].map(([link, watches]) => ({ link, message: { _tag: "Fired", watches } }))
  }

  private tell({ zxid, type, path, session, conn }: Fired, now: number): FiredWatch | undefined {
    const write = this.writes.get(zxid)
    if (write === undefined) return undefined
    const name = NAMES.get(type) ?? `${type}`
    const trace = { traceId: newTraceId(), spanId: newSpanId() }
    this.tracer.record({
      ...trace,
      parentId: "",
      name: `watch ${name}`,
      kind: SpanKind.producer,
      start: write.at,
      end: now,
      attributes: {
        ...this.tracer.sending,
        "zookeeper.session.id": hex(session),
        "zookeeper.watch.type": name,
        "zookeeper.path": path,
        "zookeeper.zxid": hex(zxid)
      },
      links: [write.trace]
    })
    return { conn, type: name, path, zxid, trace, write: write.trace }
  }
}
