/**
 * Applies transactions: what `Preparer` has decided comes true here, the same on every peer.
 *
 * Nothing is decided any more, so nothing can fail: a transaction that does not fit the tree means that this peer's tree
 * is not what it should be, and throws. A transaction that has been applied before does nothing.
 */
import type { AppliedTxn, ChangeEvent, SessionRecord } from "@zkmesh/messages"
import { follows, hex, type SessionId, type Sid, type Zxid } from "@zkmesh/numbers"
import { ErrorCode, EventType, JuteReader, OpCode, readAcls, writeMultiEnd, writeMultiHeader } from "@zkmesh/protocol"
import type { EntryReader } from "@zkmesh/txn"
import type { AclList } from "./acl.ts"
import { type Content, lastSlash } from "./nodes.ts"
import { NodeWriter } from "./nodewriter.ts"
import type { RecentReplies } from "./replies.ts"
import { readStaged, restoreTree } from "./restoring.ts"
import { Field, Kind, type Slot } from "./rows.ts"
import type { Traffic } from "./traffic.ts"
import { type Tree, TreeCorrupt } from "./tree.ts"
import { readOpenBody } from "./txns.ts"

const NO_BYTES = Buffer.alloc(0)
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export class Applier {
  private readonly tree: Tree
  private readonly self: Sid
  /** The replies to everybody's writes; undefined if they are not kept. */
  private readonly replies: RecentReplies | undefined
  private readonly traffic: Traffic | undefined
  private readonly out = new NodeWriter(64 * 1024)
  private readonly reader = new JuteReader(NO_BYTES)
  private readonly opReader = new JuteReader(NO_BYTES)
  private bytes: Buffer = NO_BYTES
  private events: Array<ChangeEvent> | undefined
  private sessionChange: AppliedTxn["sessionChange"]
  /** Of the transaction at hand. */
  private zxid: Zxid = 0
  private time = 0
  private session: SessionId = 0
  /** Of the operation at hand: where its path and value are, and what its result tells. */
  private readonly content: Content = {
    path: NO_BYTES,
    pathStart: 0,
    pathEnd: 0,
    data: NO_BYTES,
    dataStart: 0,
    dataEnd: 0
  }
  private path = ""
  /** What a sync has said, null included. */
  private echo: string | null = null
  private slot: Slot = 0

  /** `self` is the peer: it answers the requests of the sessions that are attached to it. `traffic`: told of writes. */
  constructor(tree: Tree, self: Sid, replies?: RecentReplies | undefined, traffic?: Traffic | undefined) {
    this.tree = tree
    this.self = self
    this.replies = replies
    this.traffic = traffic
  }

  /** Applies the entry at which the reader stands; undefined if it has been applied before. */
  apply(entry: EntryReader): AppliedTxn | undefined {
    const { tree } = this
    const { zxid, session, seq, type } = entry
    if (zxid <= tree.zxid) return undefined
    if (!follows(tree.zxid, zxid)) throw new TreeCorrupt(`${hex(zxid)} cannot follow ${hex(tree.zxid)}`)
    this.zxid = zxid
    this.time = entry.time
    this.session = session
    this.bytes = asBuffer(entry.bytes)
    this.events = undefined
    this.sessionChange = undefined
    this.reader.reset(this.bytes, entry.bodyStart, entry.end)
    const record = tree.sessions.get(session)
    if (record !== undefined && seq > record.seq) tree.sessions.advance(record, seq)
    const isNumbered = record !== undefined && seq > 0
    const isOurs = isNumbered && record.peer === this.self
    const isKept = isNumbered && this.replies !== undefined
    this.execute(type, isOurs || isKept, entry.cxid)
    if (isKept) this.replies!.add(record.connection, seq, this.out.written)
    if (!isOurs) this.out.rewind()
    const reply = isOurs ? this.out.take() : undefined
    tree.zxid = zxid
    if (this.events !== undefined) tree.recentEvents?.add(zxid, this.events)
    return { zxid, session, seq, type, reply, events: this.events, sessionChange: this.sessionChange }
  }

  /** Writes the reply as well, if somebody wants it. */
  private execute(type: number, isWanted: boolean, cxid: number): void {
    const { out, zxid } = this
    if (type === OpCode.error) {
      if (isWanted) out.emptyReply(cxid, zxid, this.reader.int())
      return
    }
    const frame = isWanted ? out.beginReply(cxid, zxid, 0) : -1
    if (type === OpCode.multi) this.multi(isWanted)
    else {
      this.change(type, this.reader)
      if (isWanted) this.result(type)
    }
    if (isWanted) out.endFrame(frame)
  }

  private change(type: number, reader: JuteReader): void {
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        this.create(type, reader)
        break
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.delete(reader)
        break
      case OpCode.setData:
      case OpCode.reconfig:
        this.setData(reader)
        break
      case OpCode.setACL:
        this.setAcl(reader)
        break
      case OpCode.check:
        break
      case OpCode.sync:
        this.echo = reader.ustring()
        break
      case OpCode.createSession:
      case OpCode.attachSession:
        this.openSession(type, reader)
        break
      case OpCode.closeSession:
        this.closeSession(reader)
        break
      case OpCode.restore:
        this.restore(reader)
        break
      default:
        throw new TreeCorrupt(`${hex(this.zxid)} has the unknown type ${type}`)
    }
  }

  /** What the client is told beyond the header. */
  private result(type: number): void {
    const { out } = this
    switch (type) {
      case OpCode.create:
        out.ustring(this.path)
        break
      case OpCode.sync:
        out.ustring(this.echo)
        break
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        out.ustring(this.path)
        out.nodeStat(this.tree.nodes, this.slot)
        break
      case OpCode.reconfig:
        out.nodeData(this.tree.nodes, this.slot)
        out.nodeStat(this.tree.nodes, this.slot)
        break
      case OpCode.setData:
      case OpCode.setACL:
        out.nodeStat(this.tree.nodes, this.slot)
    }
  }

  /** The operations in their order; each result is as of its own operation. */
  private multi(isWanted: boolean): void {
    const { reader, opReader, out } = this
    const count = reader.count()
    for (let i = 0; i < count; i++) {
      const type = reader.int()
      const length = reader.skipField()
      opReader.reset(this.bytes, reader.offset - length, reader.offset)
      if (type === OpCode.error) {
        if (!isWanted) continue
        const code = opReader.int()
        writeMultiHeader(out, OpCode.error, false, code)
        out.int(code)
        continue
      }
      this.change(type, opReader)
      if (!isWanted) continue
      const isCreate2 = type === OpCode.createContainer || type === OpCode.createTTL
      writeMultiHeader(out, isCreate2 ? OpCode.create2 : type, false, ErrorCode.OK)
      this.result(type)
    }
    if (isWanted) writeMultiEnd(out)
  }

  /** Reads the path, as every operation on a znode begins. */
  private readPath(reader: JuteReader): void {
    const { content } = this
    const length = reader.skipField()
    content.path = this.bytes
    content.pathEnd = reader.offset
    content.pathStart = content.pathEnd - length
    this.path = this.bytes.toString("utf8", content.pathStart, content.pathEnd)
  }

  private readData(reader: JuteReader): void {
    const { content } = this
    const length = reader.skipField()
    content.data = this.bytes
    content.dataEnd = reader.offset
    content.dataStart = content.dataEnd - length
  }

  private find(): Slot {
    return this.tree.nodes.find(this.bytes, this.content.pathStart, this.content.pathEnd)
  }

  private findParent(): Slot {
    const { pathStart, pathEnd } = this.content
    return this.tree.nodes.find(this.bytes, pathStart, Math.max(pathStart, lastSlash(this.bytes, pathStart, pathEnd)))
  }

  private create(type: number, reader: JuteReader): void {
    const { tree, content, zxid, time } = this
    this.readPath(reader)
    this.readData(reader)
    const acl = this.acl(reader)
    const isEphemeral = (type === OpCode.create || type === OpCode.create2) && reader.bool()
    const creations = reader.int()
    const ttlMs = type === OpCode.createTTL ? reader.long() : 0
    const kind = isEphemeral
      ? Kind.ephemeral
      : type === OpCode.createContainer
        ? Kind.container
        : type === OpCode.createTTL
          ? Kind.ttl
          : Kind.persistent
    const parent = this.findParent()
    if (parent === 0) throw this.misfit("is created, but not its parent")
    if (this.find() !== 0) throw this.misfit("is created, but is there")
    const owner = isEphemeral ? this.session : 0
    this.slot = tree.create(parent, content, { kind, owner, ttlMs, acl, zxid, time })
    tree.countCreation(parent, creations, zxid)
    tree.quotas.created(this.path, dataLength(content))
    if (this.traffic !== undefined) this.count(dataLength(content))
    this.event(EventType.NodeCreated, this.path, this.slot, parent)
  }

  /** A list's number, of which the caller now owns a use. */
  private acl(reader: JuteReader): number {
    const start = reader.offset
    const count = reader.count()
    for (let i = 0; i < count; i++) {
      reader.int()
      reader.skipField()
      reader.skipField()
    }
    return this.tree.acls.retain(this.bytes, start, reader.offset, () => decodeAcl(this.bytes, start, reader.offset))
  }

  private delete(reader: JuteReader): void {
    this.readPath(reader)
    if (!this.remove()) throw this.misfit("is deleted, but is not there")
  }

  private remove(): boolean {
    const { tree, content } = this
    const slot = this.find()
    if (slot === 0) return false
    const { rows } = tree.nodes
    if (rows.get(slot, Field.numChildren) > 0) throw this.misfit("is deleted, but has children")
    this.event(EventType.NodeDeleted, this.path, slot, rows.get(slot, Field.parent))
    const length = rows.get(slot, Field.dataLength)
    tree.remove(slot, this.bytes, content.pathStart, content.pathEnd, this.path, this.zxid)
    tree.quotas.deleted(this.path, length)
    if (this.traffic !== undefined) this.count(0)
    return true
  }

  private setData(reader: JuteReader): void {
    const { tree, content } = this
    this.readPath(reader)
    this.readData(reader)
    this.slot = this.existing()
    const before = tree.nodes.rows.get(this.slot, Field.dataLength)
    tree.setData(this.slot, content, reader.int(), this.zxid, this.time)
    tree.quotas.resized(this.path, dataLength(content) - before)
    if (this.traffic !== undefined) this.count(dataLength(content))
    this.event(EventType.NodeDataChanged, this.path, this.slot, 0)
  }

  private count(bytes: number): void {
    this.traffic?.wrote(this.bytes, this.content.pathStart, this.content.pathEnd, bytes)
  }

  private setAcl(reader: JuteReader): void {
    this.readPath(reader)
    this.slot = this.existing()
    const acl = this.acl(reader)
    this.tree.setAcl(this.slot, acl, reader.int())
  }

  private existing(): Slot {
    const slot = this.find()
    if (slot === 0) throw this.misfit("is changed, but is not there")
    return slot
  }

  private openSession(type: number, reader: JuteReader): void {
    const { sessions } = this.tree
    const { zxid } = this
    const { timeoutMs, password, peer, token, resumed } = readOpenBody(reader)
    const isNew = type === OpCode.createSession
    const before = sessions.get(this.session)
    if (!isNew && before === undefined) throw new TreeCorrupt(`${hex(zxid)} attaches a session that is not there`)
    const record: SessionRecord = {
      id: this.session,
      password: before?.password ?? password,
      timeoutMs,
      peer,
      connection: zxid,
      seq: 0,
      token
    }
    sessions.put(record)
    const kind = isNew ? "created" : "attached"
    if (resumed === undefined) {
      this.sessionChange = { kind, record: { ...record } }
      return
    }
    const { connection, answered, logged } = resumed
    sessions.resumed(record.id, resumed)
    const replies = peer === this.self ? this.replies?.range(connection, answered, logged) : undefined
    this.sessionChange = { kind, record: { ...record }, resumed: { logged, replies } }
  }

  private closeSession(reader: JuteReader): void {
    const { tree, session } = this
    const count = reader.count()
    for (let i = 0; i < count; i++) {
      this.readPath(reader)
      this.remove()
    }
    if (tree.ephemerals.has(session)) throw new TreeCorrupt(`${hex(session)} is closed and leaves ephemerals behind`)
    if (tree.sessions.remove(session)) this.sessionChange = { kind: "closed", id: session }
  }

  private restore(reader: JuteReader): void {
    this.readPath(reader)
    const snapshot = readStaged(this.tree, this.path)
    if (snapshot === undefined) throw this.misfit("is restored from, but is no snapshot")
    const { events, closed, opened } = restoreTree(this.tree, snapshot, this.session)
    this.events = events
    this.sessionChange = { kind: "restored", closed, opened }
  }

  private event(type: ChangeEvent["type"], path: string, slot: Slot, parent: Slot): void {
    const acl = this.restriction(slot)
    const parentAcl = parent === 0 ? undefined : this.restriction(parent)
    const event: ChangeEvent =
      acl === undefined && parentAcl === undefined ? { type, path } : { type, path, acl, parentAcl }
    if (this.events === undefined) this.events = [event]
    else this.events.push(event)
  }

  private restriction(slot: Slot): AclList | undefined {
    const acl = this.tree.nodes.rows.get(slot, Field.acl)
    return acl === 0 ? undefined : this.tree.acls.list(acl)
  }

  private misfit(what: string): TreeCorrupt {
    return new TreeCorrupt(`${hex(this.zxid)} does not fit the tree: ${this.path} ${what}`)
  }
}

const dataLength = (content: Content): number => Math.max(0, content.dataEnd - content.dataStart)

const decodeAcl = (bytes: Uint8Array, start: number, end: number): AclList =>
  readAcls(new JuteReader(bytes, start, end)) ?? []
