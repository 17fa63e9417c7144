/**
 * Transactions as the simulation proposes them: a nonce for a body, so that each can be told from any other. A
 * reconfiguration has a real one's body before it.
 */
import { RECONFIG } from "@zkmesh/membership"
import type { Zxid } from "@zkmesh/numbers"
import { ENTRY_HEADER, EntryReader, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"

export interface Txn {
  readonly zxid: Zxid
  readonly nonce: number
  /** The new configuration's text. */
  readonly configuration?: string
}

const PATH = "/zookeeper/config"

const bodyOf = ({ nonce, configuration }: Txn): Uint8Array => {
  const text = Buffer.from(configuration ?? "")
  const prefix = configuration === undefined ? 0 : 4 + PATH.length + 4 + text.length
  const body = Buffer.alloc(prefix + 4)
  if (prefix > 0) {
    body.writeInt32BE(PATH.length, 0)
    body.write(PATH, 4)
    body.writeInt32BE(text.length, 4 + PATH.length)
    text.copy(body, 8 + PATH.length)
  }
  body.writeUInt32BE(nonce, prefix)
  return body
}

export const encode = (txns: ReadonlyArray<Txn>): TxnBatch => {
  const bodies = txns.map(bodyOf)
  const bytes = new Uint8Array(bodies.reduce((sum, body) => sum + ENTRY_HEADER + body.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  txns.forEach(({ zxid, configuration }, index) => {
    const body = bodies[index]!
    const end = at + ENTRY_HEADER + body.length
    const type = configuration === undefined ? 1 : RECONFIG
    writeEntryHeader(view, at, end, { zxid, session: 0, seq: 0, cxid: 0, time: 0, type })
    bytes.set(body, at + ENTRY_HEADER)
    at = end
  })
  return { first: txns[0]!.zxid, last: txns[txns.length - 1]!.zxid, count: txns.length, bytes }
}

export const decode = (batch: TxnBatch): Array<Txn> => {
  const txns: Array<Txn> = []
  const reader = new EntryReader(batch.bytes)
  while (reader.next()) {
    const txn = { zxid: reader.zxid, nonce: reader.view.getUint32(reader.end - 4) }
    if (reader.type !== RECONFIG) txns.push(txn)
    else {
      const text = Buffer.from(reader.bytes).subarray(reader.bodyStart + 8 + PATH.length, reader.end - 4)
      txns.push({ ...txn, configuration: text.toString() })
    }
  }
  return txns
}

/** The digest of a toy tree after one more transaction. */
export const fold = (digest: number, txn: Txn): number => (Math.imul(digest ^ txn.nonce, 0x01000193) ^ txn.zxid) >>> 0
