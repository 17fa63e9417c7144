/** A session that is expired has had its full time: since its leader was established, and since it was last heard from. */
import { hex, type SessionId, type Sid } from "@zkmesh/numbers"
import { Violation } from "./violation.ts"

export class ExpiryChecks {
  private readonly timeouts = new Map<SessionId, number>()
  /** By peer and session: only what the leader itself has heard counts. */
  private readonly heardAt = new Map<string, number>()
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
    this.timeouts.set(session, timeoutMs)
    this.heardAt.set(`${sid}:${session}`, now)
  }

  /** The session service of peer `sid` has been told that it lives. */
  touched(sid: Sid, session: SessionId, now: number): void {
    this.heardAt.set(`${sid}:${session}`, now)
  }

  /** Leader `sid` asks for the session's end. */
  expires(session: SessionId, sid: Sid, now: number): void {
    const timeoutMs = this.timeouts.get(session)
    if (timeoutMs === undefined) return
    const since = Math.max(this.heardAt.get(`${sid}:${session}`) ?? 0, this.establishedAt.get(sid) ?? 0)
    if (now - since >= timeoutMs * this.slack) return
    const ms = Math.round(now - since)
    throw new Violation(
      "expiry",
      `session ${hex(session)} is expired ${ms} ms after a sign of life, of ${timeoutMs} ms`
    )
  }
}
