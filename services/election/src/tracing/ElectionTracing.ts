/** Elections, as their own peer sees them: from when it looks for a leader to when it has found one. */
import { SpanKind, type TraceContext } from "@zkmesh/messages"
import { hex, type Sid, type Zxid } from "@zkmesh/numbers"
import { newSpanId, newTraceId, type Tracer } from "@zkmesh/telemetry"

interface Looking {
  readonly context: TraceContext
  readonly start: number
  readonly zxid: Zxid
  heard: number
  sent: number
}

export class ElectionTracing {
  private readonly tracer: Tracer
  private looking: Looking | undefined

  constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  /** The peer looks for a leader, with its log up to `zxid` to offer. */
  looks(zxid: Zxid, now: number): void {
    this.stopped("looked again before there was a leader", now)
    const context = { traceId: newTraceId(), spanId: newSpanId() }
    this.looking = { context, start: now, zxid, heard: 0, sent: 0 }
  }

  heard(): void {
    if (this.looking !== undefined) this.looking.heard++
  }

  sent(): void {
    if (this.looking !== undefined) this.looking.sent++
  }

  /** There is a leader. Returns the context for what follows from it. */
  elected(leader: Sid, round: number, now: number): TraceContext | undefined {
    const context = this.looking?.context
    this.tell(now, { "zookeeper.leader": leader, "zookeeper.election.round": round }, undefined)
    return context
  }

  /** Nobody looks any more, and there is no leader. */
  stopped(reason: string, now: number): void {
    this.tell(now, {}, reason)
  }

  private tell(now: number, outcome: Readonly<Record<string, number>>, error: string | undefined): void {
    const { looking, tracer } = this
    this.looking = undefined
    if (looking === undefined) return
    const { context, start, zxid, heard, sent } = looking
    tracer.record({
      ...context,
      parentId: "",
      name: "elect leader",
      kind: SpanKind.internal,
      start,
      end: now,
      attributes: {
        ...tracer.messaging,
        "zookeeper.zxid": hex(zxid),
        "zookeeper.election.notifications.received": heard,
        "zookeeper.election.notifications.sent": sent,
        ...outcome
      },
      error
    })
  }
}
