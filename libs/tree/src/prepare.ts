/**
 * The leader's half of the tree: turns requests into transactions whose results are decided.
 *
 * A request is judged against the tree plus everything prepared but not applied yet, in the order and with the error
 * codes of ZooKeeper. One that fails becomes an error transaction: it takes its place in the order like any other, and
 * is answered from the log. Time comes in as an argument; nothing else comes from outside.
 */
import type { SessionToPrepare, WriteRequest } from "@zkmesh/messages"
import { COUNTER_LIMIT, counterOf, type SessionId, type Zxid, zxid as zxidOf } from "@zkmesh/numbers"
import {
  ErrorCode,
  JuteError,
  JuteReader,
  OpCode,
  type RequestedAcl,
  readMultiRequest,
  readReconfigRequest,
  readRequestedAcls
} from "@zkmesh/protocol"
import type { TxnBatch } from "@zkmesh/txn"
import { isOpen, OPEN_ACL, OPEN_ACL_BYTES, type OptionalScheme } from "./acl.ts"
import { NodeOps } from "./nodeops.ts"
import { type NodeState, Overlay } from "./overlay.ts"
import { Reconfiguring } from "./reconfiguring.ts"
import { readStaged } from "./restoring.ts"
import { Kind } from "./rows.ts"
import type { Earlier } from "./sessions.ts"
import type { Traffic } from "./traffic.ts"
import type { Tree } from "./tree.ts"
import { BatchWriter, type ResumedBody, writeOpenBody } from "./txns.ts"

export type Verdict =
  /** It is in the batch. */
  | "prepared"
  /** It is in the log already, or on its way there: the answer comes, or came, from there. */
  | "duplicate"
  /** An earlier request of its connection is missing. */
  | "gap"
  /** Its session is gone, closing, or not the asker's. */
  | "expired"
  /** Its session has another connection now. */
  | "moved"
  /** The client has seen more than this ensemble has. */
  | "ahead"
  /** The epoch has no zxids left. */
  | "exhausted"

export type OpenRequest = Extract<SessionToPrepare, { readonly _tag: "Open" }>

export interface PreparerOptions {
  /** TTL nodes, `zookeeper.extendedTypesEnabled`. */
  readonly extendedTypes: boolean
  /** Whether hard limits are kept, `zookeeper.enforceQuota`; default no. They are compared with what is applied. */
  readonly enforceQuota?: boolean
  /** Told of what a quota refuses; default: nobody counts. */
  readonly traffic?: Traffic | undefined
  /** How long a container may wait for its first child, `znode.container.maxNeverUsedIntervalMs`; default 0, for ever. */
  readonly containerMaxNeverUsedMs?: number
  /** Schemes by which nobody can prove anything here, and which no ACL may therefore name; default none. */
  readonly absentSchemes?: ReadonlyArray<OptionalScheme>
  readonly reconfigEnabled?: boolean
  readonly standaloneEnabled?: boolean
}

/** A session as prepare sees it: ahead of the tree by what is in flight. */
interface PreparedSession {
  /** What the live connection goes on from, of use until it asks for something itself. */
  earlier: Earlier | undefined
  readonly password: Uint8Array
  connection: Zxid
  seq: number
  token: number
  closing: boolean
}

export class Preparer {
  private readonly tree: Tree
  private readonly overlay: Overlay
  private readonly out = new BatchWriter()
  private readonly ops: NodeOps
  readonly reconfiguring: Reconfiguring
  private readonly reader = new JuteReader(Buffer.alloc(0))
  private readonly maxNeverUsedMs: number
  private readonly sessions = new Map<SessionId, PreparedSession>()
  /** Of sessions that are being created: an open that is asked for again is known by its token. */
  private readonly tokens = new Map<number, Zxid>()
  private closing: Array<{ readonly zxid: Zxid; readonly session: SessionId }> = []
  /** The last zxid given out. */
  last: Zxid = 0
  /** How many ends of sessions have been prepared so far. */
  closes = 0

  constructor(tree: Tree, options: PreparerOptions) {
    this.tree = tree
    this.overlay = new Overlay(tree)
    this.ops = new NodeOps(tree, this.overlay, this.out, options)
    this.reconfiguring = new Reconfiguring(options, tree, this.ops)
    this.maxNeverUsedMs = options.containerMaxNeverUsedMs ?? 0
  }

  /** Leads from here on: the tree has everything that the epoch began with. */
  lead(epoch: number): void {
    this.stop()
    this.last = Math.max(zxidOf(epoch, 0), this.tree.zxid)
  }

  /** Leads no more: whatever is in flight is none of its business now. */
  stop(): void {
    this.overlay.clear()
    this.sessions.clear()
    this.tokens.clear()
    this.closing = []
    this.reconfiguring.stop()
    this.out.takeBatch()
  }

  /** The tree has applied everything up to `zxid`: what was in flight until there is read from it again. */
  applied(zxid: Zxid): void {
    this.overlay.prune(zxid)
    while (this.closing.length > 0 && this.closing[0]!.zxid <= zxid) this.sessions.delete(this.closing.shift()!.session)
    for (const [token, created] of this.tokens) {
      if (created > zxid) break
      this.tokens.delete(token)
    }
  }

  /** The zxid at which the session ends, if that is in flight. */
  closingAt(session: SessionId): Zxid | undefined {
    return this.closing.find((one) => one.session === session)?.zxid
  }

  /** Changes of paths so far: how many have been noted, and how many of them are applied, or void. */
  get changes(): { readonly noted: number; readonly forgotten: number } {
    return this.overlay.changes
  }

  /** How many paths have changes in flight. */
  get inFlight(): number {
    return this.overlay.size
  }

  /** How many bytes have been prepared since the last `take`. */
  get pendingBytes(): number {
    return this.out.length
  }

  /** What has been prepared since the last call. */
  take(): TxnBatch | undefined {
    return this.out.takeBatch()
  }

  private isExhausted(): boolean {
    return counterOf(this.last) >= COUNTER_LIMIT
  }

  private session(id: SessionId): PreparedSession | undefined {
    const known = this.sessions.get(id)
    if (known !== undefined) return known
    const record = this.tree.sessions.get(id)
    if (record === undefined) return undefined
    const { password, connection, seq, token } = record
    const earlier = this.tree.sessions.earlierOf(id)
    const session = { password, connection, seq, token, earlier, closing: false }
    this.sessions.set(id, session)
    return session
  }

  /** Judges a request and, if it may take its place in the order, makes a transaction of it. */
  prepare(request: WriteRequest, now: number): Verdict {
    const session = this.session(request.session)
    const verdict = judge(request, session)
    if (verdict !== "prepared" || session === undefined) return verdict
    if (this.isExhausted()) return "exhausted"
    const { out } = this
    const zxid = ++this.last
    const entry = out.beginEntry()
    const code = this.write(request, zxid, session)
    let type = this.ops.type
    if (code !== ErrorCode.OK) {
      out.clearBody(entry)
      out.int(code)
      type = OpCode.error
    }
    if (request.seq > 0) session.seq = request.seq
    out.endEntry(entry, { zxid, session: request.session, seq: request.seq, cxid: request.xid, time: now, type })
    return "prepared"
  }

  /** Writes the body; a request that cannot even be decoded fails like any other. */
  private write(request: WriteRequest, zxid: Zxid, session: PreparedSession): number {
    try {
      return this.dispatch(request, zxid, session)
    } catch (error) {
      // Decoding comes before any change, so there is nothing to take back.
      if (error instanceof JuteError) return ErrorCode.MARSHALLINGERROR
      throw error
    }
  }

  private dispatch(request: WriteRequest, zxid: Zxid, session: PreparedSession): number {
    const { ops } = this
    const reader = this.reader.reset(request.buffer, request.start, request.end)
    ops.begin(zxid, request.session, request.identity)
    switch (request.op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL: {
        const path = reader.string()
        const data = reader.buffer()
        const acl = readAclList(reader, request)
        const flags = reader.int()
        return ops.create(request.op, path, data, acl, flags, request.op === OpCode.createTTL ? reader.long() : 0)
      }
      case OpCode.delete:
        return ops.delete(reader.string(), reader.int())
      case OpCode.deleteContainer:
        return ops.deleteContainer(reader.string())
      case OpCode.setData: {
        const path = reader.ustring()
        const data = reader.buffer()
        return ops.setData(path ?? "", data, reader.int())
      }
      case OpCode.setACL: {
        const path = reader.ustring()
        const acl = readAclList(reader, request)
        return ops.setAcl(path ?? "", acl, reader.int())
      }
      case OpCode.multi:
        return ops.multi(readMultiRequest(reader))
      case OpCode.sync:
        ops.type = OpCode.sync
        this.out.ustring(reader.ustring())
        return ErrorCode.OK
      case OpCode.closeSession:
        return this.closeSession(request.session, zxid, session)
      case OpCode.restore:
        return this.restore(reader.string(), request)
      case OpCode.reconfig:
        return this.reconfiguring.prepare(readReconfigRequest(reader), zxid)
      default:
        return ErrorCode.UNIMPLEMENTED
    }
  }

  private closeSession(id: SessionId, zxid: Zxid, session: PreparedSession): number {
    this.ops.removeAll(this.overlay.ephemerals(id))
    this.ops.type = OpCode.closeSession
    session.closing = true
    this.closes++
    this.closing.push({ zxid, session: id })
    return ErrorCode.OK
  }

  /** Nothing else is in flight: the tree is what the snapshot will be applied to. */
  private restore(path: string, { identity }: WriteRequest): number {
    if (!identity.some(({ scheme }) => scheme === "super")) return ErrorCode.NOAUTH
    if (this.tree.nodes.findPath(path) === 0) return ErrorCode.NONODE
    if (readStaged(this.tree, path) === undefined) return ErrorCode.BADARGUMENTS
    this.ops.type = OpCode.restore
    this.out.ustring(path)
    return ErrorCode.OK
  }

  /** The tree and its sessions are others than before; nothing is in flight. */
  restored(): void {
    this.overlay.clear()
    this.sessions.clear()
    this.tokens.clear()
  }

  /** A new session, or a new connection for one that is there. */
  open(request: OpenRequest, now: number): Verdict {
    if (request.lastZxidSeen > this.last) return "ahead"
    // A local session that becomes the ensemble's brings its id along; that it has done so before makes it no new one.
    const isNew = request.session === 0 || (request.isUpgrade === true && this.session(request.session) === undefined)
    const verdict = isNew ? this.judgeCreate(request) : this.judgeAttach(request)
    if (verdict !== "prepared") return verdict
    if (this.isExhausted()) return "exhausted"
    const zxid = ++this.last
    const id = request.session === 0 ? zxid : request.session
    const { password, token, timeoutMs, peer } = request
    const resumed = isNew ? undefined : this.resumption(request)
    if (isNew) {
      this.tokens.set(token, zxid)
      this.sessions.set(id, { password, connection: zxid, seq: 0, token, earlier: undefined, closing: false })
    } else Object.assign(this.session(id)!, { connection: zxid, seq: 0, token, earlier: resumed })
    const entry = this.out.beginEntry()
    writeOpenBody(this.out, { timeoutMs, password, peer, token, resumed })
    const type = isNew ? OpCode.createSession : OpCode.attachSession
    this.out.endEntry(entry, { zxid, session: id, seq: 0, cxid: 0, time: now, type })
    return "prepared"
  }

  private judgeCreate(request: OpenRequest): Verdict {
    const known = this.tokens.has(request.token) || this.tree.sessions.byToken(request.token)?.peer === request.peer
    return known ? "duplicate" : "prepared"
  }

  private judgeAttach(request: OpenRequest): Verdict {
    const session = this.session(request.session)
    if (session === undefined || session.closing || !isSame(session.password, request.password)) return "expired"
    if (session.token === request.token) return "duplicate"
    return request.resume === undefined || this.resumption(request) !== undefined ? "prepared" : "moved"
  }

  /** How far the log has come with the connection that is gone on from; undefined if it is not known any more. */
  private resumption({ session, resume }: OpenRequest): ResumedBody | undefined {
    const known = this.session(session)
    if (resume === undefined || known === undefined) return undefined
    if (known.connection === resume.connection) return { ...resume, logged: known.seq }
    // It was gone on from before, by a connection that has been lost in its turn.
    const { earlier, seq } = known
    if (seq > 0 || earlier?.connection !== resume.connection) return undefined
    return { ...resume, logged: earlier.logged }
  }

  /**
   * Deletes containers that have lost their last child and ttl nodes that are past their time, at most `limit` of them.
   * Returns how many. Each is a transaction of its own, of nobody's session.
   */
  sweep(now: number, limit: number): number {
    let swept = 0
    for (const [slot, ttlMs] of this.tree.sweepable) {
      if (swept === limit || this.isExhausted()) break
      const state = this.overlay.get(this.tree.nodes.path(slot))
      if (!state.exists || state.numChildren > 0) continue
      if (!this.isDue(state, ttlMs, now)) continue
      const zxid = ++this.last
      const entry = this.out.beginEntry()
      this.ops.begin(zxid, 0, [])
      this.ops.removeSwept(state)
      this.out.endEntry(entry, { zxid, session: 0, seq: 0, cxid: 0, time: now, type: OpCode.deleteContainer })
      swept++
    }
    return swept
  }

  private isDue({ kind, creations, mtime }: NodeState, ttlMs: number, now: number): boolean {
    if (kind === Kind.ttl) return now - mtime > ttlMs
    if (kind !== Kind.container) return false
    return creations !== 0 || (this.maxNeverUsedMs > 0 && now - mtime > this.maxNeverUsedMs)
  }
}

/** Whether the request is the next of its connection, and its session still there to ask. */
const judge = (request: WriteRequest, session: PreparedSession | undefined): Verdict => {
  if (request.connection === 0) {
    // The ensemble closes a session that has not been heard from: once is enough.
    return session === undefined || session.closing ? "duplicate" : "prepared"
  }
  if (session === undefined) return "expired"
  if (request.connection !== session.connection) return "moved"
  if (request.seq <= session.seq) return "duplicate"
  if (session.closing) return "expired"
  return request.seq === session.seq + 1 ? "prepared" : "gap"
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** The list that a request brings; that everybody is allowed everything is seen without decoding it. */
const readAclList = (reader: JuteReader, request: WriteRequest): ReadonlyArray<RequestedAcl> | null => {
  const start = reader.offset
  const end = start + OPEN_ACL_BYTES.length
  if (end > request.end || !isOpen(request.buffer, start, end)) return readRequestedAcls(reader)
  reader.reset(request.buffer, end, request.end)
  return OPEN_ACL
}
