/** The peer's one ordered stream to its session service: answers to reads, applied transactions, roles. */
import type { AppliedTxn, RoleChange, SessionToZnode, Stats, ZnodeToSession } from "@zkmesh/messages"
import type { SessionId } from "@zkmesh/numbers"
import type { LinkId } from "./input.ts"
import { Parked, type ParkedReads } from "./parked.ts"
import { ReadBatch } from "./reads.ts"
import type { Traffic } from "./traffic.ts"
import type { Tree } from "./tree.ts"

type Reads = Extract<SessionToZnode, { readonly _tag: "Reads" }>
type ReadsAfter = Extract<SessionToZnode, { readonly _tag: "ReadsAfter" }>

/** Neighbouring answers leave in one message up to this size, neighbouring transactions up to that number. */
const MAX_READ_BYTES = 1024 * 1024
const MAX_TXNS = 4096

export class Streams {
  private readonly outboxes = new Map<LinkId, Array<ZnodeToSession>>()
  private tree: Tree
  private readonly traffic: Traffic | undefined
  private reads: ReadBatch
  /** Whose answers have been written but not yet put in line. */
  private reader: LinkId | undefined
  /** Applied, but not yet put in line. Never both these and answers: their order is the stream's. */
  private txns: Array<AppliedTxn> = []
  private readonly parked = new Parked()
  /** The configuration that session services have been told of. */
  private told = 0

  constructor(tree: Tree, traffic?: Traffic | undefined) {
    this.tree = tree
    this.traffic = traffic
    this.reads = new ReadBatch(tree, traffic)
    this.told = tree.configRevision
  }

  get size(): number {
    return this.outboxes.size
  }

  /** Answers come from this tree from now on; links to the old one are gone. */
  replace(tree: Tree): void {
    this.tree = tree
    this.reads = new ReadBatch(tree, this.traffic)
    this.reader = undefined
    this.txns = []
    this.parked.clear()
    this.told = tree.configRevision
  }

  /** A session service begins with the whole table of sessions. */
  opened(link: LinkId, role: RoleChange): void {
    this.putInLine()
    const { zxid, sessions } = this.tree
    const outbox: Array<ZnodeToSession> = [{ _tag: "Hello", zxid, role, sessions: sessions.copies() }]
    const text = this.tree.configText()
    if (text !== "") outbox.push({ _tag: "Configuration", text })
    this.outboxes.set(link, outbox)
  }

  broken(link: LinkId): void {
    if (this.reader === link) this.putInLine()
    this.outboxes.delete(link)
    this.parked.broken(link)
  }

  /** All links, which are to be broken. */
  clear(): ReadonlyArray<LinkId> {
    const links = [...this.outboxes.keys()]
    this.outboxes.clear()
    this.reader = undefined
    this.txns = []
    this.parked.clear()
    return links
  }

  read(link: LinkId, message: Reads): void {
    // What comes by a link that has just been broken is nobody's: no answer to it may be left lying for the next reader.
    if (!this.outboxes.has(link)) return
    if (this.txns.length > 0 || (this.reader !== undefined && this.reader !== link)) this.putInLine()
    const { requests, identities, sessions } = message
    for (let i = 0; i < requests.length; i++) {
      this.reader = link
      this.reads.read(requests[i]!, identities[i]!, sessions[i]!)
      if (this.reads.bytes >= MAX_READ_BYTES) this.putInLine()
    }
  }

  /** False if a read has come too late: what comes after its write has been applied already, and cannot be undone. */
  readAfter(link: LinkId, message: ReadsAfter): boolean {
    if (!this.outboxes.has(link)) return true
    const { requests, identities, sessions, connections, seqs } = message
    for (let i = 0; i < requests.length; i++) {
      const session = sessions[i]!
      const connection = connections[i]!
      const record = this.tree.sessions.get(session)
      if (record?.connection !== connection) continue
      const seq = seqs[i]!
      if (record.seq > seq) return false
      const read = { request: requests[i]!, identity: identities[i]!, seq }
      if (record.seq === seq) this.release({ link, connection, reads: [read] }, session)
      else this.parked.add(link, session, connection, read)
    }
    return true
  }

  /** Answers reads of one connection, as of now. */
  private release({ link, connection, reads }: ParkedReads, session: SessionId): void {
    this.putInLine()
    for (const { request, identity } of reads) this.reads.read(request, identity, session)
    this.outboxes.get(link)?.push({ _tag: "RepliesAfter", session, connection, ...this.reads.take() })
  }

  answer(link: LinkId, id: number, stats: Stats): void {
    this.putInLine()
    this.outboxes.get(link)?.push({ _tag: "Answer", id, stats })
  }

  /** Must come before the transactions are applied: what has been read so far was read before them. */
  beforeApply(): void {
    if (this.reader !== undefined) this.putInLine()
  }

  applied(txn: AppliedTxn): void {
    this.txns.push(txn)
    if (!this.parked.isEmpty) this.unpark(txn)
    if (this.txns.length >= MAX_TXNS) this.putInLine()
  }

  /** Reads that were waiting for this transaction of their session are done before anything else changes. */
  private unpark(txn: AppliedTxn): void {
    if (txn.sessionChange !== undefined) this.parked.forget(txn.session)
    if (txn.seq === 0) return
    const due = this.parked.take(txn.session, txn.seq)
    if (due !== undefined) this.release(due, txn.session)
  }

  role(role: RoleChange): void {
    this.putInLine()
    for (const outbox of this.outboxes.values()) outbox.push(role)
  }

  private putInLine(): void {
    if (this.reader !== undefined) {
      this.outboxes.get(this.reader)?.push({ _tag: "ReadReplies", ...this.reads.take() })
      this.reader = undefined
    }
    if (this.txns.length > 0) {
      const { txns } = this
      const message: ZnodeToSession = { _tag: "Applied", zxid: txns[txns.length - 1]!.zxid, txns }
      for (const outbox of this.outboxes.values()) outbox.push(message)
      this.txns = []
    }
  }

  private tellConfiguration(): void {
    this.told = this.tree.configRevision
    const text = this.tree.configText()
    for (const outbox of this.outboxes.values()) outbox.push({ _tag: "Configuration", text })
  }

  /** Everything that is due, in order. */
  take(): Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<ZnodeToSession> }> {
    this.putInLine()
    if (this.tree.configRevision !== this.told) this.tellConfiguration()
    const due: Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<ZnodeToSession> }> = []
    for (const [link, messages] of this.outboxes) {
      if (messages.length === 0) continue
      due.push({ link, messages })
      this.outboxes.set(link, [])
    }
    return due
  }
}
