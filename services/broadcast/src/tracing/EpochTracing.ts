/** How a peer gets into an epoch: the leader's way from its election to a quorum, a learner's synchronisation with it. */
import {
  type ElectionToBroadcast,
  type LeaderToLearner,
  type SpanAttributes,
  SpanKind,
  type TraceContext
} from "@zkmesh/messages"
import { hex, type Sid } from "@zkmesh/numbers"
import { newSpanId, newTraceId, type Tracer } from "@zkmesh/telemetry"

interface Establishing {
  readonly context: TraceContext
  readonly parentId: string
  readonly start: number
}

interface Synchronising {
  readonly leader: Sid
  start: number
  readonly context: TraceContext
  /** The leader's span, if it began with us. */
  parent: TraceContext | undefined
  epoch: number
  mode: "DIFF" | "TRUNC" | "SNAP" | undefined
  modeAt: number
  transactions: number
  bytes: number
}

const freshContext = (): TraceContext => ({ traceId: newTraceId(), spanId: newSpanId() })

export class EpochTracing {
  private readonly tracer: Tracer
  /** The election that has ended last. */
  private elected: TraceContext | undefined
  private establishing: Establishing | undefined
  private synchronising: Synchronising | undefined
  /** The trace of what has happened last. */
  private last: string | undefined

  constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  /** The election has ended, for this peer. */
  electedBy({ leader, trace }: Extract<ElectionToBroadcast, { _tag: "Elected" }>, now: number): void {
    this.elected = trace
    this.last = trace?.traceId ?? this.last
    this.finishEpoch(now, {}, "another election came first")
    if (leader !== this.tracer.sid) return
    const context = trace === undefined ? freshContext() : { traceId: trace.traceId, spanId: newSpanId() }
    this.establishing = { context, parentId: trace?.spanId ?? "", start: now }
  }

  /** By which trace the peer comes, or has come last, into an epoch: for lines of the log. */
  get traceId(): string | undefined {
    const { establishing, synchronising } = this
    return establishing?.context.traceId ?? (synchronising?.parent ?? synchronising?.context)?.traceId ?? this.last
  }

  // As a leader.

  /** A learner that is there from the start of the epoch takes its part in the leader's trace. */
  toLearner(message: LeaderToLearner): LeaderToLearner {
    if (message._tag !== "LeaderInfo" || this.establishing === undefined) return message
    return { ...message, trace: this.establishing.context }
  }

  /** This peer leads. */
  established(epoch: number, voters: number, now: number): void {
    const quorum = { "zookeeper.epoch": epoch, "zookeeper.quorum.size": Math.floor(voters / 2) + 1 }
    this.finishEpoch(now, quorum, undefined)
  }

  private finishEpoch(now: number, attributes: SpanAttributes, error: string | undefined): void {
    const { establishing, tracer } = this
    this.establishing = undefined
    if (establishing === undefined) return
    const { context, parentId, start } = establishing
    this.last = context.traceId
    const about = { name: "establish epoch", kind: SpanKind.internal, start, end: now, attributes }
    tracer.record({ ...context, parentId, ...about, error })
  }

  // As a learner.

  dialled(leader: Sid, now: number): void {
    this.lostLeader("another leader came first", now)
    const context = freshContext()
    const none = { parent: undefined, epoch: 0, mode: undefined, modeAt: now, transactions: 0, bytes: 0 }
    this.synchronising = { leader, start: now, context, ...none }
  }

  fromLeader(message: LeaderToLearner, now: number): void {
    const { synchronising } = this
    if (synchronising === undefined) return
    switch (message._tag) {
      case "LeaderInfo":
        synchronising.epoch = message.epoch
        synchronising.parent = message.trace
        // In the leader's trace it begins with the leader's word: before that the leader may not have known of itself.
        if (message.trace !== undefined) synchronising.start = now
        return
      case "Diff":
        this.begin("DIFF", now)
        return
      case "Trunc":
        this.begin("TRUNC", now)
        return
      case "Snap":
        this.begin("SNAP", now)
        return
      case "SnapChunk":
        synchronising.bytes += message.bytes.length
        return
      case "Sync":
        synchronising.transactions += message.batch.count
        synchronising.bytes += message.batch.bytes.length
        return
      case "UpToDate":
        this.finish(now, { "zookeeper.zxid": hex(message.committed) }, undefined)
        return
    }
  }

  private begin(mode: "DIFF" | "TRUNC" | "SNAP", now: number): void {
    const { synchronising } = this
    if (synchronising === undefined) return
    // After a TRUNC comes a DIFF: it is still the synchronisation that had to cut something off.
    if (synchronising.mode === undefined || mode === "SNAP") synchronising.mode = mode
    synchronising.modeAt = now
  }

  /** The leader is gone, or not the right one. */
  lostLeader(detail: string, now: number): void {
    this.finish(now, {}, detail)
  }

  private finish(now: number, more: SpanAttributes, error: string | undefined): void {
    const { synchronising, elected, tracer } = this
    this.synchronising = undefined
    if (synchronising === undefined) return
    const { context, parent, mode, start, modeAt, transactions, bytes, leader, epoch } = synchronising
    const own = parent === undefined ? context : { traceId: parent.traceId, spanId: context.spanId }
    this.last = own.traceId
    if (mode !== undefined) {
      tracer.child(own, {
        name: "discover",
        kind: SpanKind.internal,
        start,
        end: modeAt,
        attributes: this.about(epoch)
      })
    }
    tracer.record({
      ...own,
      parentId: parent?.spanId ?? "",
      name: mode === undefined ? "synchronise" : `synchronise ${mode}`,
      kind: SpanKind.consumer,
      start,
      end: now,
      attributes: {
        ...this.about(epoch),
        ...(mode === undefined ? {} : { "zookeeper.sync.mode": mode }),
        "zookeeper.sync.transactions": transactions,
        "zookeeper.sync.bytes": bytes,
        "zookeeper.leader": leader,
        ...more
      },
      links: elected === undefined ? undefined : [elected],
      error
    })
  }

  private about(epoch: number): SpanAttributes {
    return { ...this.tracer.messaging, "zookeeper.epoch": epoch }
  }
}
