/**
 * Where traces of clients' requests begin and end. A request is sampled when it comes: by chance, or because somebody has
 * asked for its session or path. Or it is found slow or failed when its reply passes by, and then everybody is asked for
 * what they remember of it.
 */
import { type ClientRequest, type KeptRequest, SpanKind, type TraceContext } from "@zkmesh/messages"
import { hex, WORD } from "@zkmesh/numbers"
import { ErrorCode, errorName, opName } from "@zkmesh/protocol"
import { kindOf, WRITE } from "@zkmesh/session"
import { newTraceId, spanIdOf, type Telemetry, type Tracer } from "@zkmesh/telemetry"
import type { Client } from "../Client.ts"
import type { Log } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import { Deliveries } from "./Deliveries.ts"
import { pathsOf } from "./paths.ts"
import { Underway } from "./Underway.ts"

/** A sampled request that has not been answered. */
interface Sampled {
  readonly trace: TraceContext
  /** Its number on its connection. */
  readonly number: number
  readonly request: ClientRequest
  readonly start: number
}

/** What is known of a connection for its traces. */
export class Traced {
  forwarded = 0
  answered = 0
  readonly sampled: Array<Sampled> = []
  /** Undefined unless replies are looked at. */
  readonly underway: Underway | undefined
  /** Where requests go, and the first that went there: those before it were carried over. */
  peer: Peer | undefined
  movedAt = 0
  opening: { readonly trace: TraceContext; readonly start: number } | undefined

  constructor(underway: Underway | undefined) {
    this.underway = underway
  }
}

/** A reply's header. */
interface Header {
  readonly zxid: number
  readonly error: number
}

/** Requests of one client that have gone to its peer side by side. */
interface Considered {
  readonly requests: ReadonlyArray<ClientRequest>
  /** How many the connection had forwarded before them. */
  readonly before: number
  /** Of them, how many are not sampled for sure. */
  readonly passed: number
}

/** What a request was, and when. */
interface About {
  readonly op: string
  readonly xid: number
  readonly paths: ReadonlyArray<string>
  readonly start: number
  readonly end: number
}

/** So many in a second. */
class Budget {
  private readonly perSecond: number
  private left = 0
  private since = Number.NEGATIVE_INFINITY

  constructor(perSecond: number) {
    this.perSecond = perSecond
  }

  take(now: number): boolean {
    if (now - this.since >= 1000) {
      this.since = now
      this.left = this.perSecond
    }
    return this.left-- > 0
  }
}

/** Whether a reply is to be traced after all: everybody is told a moment later, when all have had their part. */
const KEEP_AFTER_MS = 200
const MAX_KEPT_PER_SECOND = 50
/** ZooKeeper's errors of the system are above this; from here down they answer a question (no such znode…). */
const API_ERROR = -100
const NOTIFICATION = -1
/** What becomes of a request whose client, or whose peer, has gone: as ZooKeeper's clients name it. */
const LOST = errorName(ErrorCode.CONNECTIONLOSS)
const GONE = "the connection was lost"
/** A reply: its length, xid, zxid and error. */
const XID_AT = 4
const ZXID_AT = 8
const ERROR_AT = 16
const HEADER_BYTES = 20
/** The first byte of a small number below zero. */
const NEGATIVE = 0xff

const int32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

const headerAt = (bytes: Uint8Array, at: number): Header => ({
  zxid: Math.max(0, int32(bytes, at + ZXID_AT) * WORD + (int32(bytes, at + ZXID_AT + 4) >>> 0)),
  error: int32(bytes, at + ERROR_AT)
})

export class RequestTracing {
  private readonly tracer: Tracer
  readonly telemetry: Telemetry
  private readonly log: Log
  private readonly keepsTail: boolean
  readonly deliveries: Deliveries
  /** Answered in this pass. */
  private done: Array<{ readonly one: Sampled; readonly client: Client; readonly header: Header }> = []
  private kept: Array<{ readonly request: KeptRequest; readonly at: number }> = []
  private readonly keeping = new Budget(MAX_KEPT_PER_SECOND)
  private readonly logging = new Budget(MAX_KEPT_PER_SECOND)

  constructor(telemetry: Telemetry, name: string, log: Log) {
    this.telemetry = telemetry
    this.tracer = telemetry.tracer("frontend", `frontend.${name}`, 0)
    this.deliveries = new Deliveries(this.tracer)
    this.keepsTail = telemetry.keepsTail
    this.log = log
  }

  traced(): Traced {
    return new Traced(this.keepsTail ? new Underway() : undefined)
  }

  // What clients ask.

  /** The last `count` requests that its peer was given are on their way: the hot path. */
  forwards(client: Client, peer: Peer, count: number, now: number): void {
    const traced = client.traced!
    const before = traced.forwarded
    traced.forwarded += count
    const passed = this.telemetry.sampler.pass(count)
    if (passed < count) this.consider(client, peer, { requests: peer.latest(count), before, passed }, now)
    if (traced.underway === undefined) return
    traced.underway.push(peer.latest(count), peer.added - count, now)
    if (traced.peer === peer) return
    traced.peer = peer
    traced.movedAt = before + 1
  }

  /** Of requests of which so many have `passed`: which of the others are sampled. */
  private consider(client: Client, peer: Peer, { requests, before, passed }: Considered, now: number): void {
    const { sampler } = this.telemetry
    for (let i = passed; i < requests.length; i += 1 + sampler.pass(requests.length - i - 1)) {
      const request = requests[i]!
      if (!sampler.decide({ session: client.sessionId, paths: () => pathsOf(request) }, now)) continue
      const traceId = newTraceId()
      const trace = { traceId, spanId: spanIdOf(traceId, "request", 0) }
      request.trace = trace
      peer.sampled()
      client.traced!.sampled.push({ trace, number: before + i + 1, request, start: now })
    }
  }

  /** A session is asked for. Returns the context to send along, if it is sampled. */
  opens(client: Client, session: number, now: number): TraceContext | undefined {
    const { sampler } = this.telemetry
    if (sampler.pass(1) > 0 || !sampler.decide({ session, paths: () => [] }, now)) return undefined
    const traceId = newTraceId()
    const trace = { traceId, spanId: spanIdOf(traceId, "request", 0) }
    client.traced!.opening = { trace, start: now }
    return trace
  }

  /** The session is there, or is refused. */
  opened(client: Client, now: number, error: string | undefined): void {
    const traced = client.traced
    if (traced?.opening === undefined) return
    const { trace, start } = traced.opening
    traced.opening = undefined
    this.tell(trace, client, { op: "createSession", xid: 0, paths: [], start, end: now }, undefined, error)
  }

  // What they are told.

  /** Whole frames with replies to the `answers` oldest requests. */
  replies(client: Client, bytes: Uint8Array, answers: number, now: number): void {
    const traced = client.traced!
    const { sampled, underway } = traced
    const first = sampled[0]
    const isSampled = first !== undefined && first.number <= traced.answered + answers
    if (isSampled || (underway !== undefined && this.mayBeOfInterest(underway, bytes, answers, now))) {
      this.look(client, traced, bytes, answers, now)
    }
    underway?.drop(answers)
    traced.answered += answers
  }

  /** The oldest has waited for longest; errors are below zero. A single reply, the most common case, is seen at a glance. */
  private mayBeOfInterest(underway: Underway, bytes: Uint8Array, answers: number, now: number): boolean {
    const { failures, slowMs } = this.telemetry.options
    if (slowMs > 0 && now - underway.oldest >= slowMs) return true
    if (failures === "none") return false
    return answers > 1 || bytes[ERROR_AT] !== 0 || bytes[XID_AT] === NEGATIVE
  }

  /** Goes from frame to frame. */
  private look(client: Client, traced: Traced, bytes: Uint8Array, answers: number, now: number): void {
    const { sampled, underway, movedAt } = traced
    const { slowMs, failures } = this.telemetry.options
    const isLate = underway !== undefined && slowMs > 0 && now - underway.oldest >= slowMs
    const nextSampled = () => sampled[0]?.number ?? Number.POSITIVE_INFINITY
    let wanted = nextSampled()
    let nth = 0
    for (let at = 0; at + HEADER_BYTES <= bytes.length && nth < answers; at += 4 + int32(bytes, at)) {
      if (bytes[at + XID_AT] === NEGATIVE && int32(bytes, at + XID_AT) === NOTIFICATION) continue
      const number = traced.answered + ++nth
      if (number === wanted) {
        this.done.push({ one: sampled.shift()!, client, header: headerAt(bytes, at) })
        wanted = nextSampled()
      } else if (underway !== undefined && (isLate || (failures !== "none" && bytes[at + ERROR_AT] !== 0))) {
        this.judge(client, underway, nth - 1, headerAt(bytes, at), number >= movedAt, now)
      }
    }
  }

  /** The passing reply's request was slow, or has failed, or neither. `isHere`: it went to the client's present peer. */
  private judge(client: Client, underway: Underway, nth: number, header: Header, isHere: boolean, now: number): void {
    const found = underway.at(nth)
    const { peer } = client
    if (found === undefined || peer === undefined) return
    const { request, ordinal, since } = found
    if ((!this.isSlow(since, now) && !this.hasFailed(header.error)) || !this.keeping.take(now)) return
    const traceId = newTraceId()
    const trace = { traceId, spanId: spanIdOf(traceId, "request", 0) }
    this.done.push({ one: { trace, number: 0, request, start: since }, client, header })
    const kept = {
      traceId,
      rootId: trace.spanId,
      isRead: kindOf(request.op) !== WRITE,
      zxid: header.zxid,
      session: client.sessionId,
      peer: peer.sid,
      link: peer.linkId ?? "",
      ordinal: isHere ? ordinal : -1,
      op: opName(request.op),
      start: this.telemetry.wall(since),
      end: this.telemetry.wall(now)
    }
    this.kept.push({ at: now, request: kept })
  }

  private isSlow(since: number, now: number): boolean {
    const { slowMs } = this.telemetry.options
    return slowMs > 0 && now - since >= slowMs
  }

  private hasFailed(error: number): boolean {
    const { failures } = this.telemetry.options
    return failures === "all" ? error < 0 : failures === "system" && error < 0 && error > API_ERROR
  }

  /** What was written in this pass has left. */
  flushed(now: number): void {
    this.deliveries.flushed(now)
    if (this.done.length === 0) return
    const { done } = this
    this.done = []
    for (const { one, client, header } of done) this.finish(one, client, header, now, undefined)
  }

  /** The connection has ended: what it waited for will not come. */
  gone(client: Client, now: number): void {
    const traced = client.traced
    if (traced === undefined) return
    this.opened(client, now, GONE)
    for (const one of traced.sampled.splice(0)) this.finish(one, client, undefined, now, GONE)
    traced.underway?.drop(traced.underway.length)
  }

  /** Asks everybody for the requests of interest that were answered a moment ago. */
  tick(now: number): void {
    if (this.kept.length === 0) return
    const due = this.kept.filter(({ at }) => now - at >= KEEP_AFTER_MS)
    this.kept = this.kept.filter(({ at }) => now - at < KEEP_AFTER_MS)
    for (const { request } of due) this.telemetry.outlet?.keep(request)
  }

  private finish(
    { trace, request, start }: Sampled,
    client: Client,
    header: Header | undefined,
    now: number,
    error: string | undefined
  ): void {
    const { xid, op } = request
    const about = { op: opName(op), xid, paths: pathsOf(request), start, end: now }
    this.tell(trace, client, about, header, error)
    if (header !== undefined) this.remark(trace, client, about, header)
  }

  /** A line of the log for each request that was slow or has failed: by it an operator finds the trace. */
  private remark(
    { traceId }: TraceContext,
    client: Client,
    { op, xid, paths, start, end }: About,
    header: Header
  ): void {
    const hasFailed = this.hasFailed(header.error)
    if ((!hasFailed && !this.isSlow(start, end)) || !this.logging.take(end)) return
    const { sessionId: session, peer } = client
    const error = hasFailed ? errorName(header.error) : undefined
    const [path] = paths
    const what = `${path === undefined ? op : `${op} ${path}`} of session ${hex(session)}`
    const how = `took ${Math.round(end - start)} ms${error === undefined ? "" : ` and failed: ${error}`}`
    const durationMs = end - start
    this.log(`${what} ${how}`, {
      ...{ peer: peer?.sid, session, xid, zxid: header.zxid, traceId, op, path, error, durationMs },
      client: `${client.address}:${client.port}`
    })
  }

  private tell(
    trace: TraceContext,
    client: Client,
    about: About,
    header: Header | undefined,
    error: string | undefined
  ): void {
    const { op, xid, paths, start, end } = about
    const code = header?.error ?? 0
    const failure = code < 0 && code > API_ERROR ? errorName(code) : error === GONE ? LOST : error
    this.tracer.record({
      ...trace,
      parentId: "",
      name: `zookeeper/${op}`,
      kind: SpanKind.server,
      start,
      end,
      attributes: {
        "rpc.system.name": "zookeeper",
        "rpc.method": `zookeeper/${op}`,
        "client.address": client.address,
        "client.port": client.port,
        "network.peer.address": client.address,
        "network.peer.port": client.port,
        "network.transport": "tcp",
        "zookeeper.session.id": hex(client.sessionId),
        "zookeeper.xid": xid,
        "zookeeper.op": op,
        ...(paths.length === 0 ? {} : { "zookeeper.path": paths[0]! }),
        ...(paths.length > 1 ? { "zookeeper.multi.operations": paths.length } : {}),
        ...(client.peer === undefined ? {} : { "zookeeper.peer": client.peer.sid }),
        ...(header === undefined ? {} : { "zookeeper.zxid": hex(header.zxid) }),
        ...(header === undefined ? {} : { "rpc.response.status_code": code === 0 ? "OK" : errorName(code) }),
        // An error that answers a question is the client's affair: the request has not failed.
        ...(failure === undefined ? {} : { "error.type": failure })
      },
      error: error ?? failure
    })
  }
}
