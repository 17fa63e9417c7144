/**
 * The 64-bit numbers of ZooKeeper, exact and fast, in one place.
 *
 * A zxid is `epoch * 2^32 + counter`, kept as a plain number: exact and below 2^52 while the epoch is below 2^20. A session's id is the
 * zxid of the transaction that created it, so it is unique for the life of the ensemble without any allocator, and just
 * as exact. On every wire both are two big-endian 32-bit words.
 */

/** `epoch * 2^32 + counter`. */
export type Zxid = number
/** The zxid of the session's createSession transaction; 0 is no session. */
export type SessionId = number
/** A server's id, N of `server.N`: 1…255. */
export type Sid = number

export const WORD = 0x1_0000_0000
/** The first epoch that no zxid has: from its zxids on, numbers are the ids of local sessions, and exact up to 2^53. */
export const EPOCH_LIMIT = 2 ** 20
const FIRST_LOCAL = EPOCH_LIMIT * WORD
/** The last usable counter of an epoch: a leader that reaches it gives up its epoch (as ZooKeeper's does). */
export const COUNTER_LIMIT = 0xffff_fffe

export class EpochExhausted extends Error {
  override readonly name = "EpochExhausted"
}

export const zxid = (epoch: number, counter: number): Zxid => {
  if (epoch >= EPOCH_LIMIT)
    throw new EpochExhausted(`epoch ${epoch} is beyond 2^20: its zxids would be the ids of local sessions`)
  return epoch * WORD + counter
}
export const epochOf = (value: Zxid): number => Math.floor(value / WORD)
export const counterOf = (value: Zxid): number => value % WORD
/** The upper 32 bits, as an unsigned number. */
export const high = (value: number): number => Math.floor(value / WORD)
/** The lower 32 bits, as an unsigned number. */
export const low = (value: number): number => value >>> 0
/** Joins two 32-bit words (of either sign). Exact below 2^53; above, the caller has checked `isExact(high)`. */
export const join = (highWord: number, lowWord: number): number => (highWord >>> 0) * WORD + (lowWord >>> 0)
/** True if a 64-bit value with this upper word is a safe integer: no zxid or session of ours fails it. */
export const isExact = (highWord: number): boolean => highWord >>> 0 < 2 ** 21
/** The id of a session that has no transaction of its own: the `n`th, from any whole number on. */
export const localId = (n: number): SessionId => FIRST_LOCAL + (n % FIRST_LOCAL)
/** True for what `localId` makes; a session that began as a local one keeps its id. */
export const isLocalId = (id: SessionId): boolean => id >= FIRST_LOCAL
/** As operators read it: `0x100000004`. */
export const hex = (value: number): string => `0x${value.toString(16)}`
/** True if `next` may directly follow `previous` in a log: the next counter, or the first of a later epoch. */
export const follows = (previous: Zxid, next: Zxid): boolean =>
  next === previous + 1 || (epochOf(next) > epochOf(previous) && counterOf(next) === 1)
