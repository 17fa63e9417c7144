/**
 * The one history of the ensemble: every transaction in the order in which it was first delivered anywhere. All peers
 * must deliver just that, and what clients are told must agree with it.
 */
import type { Configuration, Quorum } from "@zkmesh/membership"
import { epochOf, follows, hex, type SessionId, type Zxid } from "@zkmesh/numbers"
import { ErrorCode, OpCode } from "@zkmesh/protocol"
import type { EntryReader } from "@zkmesh/txn"
import type { Operation, Outcome } from "../clients/operations.ts"
import { configurationIn, rolesAfter, rolesOf, sameRoles } from "../membership.ts"
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
  /** Of one that has failed; else 0. */
  readonly err: number
  /** Of a reconfiguration. */
  readonly configuration: Configuration | undefined
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
    hash: hash >>> 0,
    err: entry.type === OpCode.error ? entry.view.getInt32(entry.bodyStart) : 0,
    configuration: configurationIn(entry)
  }
}

/** One alone would be a server without an ensemble, as in ZooKeeper unless `standaloneEnabled` is off. */
const LEAST_VOTERS = 2

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
  /** Every configuration that was agreed on, and the one that was there at first. */
  private readonly configurations: Array<Configuration>

  constructor(initial: Configuration) {
    this.configurations = [initial]
  }

  /** Who the members are, as of the last transaction. */
  get configuration(): Configuration {
    return this.configurations.at(-1)!
  }

  /** Of which ensemble a quorum has to have the transaction: a reconfiguration is agreed on by the old one and the new. */
  quorumsAt(zxid: Zxid): ReadonlyArray<Quorum> {
    let index = this.configurations.length - 1
    while (index > 0 && this.configurations[index]!.version > zxid) index--
    const { version, quorum } = this.configurations[index]!
    return version === zxid && index > 0 ? [this.configurations[index - 1]!.quorum, quorum] : [quorum]
  }

  get last(): Zxid {
    return this.txns.at(-1)?.zxid ?? 0
  }

  /** How many transactions are of the epochs before this one. */
  countBefore(epoch: number): number {
    let count = this.txns.length
    while (count > 0 && epochOf(this.txns[count - 1]!.zxid) >= epoch) count--
    return count
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
    if (txn.configuration !== undefined) this.configurations.push(txn.configuration)
    const isExpiry = type === OpCode.closeSession && seq === 0
    if (!isExpiry && session !== 0) this.land(txn, keyOf(session, cxid))
    if (type === OpCode.closeSession) {
      if (isExpiry) this.model.closed(zxid, session)
      this.open.delete(session)
      this.closedAt.set(session, zxid)
    }
  }

  private land(txn: Txn, key: string): void {
    const { zxid, type } = txn
    const sent = this.sent.get(key)
    if (sent === undefined) throw new Violation("integrity", `${hex(zxid)} was asked for by nobody (${key})`)
    const before = this.landed.get(key)
    if (before !== undefined) {
      throw new Violation("twice", `${sent.client}'s ${sent.operation.kind} is at ${hex(before.zxid)} and ${hex(zxid)}`)
    }
    const expected = this.expected(txn, sent)
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

  private expected(txn: Txn, { session, operation }: Sent): Outcome {
    if (operation.kind !== "reconfig") return this.model.carryOut(txn.zxid, session, operation)
    const { zxid, err, configuration } = txn
    const roles = rolesAfter(this.configurations.at(configuration === undefined ? -1 : -2)!, operation)
    // What was asked for in view of another membership may leave fewer voters than an ensemble has: nobody grants it.
    const isTooFew = [...roles.values()].filter((role) => role === "participant").length < LEAST_VOTERS
    if (configuration === undefined) {
      // Who is connected, and what else is on its way, only the leader knows.
      if (isTooFew ? err === ErrorCode.BADARGUMENTS : err === ErrorCode.NEWCONFIGNOQUORUM) return { err }
      if (err === ErrorCode.RECONFIGINPROGRESS) return { err }
      throw new Violation("result", `the reconfiguration at ${hex(zxid)} has failed: ${err}`)
    }
    if (isTooFew || configuration.version !== zxid || !sameRoles(rolesOf(configuration), roles)) {
      throw new Violation("result", `the reconfiguration at ${hex(zxid)} has made ${configuration.text}`)
    }
    return { err: 0, data: configuration.text }
  }
}
