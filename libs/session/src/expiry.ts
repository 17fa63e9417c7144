/**
 * The leader's session tracker: which sessions have not been heard from for their timeout.
 *
 * Sessions lie in buckets a tick apart, as in ZooKeeper: a session lives between its timeout and one tick more after
 * it was last heard from, and touching one that stays in its bucket costs a look-up.
 */
import type { SessionId } from "@zkmesh/numbers"

interface Tracked {
  timeoutMs: number
  /** The time at which it expires: its bucket's key. */
  expiresAt: number
}

export class ExpiryTracker {
  private readonly tickTimeMs: number
  private readonly sessions = new Map<SessionId, Tracked>()
  private readonly buckets = new Map<number, Set<SessionId>>()
  /** The next bucket to look at. */
  private due = 0

  constructor(tickTimeMs: number, now: number) {
    this.tickTimeMs = tickTimeMs
    this.due = this.bucketAfter(now)
  }

  get size(): number {
    return this.sessions.size
  }

  /** A session begins, or is taken over by a new connection with a timeout of its own: a full timeout from now. */
  add(session: SessionId, timeoutMs: number, now: number): void {
    const tracked = this.sessions.get(session)
    if (tracked === undefined) {
      const expiresAt = this.bucketAfter(now + timeoutMs)
      this.sessions.set(session, { timeoutMs, expiresAt })
      this.bucket(expiresAt).add(session)
      return
    }
    tracked.timeoutMs = timeoutMs
    this.move(session, tracked, this.bucketAfter(now + timeoutMs))
  }

  /** It has been heard from. One that is not tracked (closed, or expired and closing) stays so. */
  touch(session: SessionId, now: number): void {
    const tracked = this.sessions.get(session)
    if (tracked === undefined) return
    const expiresAt = this.bucketAfter(now + tracked.timeoutMs)
    // Never earlier: a shorter timeout takes effect when the longer one has been used up.
    if (expiresAt > tracked.expiresAt) this.move(session, tracked, expiresAt)
  }

  remove(session: SessionId): void {
    const tracked = this.sessions.get(session)
    if (tracked === undefined) return
    this.sessions.delete(session)
    this.leave(session, tracked.expiresAt)
  }

  /** Those whose time is over. They are not tracked any more: whoever asks sees to it that they are closed. */
  expire(now: number): Array<SessionId> {
    const expired: Array<SessionId> = []
    for (; this.due <= now; this.due += this.tickTimeMs) {
      const bucket = this.buckets.get(this.due)
      if (bucket === undefined) continue
      this.buckets.delete(this.due)
      for (const session of bucket) {
        this.sessions.delete(session)
        expired.push(session)
      }
    }
    return expired
  }

  /** What `dump` shows: the buckets in order of time. */
  sets(): Array<{ readonly expiresAt: number; readonly sessions: ReadonlyArray<SessionId> }> {
    return [...this.buckets]
      .sort(([a], [b]) => a - b)
      .map(([expiresAt, sessions]) => ({ expiresAt, sessions: [...sessions] }))
  }

  private bucketAfter(time: number): number {
    const bucket = (Math.floor(time / this.tickTimeMs) + 1) * this.tickTimeMs
    // A bucket that has been looked at is never filled again: it would not be looked at a second time.
    return Math.max(bucket, this.due)
  }

  private bucket(expiresAt: number): Set<SessionId> {
    let bucket = this.buckets.get(expiresAt)
    if (bucket === undefined) {
      bucket = new Set()
      this.buckets.set(expiresAt, bucket)
    }
    return bucket
  }

  private move(session: SessionId, tracked: Tracked, expiresAt: number): void {
    if (expiresAt === tracked.expiresAt) return
    this.leave(session, tracked.expiresAt)
    tracked.expiresAt = expiresAt
    this.bucket(expiresAt).add(session)
  }

  private leave(session: SessionId, expiresAt: number): void {
    const bucket = this.buckets.get(expiresAt)
    if (bucket === undefined) return
    bucket.delete(session)
    if (bucket.size === 0) this.buckets.delete(expiresAt)
  }
}
