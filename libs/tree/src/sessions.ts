/** The replicated table of sessions, and which of them changed since the last checkpoint. */
import type { SessionRecord } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"

/** A connection, and the last of its numbered requests that is in the log. */
export interface Earlier {
  readonly connection: Zxid
  readonly logged: number
}

export class Sessions {
  private readonly records = new Map<SessionId, SessionRecord>()
  private readonly tokens = new Map<number, SessionId>()
  /** What the live connection of a session goes on from, as long as it has not asked for anything itself. */
  private readonly earlier = new Map<SessionId, Earlier>()
  private changed = new Set<SessionId>()
  private closed = new Set<SessionId>()

  get size(): number {
    return this.records.size
  }

  get(id: SessionId): SessionRecord | undefined {
    return this.records.get(id)
  }

  /** The session whose live connection was asked for with this token. */
  byToken(token: number): SessionRecord | undefined {
    const id = this.tokens.get(token)
    return id === undefined ? undefined : this.records.get(id)
  }

  /** A new session, or the new state of one that has been attached. */
  put(record: SessionRecord): void {
    const before = this.records.get(record.id)
    if (before !== undefined && this.tokens.get(before.token) === record.id) this.tokens.delete(before.token)
    this.earlier.delete(record.id)
    this.records.set(record.id, record)
    this.tokens.set(record.token, record.id)
    this.changed.add(record.id)
  }

  /** The session's new connection goes on from an earlier one. */
  resumed(id: SessionId, earlier: Earlier): void {
    this.earlier.set(id, earlier)
  }

  /** What the session's live connection goes on from, if it has not asked for anything yet. */
  earlierOf(id: SessionId): Earlier | undefined {
    return this.earlier.get(id)
  }

  /** The request `seq` of the session's connection is in the log. */
  advance(record: SessionRecord, seq: number): void {
    if (record.seq === 0) this.earlier.delete(record.id)
    record.seq = seq
    this.changed.add(record.id)
  }

  remove(id: SessionId): boolean {
    const record = this.records.get(id)
    if (record === undefined) return false
    this.records.delete(id)
    this.earlier.delete(id)
    if (this.tokens.get(record.token) === id) this.tokens.delete(record.token)
    this.changed.delete(id)
    this.closed.add(id)
    return true
  }

  /** All of them; those that the loop removes are no matter. */
  ids(): IterableIterator<SessionId> {
    return this.records.keys()
  }

  /** Copies: what is handed out does not change any more. */
  copies(): Array<SessionRecord> {
    return Array.from(this.records.values(), (record) => ({ ...record }))
  }

  get hasChanges(): boolean {
    return this.changed.size > 0 || this.closed.size > 0
  }

  /** What changed since the last capture. */
  capture(): { readonly changed: ReadonlyArray<SessionRecord>; readonly closed: ReadonlyArray<SessionId> } {
    const changed = Array.from(this.changed, (id) => ({ ...this.records.get(id)! }))
    const closed = Array.from(this.closed)
    this.changed = new Set()
    this.closed = new Set()
    return { changed, closed }
  }

  /** A record from the checkpoint: it is no change. */
  load(record: SessionRecord): void {
    this.put({ ...record })
    this.changed.delete(record.id)
  }
}
