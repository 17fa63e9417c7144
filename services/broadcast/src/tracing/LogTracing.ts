/**
 * A transaction's way through the log: received, published, appended, acknowledged, committed. Remembered per batch;
 * the spans of a sampled one are made when it is delivered, when all that this peer knows of it is known.
 */
import { type KeptRequest, proposalsTopic, SpanKind, type TraceContext, type TracedTxn } from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import { batchOf, newSpanId, newTraceId, Rows, spanIdOf, type Tracer, zxidText } from "@zkmesh/telemetry"
import type { TxnBatch } from "@zkmesh/txn"

/** Where all peers hear of proposals and commits. */
const PROPOSALS = { "messaging.destination.name": proposalsTopic.name }
/** Sampled transactions that may be under way; beyond that the oldest are forgotten. */
const MAX_SAMPLED = 16_384

interface Sampled extends TracedTxn {
  /** This peer has proposed it. */
  readonly isOurs: boolean
  /** Wanted long after it passed by: its batches have had their spans, or none. */
  readonly isLate?: boolean
}

/** A span of a whole batch, and how far the batches go that have got theirs. */
interface Grouped {
  through: Zxid
  context: TraceContext | undefined
}

const nobody = (): Grouped => ({ through: 0, context: undefined })

export class LogTracing {
  private readonly tracer: Tracer
  private readonly voters: () => number
  /** first, last, when. */
  private readonly received = new Rows(3)
  private readonly published = new Rows(3)
  /** first, last, started, ended. */
  private readonly appended = new Rows(4)
  /** zxid, who, when. */
  private readonly acks = new Rows(3, 16_384)
  /** zxid, when. */
  private readonly commits = new Rows(2)
  /** By ascending zxid. */
  private sampled: Array<Sampled> = []
  private group = nobody()
  private publication = nobody()
  /** The last transaction that this peer's own word commits. */
  private sufficient: Zxid = 0

  /** `voters`: how many count in a quorum. */
  constructor(tracer: Tracer, voters: () => number) {
    this.tracer = tracer
    this.voters = voters
  }

  /** A batch has come: from the znode if this peer leads, else from the leader. */
  took(batch: TxnBatch, traces: ReadonlyArray<TracedTxn> | undefined, isOurs: boolean, now: number): void {
    this.received.push(batch.first, batch.last, now)
    if (traces === undefined) return
    for (const { zxid, trace } of traces) {
      const last = this.sampled[this.sampled.length - 1]
      // Another history: what was under way in the old one is not there any more.
      if (last !== undefined && last.zxid >= zxid) this.sampled = this.sampled.filter((one) => one.zxid < zxid)
      this.sampled.push({ zxid, trace, isOurs })
    }
    if (this.sampled.length > MAX_SAMPLED) this.sampled = this.sampled.slice(-MAX_SAMPLED / 2)
  }

  /** The leader has published a batch; returns what is sampled of it, for the peers. */
  publishes(batch: TxnBatch, now: number): ReadonlyArray<TracedTxn> | undefined {
    this.published.push(batch.first, batch.last, now)
    if (this.sampled.length === 0) return undefined
    const traces: Array<TracedTxn> = []
    for (const { zxid, trace } of this.sampled) {
      if (zxid < batch.first || zxid > batch.last) continue
      const { traceId } = trace
      traces.push({ zxid, trace: { traceId, spanId: spanIdOf(traceId, "propose", 0, zxid) } })
    }
    return traces.length === 0 ? undefined : traces
  }

  appends(batch: TxnBatch, started: number, ended: number): void {
    this.appended.push(batch.first, batch.last, started, ended)
  }

  /** Everything up to `zxid` is durable at `who`. */
  acked(who: Sid, zxid: Zxid, now: number): void {
    this.acks.push(zxid, who, now)
  }

  /** As the leader's own znode is told, or the peers are, whoever is first. */
  committed(zxid: Zxid, now: number): void {
    if (this.commits.size > 0 && this.commits.value(1, 0) >= zxid) return
    this.commits.push(zxid, now)
  }

  /** Everything up to `zxid` is committed as soon as it is durable here, before the leader knows. */
  suffices(zxid: Zxid): void {
    this.sufficient = zxid
  }

  /** The reign is over: what was under way may never become anything. */
  reset(): void {
    this.sampled = []
  }

  /** A batch goes to the znode: the spans of what is sampled of it are made. Returns their contexts for the znode. */
  delivers(batch: TxnBatch): ReadonlyArray<TracedTxn> | undefined {
    const { sampled } = this
    if (sampled.length === 0 || sampled[0]!.zxid > batch.last) return undefined
    const traces: Array<TracedTxn> = []
    let done = 0
    for (; done < sampled.length && sampled[done]!.zxid <= batch.last; done++) {
      const one = sampled[done]!
      if (one.zxid >= batch.first) traces.push({ zxid: one.zxid, trace: this.tell(one) })
    }
    this.sampled = sampled.slice(done)
    return traces.length === 0 ? undefined : traces
  }

  /** A request has turned out to be of interest: what is remembered of its transaction. */
  keep({ traceId, zxid }: KeptRequest): void {
    if (zxid === 0 || this.received.covering(zxid) === 0) return
    const isOurs = this.published.covering(zxid) > 0
    const step = isOurs ? "prepare" : "propose"
    this.tell({ zxid, isOurs, isLate: true, trace: { traceId, spanId: spanIdOf(traceId, step, 0, zxid) } })
  }

  private tell(one: Sampled): TraceContext {
    const { zxid, trace, isOurs } = one
    const { traceId } = trace
    const proposed = isOurs ? this.tellPropose(one) : trace
    this.tellAppend(one, proposed)
    if (isOurs) this.tellCommit(zxid, traceId)
    else if (zxid === this.sufficient) return { traceId, spanId: spanIdOf(traceId, "append", this.tracer.sid, zxid) }
    return { traceId, spanId: spanIdOf(traceId, "commit", 0, zxid) }
  }

  private tellPropose({ zxid, trace, isLate }: Sampled): TraceContext {
    const { tracer, received, published } = this
    const came = received.covering(zxid)
    const left = published.covering(zxid)
    const spanId = spanIdOf(trace.traceId, "propose", 0, zxid)
    if (came === 0 || left === 0) return { traceId: trace.traceId, spanId }
    const first = published.value(left, 0)
    const last = published.value(left, 1)
    const start = received.value(came, 2)
    const end = published.value(left, 2)
    const attributes = { ...tracer.sending, ...PROPOSALS, ...this.range(first, last) }
    const about = { name: "publish proposals", kind: SpanKind.producer, start, end, attributes }
    if (isLate !== true) this.publication = this.ofBatch(this.publication, "propose", first, last, about)
    return tracer.step(trace, spanId, {
      name: "propose",
      kind: SpanKind.producer,
      start,
      end,
      attributes: { ...tracer.sending, ...PROPOSALS, "zookeeper.zxid": zxidText(zxid) },
      links: isLate === true ? undefined : this.publication.context && [this.publication.context]
    })
  }

  private tellAppend({ zxid, isLate }: Sampled, proposed: TraceContext): void {
    const { tracer, received, appended } = this
    const came = received.covering(zxid)
    const row = appended.covering(zxid)
    if (came === 0 || row === 0) return
    const first = appended.value(row, 0)
    const last = appended.value(row, 1)
    const started = appended.value(row, 2)
    const end = appended.value(row, 3)
    const attributes = this.range(first, last)
    const about = { name: "group commit", kind: SpanKind.internal, start: started, end, attributes }
    if (isLate !== true) this.group = this.ofBatch(this.group, "append", first, last, about)
    const spanId = spanIdOf(proposed.traceId, "append", tracer.sid, zxid)
    const append = tracer.step(proposed, spanId, {
      name: "append",
      kind: SpanKind.consumer,
      start: received.value(came, 2),
      end,
      attributes: { ...tracer.messaging, "zookeeper.zxid": zxidText(zxid) },
      links: isLate === true ? undefined : this.group.context && [this.group.context]
    })
    const system = tracer.telemetry.options.database
    if (system === undefined) return
    tracer.step(append, spanIdOf(proposed.traceId, "flush", tracer.sid, zxid), {
      name: "INSERT log",
      kind: SpanKind.client,
      start: started,
      end,
      attributes: {
        "db.system.name": system,
        "db.operation.name": "INSERT",
        "db.collection.name": "log",
        ...batchOf("db.operation.batch.size", last - first + 1)
      }
    })
  }

  private tellCommit(zxid: Zxid, traceId: string): void {
    const { tracer, commits } = this
    const row = this.firstCommit(zxid)
    if (row === 0) return
    const end = commits.value(row, 1)
    const quorum = this.quorumAck(zxid, end)
    const proposed = { traceId, spanId: spanIdOf(traceId, "propose", 0, zxid) }
    const spanId = spanIdOf(traceId, "acknowledge", 0, zxid)
    const at = quorum?.at ?? end
    if (quorum !== undefined) {
      const append = { traceId, spanId: spanIdOf(traceId, "append", quorum.who, zxid) }
      tracer.step(append, spanId, {
        name: "acknowledge",
        kind: SpanKind.consumer,
        start: at,
        end: at,
        attributes: {
          ...tracer.messaging,
          "zookeeper.zxid": zxidText(zxid),
          "zookeeper.ack.peer": quorum.who,
          "zookeeper.ack.made_quorum": true,
          "zookeeper.quorum.size": Math.floor(this.voters() / 2) + 1
        }
      })
    }
    tracer.step(quorum === undefined ? proposed : { traceId, spanId }, spanIdOf(traceId, "commit", 0, zxid), {
      name: "commit",
      kind: SpanKind.producer,
      start: at,
      end,
      attributes: { ...tracer.sending, ...PROPOSALS, "zookeeper.zxid": zxidText(zxid) }
    })
  }

  /** The age of the commit that included `zxid`; 0 if it has been forgotten. */
  private firstCommit(zxid: Zxid): number {
    const { commits } = this
    let found = 0
    for (let age = 1; age <= commits.size && commits.value(age, 0) >= zxid; age++) found = age
    return found
  }

  /**
   * The acknowledgement that made the quorum: of the first one of each peer the last that came before the commit. Of those
   * that came in one pass with it, it is the one that completed a majority.
   */
  private quorumAck(zxid: Zxid, before: number): { readonly who: Sid; readonly at: number } | undefined {
    const { acks, published } = this
    const row = published.covering(zxid)
    const since = row === 0 ? 0 : published.value(row, 2)
    const first = new Map<Sid, { readonly at: number; readonly age: number }>()
    for (let age = 1; age <= acks.size; age++) {
      const at = acks.value(age, 2)
      if (at < since) break
      if (at <= before && acks.value(age, 0) >= zxid) first.set(acks.value(age, 1), { at, age })
    }
    const order = [...first].map(([who, { at, age }]) => ({ who, at, age })).sort((a, b) => b.age - a.age)
    const last = order.at(-1)
    const counted = order[Math.floor(this.voters() / 2)]
    return counted !== undefined && counted.at === last?.at ? counted : last
  }

  private range(first: Zxid, last: Zxid) {
    return {
      ...batchOf("messaging.batch.message_count", last - first + 1),
      "zookeeper.zxid.first": zxidText(first),
      "zookeeper.zxid.last": zxidText(last)
    }
  }

  /** The span of a batch, once, linked with the sampled requests that it carries. */
  private ofBatch(
    before: Grouped,
    step: "append" | "propose",
    first: Zxid,
    last: Zxid,
    about: Omit<Parameters<Tracer["record"]>[0], "traceId" | "spanId" | "parentId">
  ): Grouped {
    if (before.through >= last && before.context !== undefined) return before
    const context = { traceId: newTraceId(), spanId: newSpanId() }
    const place = step === "append" ? this.tracer.sid : 0
    const links = this.sampled
      .filter(({ zxid }) => zxid >= first && zxid <= last)
      .map(({ zxid, trace: { traceId } }) => ({ traceId, spanId: spanIdOf(traceId, step, place, zxid) }))
    this.tracer.record({ ...context, parentId: "", ...about, links })
    return { through: last, context }
  }
}
