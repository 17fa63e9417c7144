/**
 * What is read and written below each top-level znode, for whoever wants to count it.
 *
 * As ZooKeeper counts: a read that succeeds is its path, what is read (a value, or the names of children) and a Stat; a
 * write is its path and its value, when it is applied, on every peer. Paths are as long as their UTF-8.
 */
export interface Traffic {
  /** A znode has been read; its path is `buffer[start, end)`. */
  readonly read: (buffer: Uint8Array, start: number, end: number, bytes: number) => void
  /** The same, of a path that has been decoded already. */
  readonly readPath: (path: string, bytes: number) => void
  /** A znode has been created, set or deleted; its path is `buffer[start, end)`. */
  readonly wrote: (buffer: Uint8Array, start: number, end: number, bytes: number) => void
  /** A write was refused because of a quota. */
  readonly exceededQuota: (path: string) => void
}

/** A Stat's length: every read is counted with one, `getChildren` too, which has none. */
export const STAT_BYTES = 68
