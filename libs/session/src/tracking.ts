import type { SessionRecord } from "@zkmesh/messages"
import type { SessionId } from "@zkmesh/numbers"
import type { Connection } from "./connection.ts"
import { ExpiryTracker } from "./expiry.ts"

/**
 * Every session of the ensemble as far as its life is concerned. All peers know the timeouts, so that any of them can
 * become the leader; the leader alone decides who has expired. The others tell it whom they have heard from.
 */
export class Tracking {
  private readonly tickTimeMs: number
  private readonly timeouts = new Map<SessionId, number>()
  /** undefined unless clients may go on without a leader. */
  private readonly passwords: Map<SessionId, Uint8Array> | undefined
  /** On the leader only. */
  tracker: ExpiryTracker | undefined
  /** Expired, and their closeSession not seen in the stream yet: asked for again if the way to prepare was lost. */
  readonly closing = new Set<SessionId>()
  private heard: Array<SessionId> = []
  private round = 0
  expiredCount = 0

  constructor(tickTimeMs: number, keepsPasswords: boolean) {
    this.tickTimeMs = tickTimeMs
    this.passwords = keepsPasswords ? new Map() : undefined
  }

  get size(): number {
    return this.timeouts.size
  }

  sessions(): IterableIterator<[SessionId, number]> {
    return this.timeouts.entries()
  }

  reset(sessions: ReadonlyArray<SessionRecord>): void {
    this.follow()
    this.timeouts.clear()
    this.heard = []
    this.round++
    this.passwords?.clear()
    for (const session of sessions) this.know(session)
  }

  /** The peer has another role, or the same one anew. */
  become(isLeading: boolean, now: number): void {
    if (isLeading) this.lead(now)
    else this.follow()
  }

  /** The peer leads: every session has its full timeout from now on. */
  private lead(now: number): void {
    this.closing.clear()
    this.tracker = new ExpiryTracker(this.tickTimeMs, now)
    for (const [id, timeoutMs] of this.timeouts) this.tracker.add(id, timeoutMs, now)
  }

  /** The peer does not lead (any more). */
  private follow(): void {
    this.tracker = undefined
    this.closing.clear()
  }

  opened(record: SessionRecord, now: number): void {
    this.know(record)
    this.tracker?.add(record.id, record.timeoutMs, now)
  }

  private know({ id, timeoutMs, password }: SessionRecord): void {
    this.timeouts.set(id, timeoutMs)
    this.passwords?.set(id, password)
  }

  password(id: SessionId): Uint8Array | undefined {
    return this.passwords?.get(id)
  }

  closed(id: SessionId): void {
    this.timeouts.delete(id)
    this.passwords?.delete(id)
    this.closing.delete(id)
    this.tracker?.remove(id)
  }

  /** A connection of ours has said something. Once a round is enough. */
  hear(connection: Connection): void {
    if (connection.heardIn === this.round) return
    connection.heardIn = this.round
    this.heard.push(connection.session)
  }

  /** Who has been heard from since the last call. */
  takeHeard(): ReadonlyArray<SessionId> {
    const heard = this.heard
    this.heard = []
    this.round++
    return heard
  }

  /** On the leader: takes note of its own connections, then returns whose time is over. */
  expire(now: number): ReadonlyArray<SessionId> {
    const tracker = this.tracker
    if (tracker === undefined) return []
    for (const session of this.takeHeard()) tracker.touch(session, now)
    const expired = tracker.expire(now)
    for (const session of expired) this.closing.add(session)
    this.expiredCount += expired.length
    return expired
  }
}
