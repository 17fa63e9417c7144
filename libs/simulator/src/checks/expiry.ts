/** A session that is expired has had its full time: since its leader was established, and since it was last heard from. */
import { hex, type SessionId, type Sid } from "@zkmesh/numbers"
import { Violation } from "./violation.ts"

/** What a leader has decided may be this long on its way through a slowed network, while signs of life still arrive. */
const ON_ITS_WAY_MS = 500

export class ExpiryChecks {
  private readonly timeouts = new Map<SessionId, number>()
  /** By peer and session: only what the leader itself has heard counts. */
  private readonly heardAt = new Map<string, number>()
  /** By the same: when a silence as long as the timeout was last broken. */
  private readonly silentUntil = new Map<string, number>()
  private establishedAt = new Map<Sid, number>()
  private readonly slack: number

  /** `slack`: how much slower than right a leader's clock may run, as a factor below 1. */
  constructor(slack: number) {
    this.slack = slack
  }

  established(sid: Sid, now: number): void {
    this.establishedAt.set(sid, now)
  }

  /** It was created or attached, as peer `sid` sees it now: a full timeout from now on. */
  opened(sid: Sid, session: SessionId, timeoutMs: number, now: number): void {
    const key = `${sid}:${session}`
    // Of one that is new here there was nothing to be heard before.
    if (this.heardAt.has(key)) this.touched(sid, session, now)
    this.timeouts.set(session, timeoutMs)
    this.heardAt.set(key, now)
  }

  /** The session service of peer `sid` has been told that it lives. */
  touched(sid: Sid, session: SessionId, now: number): void {
    const key = `${sid}:${session}`
    const timeoutMs = this.timeouts.get(session)
    if (timeoutMs !== undefined && now - this.since(sid, key) >= timeoutMs * this.slack) this.silentUntil.set(key, now)
    this.heardAt.set(key, now)
  }

  /** The znode of leader `sid` hears that it asks for the session's end. */
  expires(session: SessionId, sid: Sid, now: number): void {
    const timeoutMs = this.timeouts.get(session)
    if (timeoutMs === undefined) return
    const key = `${sid}:${session}`
    const since = this.since(sid, key)
    if (now - since >= timeoutMs * this.slack) return
    if (now - (this.silentUntil.get(key) ?? Number.NEGATIVE_INFINITY) <= ON_ITS_WAY_MS) return
    const ms = Math.round(now - since)
    throw new Violation(
      "expiry",
      `session ${hex(session)} is expired ${ms} ms after a sign of life, of ${timeoutMs} ms`
    )
  }

  private since(sid: Sid, key: string): number {
    return Math.max(this.heardAt.get(key) ?? 0, this.establishedAt.get(sid) ?? 0)
  }
}
