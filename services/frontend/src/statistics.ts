/** Counts and times, cheap enough for every request: one clock reading and one entry per chunk of a socket. */
import type { Registry, Summary } from "@zkmesh/metrics"

export class Latency {
  min = 0
  max = 0
  private sum = 0
  count = 0

  /** `count` requests took `ms` each. */
  add(ms: number, count: number): void {
    if (this.count === 0 || ms < this.min) this.min = ms
    if (ms > this.max) this.max = ms
    this.sum += ms * count
    this.count += count
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  reset(): void {
    this.min = this.max = this.sum = this.count = 0
  }
}

/** What kind of request it is, as far as its latency is looked at apart. */
export const OTHER = 0
export const READ = 1
export const UPDATE = 2

/** When the requests under way on a connection came: runs of (time, how many, of which kind), oldest first. */
export class Arrivals {
  private times: Array<number> = []
  private counts: Array<number> = []
  private kinds: Array<number> = []
  private head = 0
  private tail = 0

  add(now: number, count: number, kind: number): void {
    const at = this.tail++
    this.times[at] = now
    this.counts[at] = count
    this.kinds[at] = kind
  }

  /** The oldest `answers` requests are answered now. Returns how long the last of them took. */
  answered(now: number, answers: number, own: Latency, all: Statistics): number {
    let last = 0
    let left = answers
    while (left > 0 && this.head < this.tail) {
      const waiting = this.counts[this.head]!
      const some = Math.min(waiting, left)
      last = now - this.times[this.head]!
      own.add(last, some)
      all.answered(last, some, this.kinds[this.head]!)
      left -= some
      if (some === waiting) this.head++
      else this.counts[this.head] = waiting - some
    }
    // Most connections have nothing under way between two requests: their few entries are written over, not made anew.
    if (this.head === this.tail) this.head = this.tail = 0
    if (this.head >= 256 || (this.tail === 0 && this.times.length > 16)) {
      this.times = this.times.slice(this.head, this.tail)
      this.counts = this.counts.slice(this.head, this.tail)
      this.kinds = this.kinds.slice(this.head, this.tail)
      this.tail -= this.head
      this.head = 0
    }
    return last
  }
}

/** Why a client was sent away, or went: the reasons that are counted. */
export type DropReason =
  | "tooManyConnections"
  | "throttled"
  | "largeRequest"
  | "stale"
  | "badLength"
  | "badHeader"
  | "badHandshake"
  | "badProxyHeader"
  | "badOperation"
  | "authFailed"
  | "authRequired"
  | "notServing"
  | "ahead"
  | "expired"
  | "readOnly"
  | "sessionless"
  | "idle"
  | "slow"
  | "peerLost"
  | "inDoubt"
  | "closedByPeer"
  | "drained"
  | "shed"

/** The frontend's own numbers; those of its peer come with each answer to an operator. */
export class Statistics {
  readonly latency = new Latency()
  received = 0
  sent = 0
  bytesReceived = 0
  bytesSent = 0
  outstanding = 0
  outstandingBytes = 0
  requests = 0
  connectionRequests = 0
  revalidations = 0
  authFailures = 0
  watchBytes = 0
  /** How often a client had to wait because of all the others. */
  stalls = 0
  throttledOps = 0
  /** Answers whose client had gone. */
  staleReplies = 0
  lastReplyBytes = -1
  minReplyBytes = -1
  maxReplyBytes = -1
  readonly drops = new Map<DropReason, number>()
  /** Clients that were carried over to another peer. */
  moves = 0

  /** How many tokens for new sessions were missing, each time that one was asked for. */
  readonly tokenDeficit: Summary
  /** How long clients waited for room, with what they had sent. */
  readonly throttleTime: Summary
  private readonly reads: Summary
  private readonly updates: Summary

  constructor(metrics: Registry) {
    this.tokenDeficit = metrics.summary("connection_token_deficit")
    this.throttleTime = metrics.summary("request_throttle_queue_time_ms")
    this.reads = metrics.summary("readlatency")
    this.updates = metrics.summary("updatelatency")
  }

  /** `count` requests of this kind took `ms` each. */
  answered(ms: number, count: number, kind: number): void {
    this.latency.add(ms, count)
    if (kind === READ) this.reads.record(ms, count)
    else if (kind === UPDATE) this.updates.record(ms, count)
  }

  drop(reason: DropReason): number {
    const count = (this.drops.get(reason) ?? 0) + 1
    this.drops.set(reason, count)
    return count
  }

  /** `srst`. What is under way stays counted. */
  reset(): void {
    this.latency.reset()
    this.received = this.sent = this.bytesReceived = this.bytesSent = this.requests = 0
    this.connectionRequests =
      this.revalidations =
      this.authFailures =
      this.watchBytes =
      this.stalls =
      this.moves =
      this.throttledOps =
      this.staleReplies =
        0
    this.lastReplyBytes = this.minReplyBytes = this.maxReplyBytes = -1
    this.drops.clear()
  }
}
