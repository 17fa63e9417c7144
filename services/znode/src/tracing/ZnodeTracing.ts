/** What the znode service's shell tells about what passes through it: prepared, applied, read, written to the checkpoint. */
import {
  type BroadcastToZnode,
  type KeptRequest,
  SpanKind,
  type TraceContext,
  type TracedTxn,
  type ZnodeToBroadcast,
  type ZnodeToSession
} from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { CheckpointDelta } from "@zkmesh/store"
import {
  batchOf,
  newSpanId,
  newTraceId,
  Rows,
  spanIdOf,
  type Telemetry,
  type Tracer,
  zxidText
} from "@zkmesh/telemetry"
import { Effect, type Scope } from "effect"

type Answers = Extract<ZnodeToSession, { _tag: "ReadReplies" | "RepliesAfter" }>
type Applied = Extract<ZnodeToSession, { _tag: "Applied" }>

export class ZnodeTracing {
  private readonly tracer: Tracer
  /** first, last, started, ended. */
  private readonly prepared = new Rows(4)
  private readonly applied = new Rows(4)
  /** Of batches of reads: started, ended, zxid, how many. */
  private readonly reads = new Rows(4)
  /** Applied in this pass, and not yet on its way to the session service. */
  private passing: Array<TracedTxn> = []
  private checkpoint: { readonly start: number; readonly delta: CheckpointDelta } | undefined

  private constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  /** undefined if nothing is traced. It answers to the ensemble until the scope closes. */
  static start(
    telemetry: Telemetry | undefined,
    sid: Sid
  ): Effect.Effect<ZnodeTracing | undefined, never, Scope.Scope> {
    if (telemetry === undefined) return Effect.succeed(undefined)
    const tracing = new ZnodeTracing(telemetry.tracer("znode", `znode.${sid}`, sid))
    const listen = Effect.sync(() => telemetry.onKeep((request) => tracing.keep(request)))
    return Effect.as(
      Effect.acquireRelease(listen, (stop) => Effect.sync(stop)),
      tracing
    )
  }

  // Transactions.

  /** A proposal as it leaves for broadcast; it was prepared since `started`. */
  proposes(message: ZnodeToBroadcast, started: number, now: number): ZnodeToBroadcast {
    if (message._tag !== "Propose") return message
    const { batch, traces } = message
    this.prepared.push(batch.first, batch.last, started, now)
    if (traces === undefined) return message
    return { ...message, traces: traces.map(({ zxid, trace }) => ({ zxid, trace: this.tellPrepare(zxid, trace, 1) })) }
  }

  private tellPrepare(zxid: Zxid, trace: TraceContext, age: number): TraceContext {
    const { prepared, tracer } = this
    return tracer.step(trace, spanIdOf(trace.traceId, "prepare", 0, zxid), {
      name: "prepare",
      kind: SpanKind.consumer,
      start: prepared.value(age, 2),
      end: prepared.value(age, 3),
      attributes: {
        ...tracer.messaging,
        ...batchOf("messaging.batch.message_count", prepared.value(age, 1) - prepared.value(age, 0) + 1),
        "zookeeper.zxid": zxidText(zxid)
      }
    })
  }

  /** Committed transactions have been applied since `started`. */
  applies(messages: ReadonlyArray<BroadcastToZnode>, started: number, now: number): void {
    for (const message of messages) {
      if (message._tag !== "Committed") continue
      const { first, last } = message.batch
      this.applied.push(first, last, started, now)
      if (message.traces === undefined) continue
      for (const { zxid, trace } of message.traces) {
        this.passing.push({ zxid, trace: this.tellApply(zxid, trace, 1) })
      }
    }
  }

  private tellApply(zxid: Zxid, trace: TraceContext, age: number): TraceContext {
    const { applied, tracer } = this
    return tracer.step(trace, spanIdOf(trace.traceId, "apply", tracer.sid, zxid), {
      name: "apply",
      kind: SpanKind.consumer,
      start: applied.value(age, 2),
      end: applied.value(age, 3),
      attributes: {
        ...tracer.messaging,
        ...batchOf("messaging.batch.message_count", applied.value(age, 1) - applied.value(age, 0) + 1),
        "zookeeper.zxid": zxidText(zxid)
      }
    })
  }

  // The stream to the session service.

  /** A message as it leaves; reads have been done since `started`. */
  streams(message: ZnodeToSession, started: number, now: number): ZnodeToSession {
    switch (message._tag) {
      case "ReadReplies":
      case "RepliesAfter":
        return this.answers(message, started, now)
      case "Applied":
        return this.appliedLeaves(message)
      default:
        return message
    }
  }

  /** All messages of the pass have left. */
  passed(): void {
    if (this.passing.length > 0) this.passing = []
  }

  private appliedLeaves(message: Applied): Applied {
    const { passing } = this
    if (passing.length === 0) return message
    const first = message.txns[0]?.zxid ?? 0
    const traces = passing.filter(({ zxid }) => zxid >= first && zxid <= message.zxid)
    return traces.length === 0 ? message : { ...message, traces }
  }

  private answers(message: Answers, started: number, now: number): Answers {
    const { zxid, ends, traces } = message
    this.reads.push(started, now, zxid, ends.length)
    if (traces === undefined) return message
    return { ...message, traces: traces.map(({ index, trace }) => ({ index, trace: this.tellRead(trace, 1) })) }
  }

  private tellRead(trace: TraceContext, age: number): TraceContext {
    const { reads, tracer } = this
    return tracer.step(trace, spanIdOf(trace.traceId, "read", tracer.sid), {
      name: "read",
      kind: SpanKind.consumer,
      start: reads.value(age, 0),
      end: reads.value(age, 1),
      attributes: {
        ...tracer.messaging,
        ...batchOf("messaging.batch.message_count", reads.value(age, 3)),
        "zookeeper.zxid": zxidText(reads.value(age, 2))
      }
    })
  }

  // Requests that are traced after all.

  private keep(request: KeptRequest): void {
    if (request.isRead) this.keepRead(request)
    else if (request.zxid > 0) this.keepTxn(request)
  }

  private keepTxn({ traceId, zxid, peer }: KeptRequest): void {
    const prepared = this.prepared.covering(zxid)
    if (prepared > 0) {
      this.tellPrepare(zxid, { traceId, spanId: spanIdOf(traceId, "session", peer) }, prepared)
    }
    const applied = this.applied.covering(zxid)
    if (applied > 0) this.tellApply(zxid, { traceId, spanId: spanIdOf(traceId, "commit", 0, zxid) }, applied)
  }

  /** Reads have no number of their own: it was in the last batch at its zxid that ended before its reply came. */
  private keepRead({ traceId, peer, start, end, zxid }: KeptRequest): void {
    const { reads, tracer } = this
    if (peer !== tracer.sid) return
    for (let age = 1; age <= reads.size; age++) {
      const ended = tracer.telemetry.wall(reads.value(age, 1))
      if (ended < start) return
      if (ended > end || reads.value(age, 2) !== zxid) continue
      this.tellRead({ traceId, spanId: spanIdOf(traceId, "session", peer) }, age)
      return
    }
  }

  // Checkpoints.

  checkpointBegins(delta: CheckpointDelta, now: number): void {
    this.checkpoint = { start: now, delta }
  }

  checkpointEnds(now: number, error: string | undefined): void {
    const { checkpoint, tracer } = this
    this.checkpoint = undefined
    if (checkpoint === undefined) return
    const { start, delta } = checkpoint
    const context = { traceId: newTraceId(), spanId: newSpanId() }
    tracer.record({
      ...context,
      parentId: "",
      name: "checkpoint",
      kind: SpanKind.internal,
      start,
      end: now,
      attributes: {
        "zookeeper.zxid.first": zxidText(delta.from),
        "zookeeper.zxid.last": zxidText(delta.to)
      },
      error
    })
    const system = tracer.telemetry.options.database
    if (system === undefined) return
    tracer.child(context, {
      name: "INSERT znodes",
      kind: SpanKind.client,
      start,
      end: now,
      attributes: {
        "db.system.name": system,
        "db.operation.name": "INSERT",
        "db.collection.name": "znodes"
      },
      error
    })
  }
}
