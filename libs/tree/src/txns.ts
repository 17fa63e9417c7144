/**
 * The bodies of transactions, as ZooKeeper has them, written once by `Preparer`. `Applier` reads those of znodes in
 * place; what else reads them (an operator's query) finds plain jute.
 *
 * | type              | body                                                             |
 * | ----------------- | ---------------------------------------------------------------- |
 * | create, create2   | path, data, acl, boolean ephemeral, int parentCreations          |
 * | createContainer   | path, data, acl, int parentCreations                             |
 * | createTTL         | path, data, acl, int parentCreations, long ttl                   |
 * | delete, deleteContainer | path                                                       |
 * | setData, reconfig | path, data, int version                                          |
 * | setACL            | path, acl, int aversion                                          |
 * | check             | path, int version                                                |
 * | multi             | vector of (int type, buffer body)                                |
 * | restore           | path of the znode whose children are the snapshot                |
 * | sync              | path                                                             |
 * | createSession, attachSession | int timeoutMs, buffer password, int peer, long token; if it goes on from an earlier connection: long connection, int answered, int logged |
 * | closeSession      | vector of paths: the ephemerals that go with it                  |
 * | error             | int code                                                         |
 */
import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"
import { type JuteReader, JuteWriter } from "@zkmesh/protocol"
import { ENTRY_HEADER, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"

export interface OpenBody {
  readonly timeoutMs: number
  readonly password: Uint8Array
  readonly peer: Sid
  readonly token: number
  /** An attachSession that goes on from an earlier connection. */
  readonly resumed?: ResumedBody | undefined
}

export interface ResumedBody {
  /** The earlier connection, the last of its numbered requests that was answered, and the last that is in the log. */
  readonly connection: Zxid
  readonly answered: number
  readonly logged: number
}

export const writeOpenBody = (writer: JuteWriter, body: OpenBody): void => {
  writer.int(body.timeoutMs)
  writer.buffer(body.password)
  writer.int(body.peer)
  writer.long(body.token)
  const { resumed } = body
  if (resumed === undefined) return
  writer.long(resumed.connection)
  writer.int(resumed.answered)
  writer.int(resumed.logged)
}

/** The password is a copy: it outlives the batch that it came in. */
export const readOpenBody = (reader: JuteReader): OpenBody => {
  const timeoutMs = reader.int()
  const password = Uint8Array.from(reader.buffer() ?? [])
  const peer = reader.int()
  const token = reader.long()
  if (reader.remaining === 0) return { timeoutMs, password, peer, token }
  const resumed = { connection: reader.long(), answered: reader.int(), logged: reader.int() }
  return { timeoutMs, password, peer, token, resumed }
}

export interface EntryHeader {
  readonly zxid: Zxid
  readonly session: SessionId
  readonly seq: number
  readonly cxid: number
  readonly time: number
  readonly type: number
}

/** Writes entries one after another into the memory that is broadcast, logged and applied as it is. */
export class BatchWriter extends JuteWriter {
  private first: Zxid = 0
  private last: Zxid = 0
  private count = 0

  constructor(chunkBytes: number = 256 * 1024) {
    super(chunkBytes)
  }

  get entries(): number {
    return this.count
  }

  /** Leaves room for the header; the body follows. Returns where the entry starts. */
  beginEntry(): number {
    this.reserve(ENTRY_HEADER)
    const at = this.length
    this.position += ENTRY_HEADER
    return at
  }

  /** Drops what has been written of the entry's body. */
  clearBody(entry: number): void {
    this.rewind(entry + ENTRY_HEADER)
  }

  endEntry(entry: number, header: EntryHeader): void {
    writeEntryHeader(this.view, this.start + entry, this.position, header)
    if (this.count++ === 0) this.first = header.zxid
    this.last = header.zxid
  }

  /** What has been written since the last call; undefined if that is nothing. */
  takeBatch(): TxnBatch | undefined {
    if (this.count === 0) return undefined
    const batch = { first: this.first, last: this.last, count: this.count, bytes: this.take() }
    this.count = 0
    return batch
  }
}
