/** What every log does to batches: check them before they become durable, find a zxid in them, cut them. */
import type { Zxid } from "@zkmesh/numbers"
import { follows, hex } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { CorruptBatch, EntryReader } from "@zkmesh/txn"

/**
 * Why `batch` may not be logged after `tail`, or undefined. Walks every entry: a hole or a lie about first, last or count
 * would otherwise be found only by whoever replays the log.
 */
export const problemOf = (tail: Zxid, batch: TxnBatch): string | undefined => {
  const reader = new EntryReader(batch.bytes)
  let previous = tail
  let count = 0
  try {
    while (reader.next()) {
      const zxid = reader.zxid
      if (!follows(previous, zxid)) return `a hole: ${hex(zxid)} does not follow ${hex(previous)}`
      if (count === 0 && zxid !== batch.first) return `its first zxid is ${hex(zxid)}, not ${hex(batch.first)}`
      previous = zxid
      count++
    }
  } catch (error) {
    if (error instanceof CorruptBatch) return error.message
    throw error
  }
  if (count === 0) return "it is empty"
  if (count !== batch.count) return `it holds ${count} transactions, not ${batch.count}`
  if (previous !== batch.last) return `its last zxid is ${hex(previous)}, not ${hex(batch.last)}`
  return undefined
}

/** The last zxid of `batch` that is <= `zxid`; undefined if it starts later. */
export const lastWithin = (batch: TxnBatch, zxid: Zxid): Zxid | undefined => {
  if (batch.last <= zxid) return batch.last
  const reader = new EntryReader(batch.bytes)
  let found: Zxid | undefined
  while (reader.next() && reader.zxid <= zxid) found = reader.zxid
  return found
}
