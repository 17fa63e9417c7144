/**
 * The one history of the ensemble: every transaction in the order in which it was first delivered anywhere. All peers
 * must deliver just that, and what clients are told must agree with it.
 */
import { follows, hex, type SessionId, type Zxid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import type { EntryReader } from "@zkmesh/txn"
import type { Operation, Outcome } from "../clients/operations.ts"
import { TreeModel } from "./model.ts"
import { Violation } from "./violation.ts"

export interface Txn {
  readonly zxid: Zxid
  readonly session: SessionId
  readonly seq: number
  readonly cxid: number
  readonly type: number
  /** Of its bytes. */
  readonly hash: number
}

/** A request as its client has sent it. */
export interface Sent {
  readonly client: string
  readonly session: SessionId
  readonly xid: number
  readonly operation: Operation
  readonly at: number
  /** The highest zxid that any client had been told of for a write when this was sent: a write comes later. */
  readonly floor: Zxid
}

export interface Landed {
  readonly zxid: Zxid
  readonly expected: Outcome
}

export const txnOf = (entry: EntryReader): Txn => {
  let hash = 0x811c_9dc5
  const { bytes, start, end } = entry
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x0100_0193)
  return {
    zxid: entry.zxid,
    session: entry.session,
    seq: entry.seq,
    cxid: entry.cxid,
    type: entry.type,
    hash: hash >>> 0
  }
}

const keyOf = (session: SessionId, xid: number): string => `${session}:${xid}`

export class History {
  readonly txns: Array<Txn> = []
  readonly model = new TreeModel()
  /** When each session was closed, and which are open. */
  readonly closedAt = new Map<SessionId, Zxid>()
  readonly open = new Set<SessionId>()
  private readonly index = new Map<Zxid, number>()
  private readonly sent = new Map<string, Sent>()
  private readonly landed = new Map<string, Landed>()
  private toldUpTo: Zxid = 0

  get last(): Zxid {
    return this.txns.at(-1)?.zxid ?? 0
  }

  /** The highest zxid of a write that some client has been told of. */
  get told(): Zxid {
    return this.toldUpTo
  }

  place(zxid: Zxid): number | undefined {
    return this.index.get(zxid)
  }

  asked(sent: Sent): void {
    this.sent.set(keyOf(sent.session, sent.xid), sent)
  }

  /** Where a client's write is in the log; undefined if it is not. */
  landedOf(session: SessionId, xid: number): Landed | undefined {
    return this.landed.get(keyOf(session, xid))
  }

  answered(zxid: Zxid): void {
    if (zxid > this.toldUpTo) this.toldUpTo = zxid
  }

  /** The next transaction of the history: delivered somewhere for the first time. */
  append(txn: Txn): void {
    if (!follows(this.last, txn.zxid)) throw new Violation("hole", `${hex(txn.zxid)} follows ${hex(this.last)}`)
    this.index.set(txn.zxid, this.txns.length)
    this.txns.push(txn)
    const { zxid, session, cxid, type, seq } = txn
    if (type === OpCode.createSession) {
      this.open.add(zxid)
      return
    }
    if (type === OpCode.attachSession) return
    if (session !== 0 && this.closedAt.has(session)) {
      throw new Violation("after close", `${hex(zxid)} is of session ${hex(session)}, closed before`)
    }
    const isExpiry = type === OpCode.closeSession && seq === 0
    if (!isExpiry && session !== 0) this.land(txn, keyOf(session, cxid))
    if (type === OpCode.closeSession) {
      if (isExpiry) this.model.closed(zxid, session)
      this.open.delete(session)
      this.closedAt.set(session, zxid)
    }
  }

  private land({ zxid, type }: Txn, key: string): void {
    const sent = this.sent.get(key)
    if (sent === undefined) throw new Violation("integrity", `${hex(zxid)} was asked for by nobody (${key})`)
    const before = this.landed.get(key)
    if (before !== undefined) {
      throw new Violation("twice", `${sent.client}'s ${sent.operation.kind} is at ${hex(before.zxid)} and ${hex(zxid)}`)
    }
    const expected = this.model.carryOut(zxid, sent.session, sent.operation)
    this.landed.set(key, { zxid, expected })
    const failed = type === OpCode.error
    if (failed !== (expected.err !== 0) && sent.operation.kind !== "multi") {
      throw new Violation("result", `${sent.client}'s ${sent.operation.kind} at ${hex(zxid)}: expected ${expected.err}`)
    }
    if (zxid <= sent.floor) {
      throw new Violation(
        "linearizable",
        `${sent.client}'s write at ${hex(zxid)} was asked for after one at ${hex(sent.floor)} had been answered`
      )
    }
  }
}
