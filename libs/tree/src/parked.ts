import type { ClientRequest, Identity } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { LinkId } from "./input.ts"

/** A read that waits for a write of its own session. */
export interface ParkedRead {
  readonly request: ClientRequest
  readonly identity: Identity
  /** The write: the read is done right after it, and before the session's next. */
  readonly seq: number
}

/** The reads of one connection that wait, in their order; the writes that they wait for never go back. */
export interface ParkedReads {
  readonly link: LinkId
  readonly connection: Zxid
  readonly reads: Array<ParkedRead>
}

/** Reads that are to see what an earlier write of their own session has done, and nothing of a later one. */
export class Parked {
  private readonly sessions = new Map<SessionId, ParkedReads>()

  get isEmpty(): boolean {
    return this.sessions.size === 0
  }

  add(link: LinkId, session: SessionId, connection: Zxid, read: ParkedRead): void {
    const known = this.sessions.get(session)
    // An earlier connection's reads have nobody to answer any more.
    if (known?.connection === connection && known.link === link) known.reads.push(read)
    else this.sessions.set(session, { link, connection, reads: [read] })
  }

  /** Takes the reads that come right after this write of the session; undefined if there are none. */
  take(session: SessionId, seq: number): ParkedReads | undefined {
    const known = this.sessions.get(session)
    if (known === undefined) return undefined
    const { reads } = known
    let due = 0
    while (due < reads.length && reads[due]!.seq <= seq) due++
    if (due === 0) return undefined
    if (due === reads.length) {
      this.sessions.delete(session)
      return known
    }
    return { ...known, reads: reads.splice(0, due) }
  }

  /** The session has another connection now, or none. */
  forget(session: SessionId): void {
    this.sessions.delete(session)
  }

  /** The link is gone, and with it whoever waits. */
  broken(link: LinkId): void {
    for (const [session, parked] of this.sessions) if (parked.link === link) this.sessions.delete(session)
  }

  clear(): void {
    this.sessions.clear()
  }
}
