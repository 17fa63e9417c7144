/** The peer's one ordered stream to its session service: answers to reads, applied transactions, roles. */
import type { AppliedTxn, RoleChange, SessionToZnode, Stats, ZnodeToSession } from "@zkmesh/messages"
import type { LinkId } from "./input.ts"
import { ReadBatch } from "./reads.ts"
import type { Tree } from "./tree.ts"

type Reads = Extract<SessionToZnode, { readonly _tag: "Reads" }>

/** Neighbouring answers leave in one message up to this size, neighbouring transactions up to that number. */
const MAX_READ_BYTES = 1024 * 1024
const MAX_TXNS = 4096

export class Streams {
  private readonly outboxes = new Map<LinkId, Array<ZnodeToSession>>()
  private tree: Tree
  private reads: ReadBatch
  /** Whose answers have been written but not yet put in line. */
  private reader: LinkId | undefined
  /** Applied, but not yet put in line. Never both these and answers: their order is the stream's. */
  private txns: Array<AppliedTxn> = []

  constructor(tree: Tree) {
    this.tree = tree
    this.reads = new ReadBatch(tree)
  }

  get size(): number {
    return this.outboxes.size
  }

  /** Answers come from this tree from now on; links to the old one are gone. */
  replace(tree: Tree): void {
    this.tree = tree
    this.reads = new ReadBatch(tree)
    this.reader = undefined
    this.txns = []
  }

  /** A session service begins with the whole table of sessions. */
  opened(link: LinkId, role: RoleChange): void {
    this.putInLine()
    const { zxid, sessions } = this.tree
    this.outboxes.set(link, [{ _tag: "Hello", zxid, role, sessions: sessions.copies() }])
  }

  broken(link: LinkId): void {
    if (this.reader === link) this.putInLine()
    this.outboxes.delete(link)
  }

  /** All links, which are to be broken. */
  clear(): ReadonlyArray<LinkId> {
    const links = [...this.outboxes.keys()]
    this.outboxes.clear()
    this.reader = undefined
    this.txns = []
    return links
  }

  read(link: LinkId, message: Reads): void {
    if (this.txns.length > 0 || (this.reader !== undefined && this.reader !== link)) this.putInLine()
    const { requests, identities, sessions } = message
    for (let i = 0; i < requests.length; i++) {
      this.reader = link
      this.reads.read(requests[i]!, identities[i]!, sessions[i]!)
      if (this.reads.bytes >= MAX_READ_BYTES) this.putInLine()
    }
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
    if (this.txns.length >= MAX_TXNS) this.putInLine()
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

  /** Everything that is due, in order. */
  take(): Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<ZnodeToSession> }> {
    this.putInLine()
    const due: Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<ZnodeToSession> }> = []
    for (const [link, messages] of this.outboxes) {
      if (messages.length === 0) continue
      due.push({ link, messages })
      this.outboxes.set(link, [])
    }
    return due
  }
}
