/** Batches, znodes and sessions to store. */
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { zxid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import type { TxnBatch } from "@zkmesh/txn"
import { ENTRY_HEADER, writeEntryHeader } from "@zkmesh/txn"
import type { StoredNode } from "../src/index.ts"

export interface Entry {
  readonly zxid: Zxid
  readonly type: number
  readonly body: Uint8Array
}

export const batchOf = (entries: ReadonlyArray<Entry>): TxnBatch => {
  const bytes = new Uint8Array(entries.reduce((size, entry) => size + ENTRY_HEADER + entry.body.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const entry of entries) {
    const end = at + ENTRY_HEADER + entry.body.length
    bytes.set(entry.body, at + ENTRY_HEADER)
    writeEntryHeader(view, at, end, {
      zxid: entry.zxid,
      session: zxid(1, 1),
      seq: 7,
      cxid: -3,
      time: 1_700_000_000_123,
      type: entry.type
    })
    at = end
  }
  return { first: entries[0]!.zxid, last: entries.at(-1)!.zxid, count: entries.length, bytes }
}

/** A jute string and then some bytes, as the body of a create or setData begins. */
export const bodyWithPath = (path: string, size = 0): Uint8Array => {
  const text = Buffer.from(path)
  const body = Buffer.alloc(4 + text.length + size, 0x2e)
  body.writeInt32BE(text.length, 0)
  text.copy(body, 4)
  return body
}

/** `count` transactions from `first` on, entries of `size` bytes altogether. */
export const batch = (first: Zxid, count: number, size = 100): TxnBatch =>
  batchOf(
    Array.from({ length: count }, (_, index) => ({
      zxid: first + index,
      type: OpCode.setData,
      body: bodyWithPath(`/n${index}`, Math.max(0, size - ENTRY_HEADER - 10))
    }))
  )

export const node = (path: string, fields: Partial<StoredNode> = {}): StoredNode => ({
  path,
  data: Buffer.from(`data of ${path}`),
  acl: [{ perms: 31, id: { scheme: "world", id: "anyone" } }],
  czxid: zxid(1, 1),
  mzxid: zxid(1, 2),
  pzxid: zxid(1, 3),
  ctime: 1_700_000_000_001,
  mtime: 1_700_000_000_002,
  version: 3,
  cversion: -4,
  aversion: 5,
  ephemeralOwner: 0,
  kind: "persistent",
  ttlMs: 0,
  ...fields
})

export const session = (id: number, fields: Partial<SessionRecord> = {}): SessionRecord => ({
  id,
  password: new Uint8Array(16).fill(id % 256),
  timeoutMs: 30_000,
  peer: 2,
  connection: id,
  seq: 4_000_000_000,
  token: 2 ** 40 + 3,
  ...fields
})
