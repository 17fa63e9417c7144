/**
 * Answers what changes nothing, a batch at a time, into one piece of memory: reads, pings, watch registrations.
 *
 * The whole batch sees one state of the tree. A read that fails registers no watch, but for `exists` of a znode that is
 * not there: that is how one waits for it.
 */
import type {
  ClientRequest,
  Identity,
  TraceContext,
  TracedAnswer,
  WatchMode,
  WatchRegistration
} from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import {
  AddWatchMode,
  ErrorCode,
  JuteError,
  JuteReader,
  OpCode,
  Perms,
  readMultiReadRequest,
  readSetWatches2Request,
  readSetWatchesRequest,
  writeAcls,
  writeMultiEnd,
  writeMultiHeader,
  writeWhoAmIResponse,
  Xid
} from "@zkmesh/protocol"
import { type AclList, isAllowed, maskAcl } from "./acl.ts"
import { NodeWriter } from "./nodewriter.ts"
import { catchUp } from "./recentEvents.ts"
import { Field, type Slot } from "./rows.ts"
import { NO_PERSISTENT, setWatches } from "./setwatches.ts"
import { STAT_BYTES, type Traffic } from "./traffic.ts"
import type { Tree } from "./tree.ts"

const CHUNK_BYTES = 128 * 1024
const NO_BYTES = Buffer.alloc(0)

export interface ReadResults {
  readonly zxid: Zxid
  readonly buffer: Uint8Array
  /** Frame i is buffer[ends[i-1], ends[i]). */
  readonly ends: ReadonlyArray<number>
  readonly watches: ReadonlyArray<WatchRegistration> | undefined
  /** The sampled ones. */
  readonly traces?: ReadonlyArray<TracedAnswer>
}

export class ReadBatch {
  private readonly tree: Tree
  private readonly traffic: Traffic | undefined
  private readonly out = new NodeWriter(CHUNK_BYTES)
  private readonly reader = new JuteReader(NO_BYTES)
  private ends: Array<number> = []
  private watches: Array<WatchRegistration> | undefined
  private traces: Array<TracedAnswer> | undefined
  /** Where the path of the request at hand is in its buffer. */
  private pathStart = 0
  private pathEnd = 0

  /** `traffic` is told of every read; undefined: nobody counts. */
  constructor(tree: Tree, traffic?: Traffic | undefined) {
    this.tree = tree
    this.traffic = traffic
  }

  get size(): number {
    return this.ends.length
  }

  /** The bytes of the answers since the last `take`. */
  get bytes(): number {
    return this.out.length
  }

  /** What has been answered since the last call. */
  take(): ReadResults {
    const { ends, watches, traces } = this
    const results = { zxid: this.tree.zxid, buffer: this.out.take(), ends, watches }
    this.ends = []
    this.watches = undefined
    if (traces === undefined) return results
    this.traces = undefined
    return { ...results, traces }
  }

  /** Answers one request; whatever it holds, exactly one reply comes of it. */
  read(request: ClientRequest, identity: Identity, session: SessionId): void {
    const start = this.out.length
    const watchCount = this.watches?.length ?? 0
    let code: number = ErrorCode.MARSHALLINGERROR
    try {
      code = this.answer(request, identity, session)
    } catch (error) {
      if (!(error instanceof JuteError)) throw error
      this.out.rewind(start)
      if (this.watches !== undefined) this.watches.length = watchCount
    }
    // ZooKeeper's answer to what it does not know carries no zxid.
    if (code !== ErrorCode.OK) {
      this.out.emptyReply(request.xid, code === ErrorCode.UNIMPLEMENTED ? -1 : this.tree.zxid, code)
    }
    if (request.trace !== undefined) this.noteTrace(request.trace)
    this.ends.push(this.out.length)
  }

  private noteTrace(trace: TraceContext): void {
    this.traces ??= []
    this.traces.push({ index: this.ends.length, trace })
  }

  /** Writes a successful reply; otherwise returns the error, which is all that a failed one says. */
  private answer(request: ClientRequest, identity: Identity, session: SessionId): number {
    switch (request.op) {
      case OpCode.getData:
        return this.getData(request, identity)
      case OpCode.exists:
        return this.exists(request, identity)
      case OpCode.getChildren:
      case OpCode.getChildren2:
        return this.getChildren(request, identity)
      case OpCode.ping:
        return this.ping()
      case OpCode.getACL:
        return this.getAcl(request, identity)
      case OpCode.getAllChildrenNumber:
        return this.getAllChildrenNumber(request, identity)
      case OpCode.getEphemerals:
        return this.getEphemerals(request, session)
      case OpCode.multiRead:
        return this.multiRead(request, identity)
      case OpCode.whoAmI:
        return this.whoAmI(request, identity)
      case OpCode.addWatch:
        return this.addWatch(request)
      case OpCode.setWatches:
      case OpCode.setWatches2:
        return this.setWatches(request)
      case OpCode.resumeWatches:
        return this.resumeWatches(request, identity)
      default:
        return ErrorCode.UNIMPLEMENTED
    }
  }

  /** By the xid that pings have, whichever this one came by: so does ZooKeeper. */
  private ping(): number {
    this.out.emptyReply(Xid.ping, this.tree.zxid, ErrorCode.OK)
    return ErrorCode.OK
  }

  private watch(mode: WatchMode, path: string): void {
    const registration = { index: this.ends.length, mode, path }
    if (this.watches === undefined) this.watches = [registration]
    else this.watches.push(registration)
  }

  /** Reads the path and finds its znode; the reader then stands after it. */
  private find(request: ClientRequest): Slot {
    const { reader } = this
    const length = reader.reset(request.buffer, request.start, request.end).skipField()
    if (length < 0) throw new JuteError("null", "the path is null")
    this.pathEnd = reader.offset
    this.pathStart = this.pathEnd - length
    return this.tree.nodes.find(request.buffer, this.pathStart, this.pathEnd)
  }

  private pathText(request: ClientRequest): string {
    const { buffer } = request
    const bytes = Buffer.isBuffer(buffer) ? buffer : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    return bytes.toString("utf8", this.pathStart, this.pathEnd)
  }

  private mayRead(slot: Slot, identity: Identity): boolean {
    const acl = this.tree.nodes.rows.get(slot, Field.acl)
    return acl === 0 || this.may(this.tree.acls.list(acl), Perms.READ, identity)
  }

  private may(acl: AclList, permission: number, identity: Identity): boolean {
    return this.tree.skipAcl || isAllowed(acl, permission, identity)
  }

  private getData(request: ClientRequest, identity: Identity): number {
    const slot = this.find(request)
    const watch = this.reader.bool()
    if (slot === 0) return ErrorCode.NONODE
    if (!this.mayRead(slot, identity)) return ErrorCode.NOAUTH
    if (watch) this.watch("data", this.pathText(request))
    const { nodes } = this.tree
    this.out.dataReply(request.xid, this.tree.zxid, nodes, slot)
    if (this.traffic !== undefined) this.count(request, nodes.rows.get(slot, Field.dataLength))
    return ErrorCode.OK
  }

  private exists(request: ClientRequest, identity: Identity): number {
    const slot = this.find(request)
    const watch = this.reader.bool()
    if (slot !== 0 && !this.mayRead(slot, identity)) return ErrorCode.NOAUTH
    if (slot === 0) {
      for (let i = this.pathStart; i < this.pathEnd; i++) {
        if (request.buffer[i] === 0) return ErrorCode.BADARGUMENTS
      }
    }
    if (watch) this.watch("data", this.pathText(request))
    if (slot === 0) return ErrorCode.NONODE
    this.out.statReply(request.xid, this.tree.zxid, this.tree.nodes, slot)
    if (this.traffic !== undefined) this.count(request, 0)
    return ErrorCode.OK
  }

  private getChildren(request: ClientRequest, identity: Identity): number {
    const slot = this.find(request)
    const watch = this.reader.bool()
    if (slot === 0) return ErrorCode.NONODE
    if (!this.mayRead(slot, identity)) return ErrorCode.NOAUTH
    if (watch) this.watch("child", this.pathText(request))
    const { out, tree } = this
    const frame = out.beginReply(request.xid, tree.zxid, 0)
    const names = this.children(slot)
    if (this.traffic !== undefined) this.count(request, names)
    if (request.op === OpCode.getChildren2) out.nodeStat(tree.nodes, slot)
    out.endFrame(frame)
    return ErrorCode.OK
  }

  /** Writes the names of a znode's children; returns how long they are together. */
  private children(slot: Slot): number {
    const { out, tree } = this
    const before = out.length
    out.nodeChildren(tree.nodes, slot)
    // Each stands behind its length, and all of them behind their number.
    return out.length - before - 4 * (tree.nodes.rows.get(slot, Field.numChildren) + 1)
  }

  private count({ buffer }: ClientRequest, bytes: number): void {
    this.traffic?.read(buffer, this.pathStart, this.pathEnd, bytes + STAT_BYTES)
  }

  private getAcl(request: ClientRequest, identity: Identity): number {
    const slot = this.find(request)
    if (slot === 0) return ErrorCode.NONODE
    const { out, tree } = this
    const acl = tree.aclOf(slot)
    if (!this.may(acl, Perms.READ | Perms.ADMIN, identity)) return ErrorCode.NOAUTH
    const frame = out.beginReply(request.xid, tree.zxid, 0)
    writeAcls(out, this.may(acl, Perms.ADMIN, identity) ? acl : maskAcl(acl))
    out.nodeStat(tree.nodes, slot)
    out.endFrame(frame)
    return ErrorCode.OK
  }

  private getAllChildrenNumber(request: ClientRequest, identity: Identity): number {
    const slot = this.find(request)
    if (slot === 0) return ErrorCode.NONODE
    if (!this.mayRead(slot, identity)) return ErrorCode.NOAUTH
    const frame = this.out.beginReply(request.xid, this.tree.zxid, 0)
    this.out.int(this.tree.nodes.countDescendants(slot))
    this.out.endFrame(frame)
    return ErrorCode.OK
  }

  /** The prefix is compared as a string: `/a` is a prefix of `/ab`. */
  private getEphemerals(request: ClientRequest, session: SessionId): number {
    const prefix = this.reader.reset(request.buffer, request.start, request.end).ustring()
    const isAll = prefix === null || prefix.trim() === "" || prefix === "/"
    const paths: Array<string> = []
    for (const slot of this.tree.ephemerals.get(session) ?? []) {
      const path = this.tree.nodes.path(slot)
      if (isAll || path.startsWith(prefix)) paths.push(path)
    }
    const frame = this.out.beginReply(request.xid, this.tree.zxid, 0)
    this.out.ustrings(paths)
    this.out.endFrame(frame)
    return ErrorCode.OK
  }

  private whoAmI(request: ClientRequest, identity: Identity): number {
    const infos = identity.map(({ scheme, id }) => ({ authScheme: scheme, user: userOf(scheme, id) }))
    const frame = this.out.beginReply(request.xid, this.tree.zxid, 0)
    writeWhoAmIResponse(this.out, infos)
    this.out.endFrame(frame)
    return ErrorCode.OK
  }

  /** Every operation fails or succeeds by itself; the reply as a whole is always a success. */
  private multiRead(request: ClientRequest, identity: Identity): number {
    const { out, tree } = this
    const ops = readMultiReadRequest(this.reader.reset(request.buffer, request.start, request.end))
    const frame = out.beginReply(request.xid, tree.zxid, 0)
    for (const { op, path } of ops) {
      const slot = tree.nodes.findPath(path)
      const code = slot === 0 ? ErrorCode.NONODE : this.mayRead(slot, identity) ? 0 : ErrorCode.NOAUTH
      if (code !== 0) {
        writeMultiHeader(out, OpCode.error, false, code)
        out.int(code)
        continue
      }
      writeMultiHeader(out, op, false, 0)
      let bytes: number
      if (op === OpCode.getData) {
        out.nodeData(tree.nodes, slot)
        out.nodeStat(tree.nodes, slot)
        bytes = tree.nodes.rows.get(slot, Field.dataLength)
      } else bytes = this.children(slot)
      this.traffic?.readPath(path, bytes + STAT_BYTES)
    }
    writeMultiEnd(out)
    out.endFrame(frame)
    return ErrorCode.OK
  }

  private addWatch(request: ClientRequest): number {
    this.find(request)
    const mode = this.reader.int()
    if (mode !== AddWatchMode.PERSISTENT && mode !== AddWatchMode.PERSISTENT_RECURSIVE) {
      return ErrorCode.MARSHALLINGERROR
    }
    this.watch(mode === AddWatchMode.PERSISTENT ? "persistent" : "persistentRecursive", this.pathText(request))
    const frame = this.out.beginReply(request.xid, this.tree.zxid, 0)
    this.out.int(0)
    this.out.endFrame(frame)
    return ErrorCode.OK
  }

  private setWatches(request: ClientRequest): number {
    const reader = this.reader.reset(request.buffer, request.start, request.end)
    const isExtended = request.op === OpCode.setWatches2
    const watches = isExtended ? readSetWatches2Request(reader) : { ...readSetWatchesRequest(reader), ...NO_PERSISTENT }
    setWatches(this.tree, watches, this.out, (mode, path) => this.watch(mode, path))
    this.out.emptyReply(request.xid, this.tree.zxid, 0)
    return ErrorCode.OK
  }

  /** As setWatches2, but with every single event since then, if they are known; else what lasts cannot be caught up with. */
  private resumeWatches(request: ClientRequest, identity: Identity): number {
    const { tree, out } = this
    const reader = this.reader.reset(request.buffer, request.start, request.end)
    const watches = readSetWatches2Request(reader)
    const register = (mode: WatchMode, path: string): void => this.watch(mode, path)
    if (tree.recentEvents?.reaches(watches.relativeZxid) === true) {
      catchUp(tree.recentEvents, watches, identity, tree.skipAcl, out, register)
    } else if (watches.persistent.length + watches.persistentRecursive.length > 0) return ErrorCode.UNKNOWNSESSION
    else setWatches(tree, watches, out, register)
    out.emptyReply(request.xid, tree.zxid, 0)
    return ErrorCode.OK
  }
}

/** What whoAmI shows of an id: never a digest's hash, and nothing of a scheme without users of its own. */
const userOf = (scheme: string, id: string): string => {
  switch (scheme) {
    case "digest":
      return id.split(":")[0]!
    case "ip":
    case "x509":
    case "sasl":
      return id
    default:
      return ""
  }
}
