/**
 * A transaction as it is broadcast, logged and applied: encoded once, the same bytes everywhere.
 *
 * One entry, big-endian:
 *
 * | offset | field   | form                                                        |
 * | ------ | ------- | ----------------------------------------------------------- |
 * | 0      | size    | u32, bytes after this field                                 |
 * | 4      | zxid    | u64                                                         |
 * | 12     | session | u64, 0 when the ensemble itself is the author               |
 * | 20     | seq     | u32, the request's number within the session's connection   |
 * | 24     | cxid    | i32, the client's xid, for the reply's header               |
 * | 28     | time    | u64, the leader's wall clock at prepare, ms                 |
 * | 36     | type    | i32, an opcode (`OpCode`), -1 for an error transaction      |
 * | 40     | body    | the type's record in jute                                   |
 *
 * A batch is entries back to back, zxids contiguous. infra-side readers (the SQL view `log`) decode the same layout.
 */
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { WORD } from "@zkmesh/numbers"

export const ENTRY_HEADER = 40

/** Consecutive transactions in one piece of memory. `first` and `last` are the zxids of the first and last entry. */
export interface TxnBatch {
  readonly first: Zxid
  readonly last: Zxid
  readonly count: number
  readonly bytes: Uint8Array
}

/** Fills in an entry's header; the caller has written the body at `offset + ENTRY_HEADER` and knows where it ends. */
export const writeEntryHeader = (
  view: DataView,
  offset: number,
  end: number,
  header: { zxid: Zxid; session: SessionId; seq: number; cxid: number; time: number; type: number }
): void => {
  view.setUint32(offset, end - offset - 4)
  view.setUint32(offset + 4, Math.floor(header.zxid / WORD))
  view.setUint32(offset + 8, header.zxid >>> 0)
  view.setUint32(offset + 12, Math.floor(header.session / WORD))
  view.setUint32(offset + 16, header.session >>> 0)
  view.setUint32(offset + 20, header.seq)
  view.setInt32(offset + 24, header.cxid)
  view.setUint32(offset + 28, Math.floor(header.time / WORD))
  view.setUint32(offset + 32, header.time >>> 0)
  view.setInt32(offset + 36, header.type)
}

/** Walks the entries of a batch without allocating: call `next()`, then read the getters. */
export class EntryReader {
  readonly bytes: Uint8Array
  readonly view: DataView
  private offset = 0
  private nextOffset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** False at the end. A size that leaves the batch is a corrupt batch and throws. */
  next(): boolean {
    this.offset = this.nextOffset
    if (this.offset >= this.bytes.length) return false
    if (this.offset + ENTRY_HEADER > this.bytes.length) throw new CorruptBatch("a transaction's header is cut short")
    this.nextOffset = this.offset + 4 + this.view.getUint32(this.offset)
    if (this.nextOffset > this.bytes.length || this.nextOffset < this.offset + ENTRY_HEADER) {
      throw new CorruptBatch("a transaction's size leaves its batch")
    }
    return true
  }

  get start(): number {
    return this.offset
  }
  get bodyStart(): number {
    return this.offset + ENTRY_HEADER
  }
  get end(): number {
    return this.nextOffset
  }
  get zxid(): Zxid {
    return this.view.getUint32(this.offset + 4) * WORD + this.view.getUint32(this.offset + 8)
  }
  get session(): SessionId {
    return this.view.getUint32(this.offset + 12) * WORD + this.view.getUint32(this.offset + 16)
  }
  get seq(): number {
    return this.view.getUint32(this.offset + 20)
  }
  get cxid(): number {
    return this.view.getInt32(this.offset + 24)
  }
  get time(): number {
    return this.view.getUint32(this.offset + 28) * WORD + this.view.getUint32(this.offset + 32)
  }
  get type(): number {
    return this.view.getInt32(this.offset + 36)
  }
}

/** When the first transaction of a batch was made, on its leader's clock; read without walking the batch. */
export const batchTime = ({ bytes }: TxnBatch): number => {
  const word = (at: number) =>
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  return word(28) * WORD + word(32)
}

export class CorruptBatch extends Error {
  override readonly name = "CorruptBatch"
}

/** One batch out of several consecutive ones: what queued while a flush was in flight leaves together. */
export const joinBatches = (batches: ReadonlyArray<TxnBatch>): TxnBatch => {
  if (batches.length === 1) return batches[0]!
  let size = 0
  let count = 0
  for (const batch of batches) {
    size += batch.bytes.length
    count += batch.count
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const batch of batches) {
    bytes.set(batch.bytes, at)
    at += batch.bytes.length
  }
  return { first: batches[0]!.first, last: batches[batches.length - 1]!.last, count, bytes }
}

/** The part of `batch` with zxids in (after, upTo]; undefined if none. No copy. */
export const sliceBatch = (batch: TxnBatch, after: Zxid, upTo: Zxid): TxnBatch | undefined => {
  if (batch.first > after && batch.last <= upTo) return batch
  if (batch.last <= after || batch.first > upTo) return undefined
  const reader = new EntryReader(batch.bytes)
  let first = 0
  let last = 0
  let count = 0
  let start = 0
  let end = 0
  while (reader.next()) {
    const zxid = reader.zxid
    if (zxid <= after) continue
    if (zxid > upTo) break
    if (count === 0) {
      first = zxid
      start = reader.start
    }
    last = zxid
    end = reader.end
    count++
  }
  return count === 0 ? undefined : { first, last, count, bytes: batch.bytes.subarray(start, end) }
}
