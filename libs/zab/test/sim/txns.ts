/** Transactions as the simulation proposes them: a nonce for a body, so that each can be told from any other. */
import type { Zxid } from "@zkmesh/numbers"
import { ENTRY_HEADER, EntryReader, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"

export interface Txn {
  readonly zxid: Zxid
  readonly nonce: number
}

const SIZE = ENTRY_HEADER + 4

export const encode = (txns: ReadonlyArray<Txn>): TxnBatch => {
  const bytes = new Uint8Array(txns.length * SIZE)
  const view = new DataView(bytes.buffer)
  txns.forEach(({ zxid, nonce }, index) => {
    const at = index * SIZE
    writeEntryHeader(view, at, at + SIZE, { zxid, session: 0, seq: 0, cxid: 0, time: 0, type: 1 })
    view.setUint32(at + ENTRY_HEADER, nonce)
  })
  return { first: txns[0]!.zxid, last: txns[txns.length - 1]!.zxid, count: txns.length, bytes }
}

export const decode = (batch: TxnBatch): Array<Txn> => {
  const txns: Array<Txn> = []
  const reader = new EntryReader(batch.bytes)
  while (reader.next()) txns.push({ zxid: reader.zxid, nonce: reader.view.getUint32(reader.bodyStart) })
  return txns
}

/** The digest of a toy tree after one more transaction. */
export const fold = (digest: number, txn: Txn): number => (Math.imul(digest ^ txn.nonce, 0x01000193) ^ txn.zxid) >>> 0
