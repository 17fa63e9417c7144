/**
 * The operations on znodes: each is checked against the overlay and, if it may be, noted there and written as the body
 * of a transaction. An operation that returns anything but OK has changed nothing; what it has written the caller drops.
 */
import type { Identity } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import {
  CreateMode,
  ErrorCode,
  type MultiWrite,
  OpCode,
  Perms,
  parentOf,
  type RequestedAcl,
  validatePath,
  writeAcls
} from "@zkmesh/protocol"
import { type AclList, fixAcl, isAllowed, OPEN_ACL, OPEN_ACL_BYTES, type OptionalScheme } from "./acl.ts"
import type { NodeState, Overlay } from "./overlay.ts"
import type { PreparerOptions } from "./prepare.ts"
import { Field, Kind } from "./rows.ts"
import type { Traffic } from "./traffic.ts"
import { CONFIG_PATH, isBuiltIn, type Tree } from "./tree.ts"
import type { BatchWriter } from "./txns.ts"

const ANY_VERSION = -1
const MAX_TTL_MS = 0xff_ffff_ffff
type RequestedList = ReadonlyArray<RequestedAcl> | null

const isTtlMode = (flags: number): boolean => flags >= CreateMode.PERSISTENT_WITH_TTL
const isSequential = (flags: number): boolean =>
  flags === CreateMode.PERSISTENT_SEQUENTIAL ||
  flags === CreateMode.EPHEMERAL_SEQUENTIAL ||
  flags === CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL
const isEphemeral = (flags: number): boolean =>
  flags === CreateMode.EPHEMERAL || flags === CreateMode.EPHEMERAL_SEQUENTIAL

/** Width ten, zero padded; of a negative number (after 2^31 children) the sign counts. */
export const sequenceSuffix = (creations: number): string =>
  creations < 0 ? `-${String(-creations).padStart(9, "0")}` : String(creations).padStart(10, "0")

export class NodeOps {
  private readonly overlay: Overlay
  private readonly out: BatchWriter
  private readonly tree: Tree
  private readonly extendedTypes: boolean
  private readonly enforceQuota: boolean
  private readonly traffic: Traffic | undefined
  private readonly absentSchemes: ReadonlySet<OptionalScheme>
  private zxid: Zxid = 0
  private session: SessionId = 0
  private identity: Identity = []
  /** The type of the transaction that the last operation has become. */
  type = 0

  constructor(
    tree: Tree,
    overlay: Overlay,
    out: BatchWriter,
    options: Pick<PreparerOptions, "extendedTypes" | "enforceQuota" | "absentSchemes" | "traffic">
  ) {
    this.tree = tree
    this.overlay = overlay
    this.out = out
    this.extendedTypes = options.extendedTypes
    this.enforceQuota = options.enforceQuota ?? false
    this.traffic = options.traffic
    this.absentSchemes = new Set(options.absentSchemes)
  }

  /** What follows is the transaction `zxid`, asked for by this session. */
  begin(zxid: Zxid, session: SessionId, identity: Identity): void {
    this.zxid = zxid
    this.session = session
    this.identity = identity
  }

  private may(state: NodeState, permission: number): boolean {
    return this.tree.skipAcl || isAllowed(state.acl, permission, this.identity)
  }

  private checkMode(op: number, flags: number, ttlMs: number): number {
    if (flags < CreateMode.PERSISTENT || flags > CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL)
      return ErrorCode.BADARGUMENTS
    if ((isTtlMode(flags) || op === OpCode.createTTL) && !this.extendedTypes) return ErrorCode.UNIMPLEMENTED
    if (isTtlMode(flags) !== (op === OpCode.createTTL)) return ErrorCode.BADARGUMENTS
    if (op === OpCode.createTTL && !(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) return ErrorCode.BADARGUMENTS
    return ErrorCode.OK
  }

  create(op: number, path: string, data: Uint8Array | null, acl: RequestedList, flags: number, ttlMs: number): number {
    const mode = this.checkMode(op, flags, ttlMs)
    if (mode !== ErrorCode.OK) return mode
    if (!path.includes("/") || path.includes("\0")) return ErrorCode.BADARGUMENTS
    const list = acl === OPEN_ACL ? OPEN_ACL : fixAcl(acl, this.identity, this.absentSchemes)
    if (typeof list === "number") return list
    const parent = this.overlay.get(parentOf(path))
    if (!parent.exists) return ErrorCode.NONODE
    if (!this.may(parent, Perms.CREATE)) return ErrorCode.NOAUTH
    const finalPath = isSequential(flags) ? path + sequenceSuffix(parent.creations) : path
    if (validatePath(finalPath) !== undefined) return ErrorCode.BADARGUMENTS
    const state = this.overlay.get(finalPath)
    if (state.exists) return ErrorCode.NODEEXISTS
    if (parent.kind === Kind.ephemeral) return ErrorCode.NOCHILDRENFOREPHEMERALS
    if (this.isBeyondQuota(finalPath, 1, data?.length ?? 0)) return ErrorCode.QUOTAEXCEEDED
    this.type = op
    this.added(parent, state, list, kindOf(op, flags))
    this.out.ustring(finalPath)
    this.out.buffer(data)
    this.writeAcl(list)
    if (op === OpCode.create || op === OpCode.create2) this.out.bool(state.kind === Kind.ephemeral)
    this.out.int(parent.creations)
    if (op === OpCode.createTTL) this.out.long(ttlMs)
    return ErrorCode.OK
  }

  private isBeyondQuota(path: string, count: number, bytes: number): boolean {
    if (!this.enforceQuota || !this.tree.quotas.exceeds(path, count, bytes)) return false
    this.traffic?.exceededQuota(path)
    return true
  }

  private appliedLength(path: string): number {
    const slot = this.tree.nodes.findPath(path)
    return slot === 0 ? 0 : this.tree.nodes.rows.get(slot, Field.dataLength)
  }

  private added(parent: NodeState, state: NodeState, acl: AclList, kind: Kind): void {
    const { overlay, zxid } = this
    overlay.change(parent, zxid)
    parent.creations = (parent.creations + 1) | 0
    parent.numChildren++
    overlay.change(state, zxid)
    state.exists = true
    state.version = state.aversion = state.creations = state.numChildren = 0
    state.acl = acl
    state.kind = kind
    overlay.setOwner(state, kind === Kind.ephemeral ? this.session : 0)
  }

  private writeAcl(acl: AclList): void {
    if (acl === OPEN_ACL) this.out.raw(OPEN_ACL_BYTES)
    else writeAcls(this.out, acl)
  }

  delete(path: string, version: number): number {
    if (!path.includes("/") || path.includes("\0") || isBuiltIn(path)) return ErrorCode.BADARGUMENTS
    const parent = this.overlay.get(parentOf(path))
    if (!parent.exists) return ErrorCode.NONODE
    if (!this.may(parent, Perms.DELETE)) return ErrorCode.NOAUTH
    const state = this.overlay.get(path)
    if (!state.exists) return ErrorCode.NONODE
    if (version !== ANY_VERSION && version !== state.version) return ErrorCode.BADVERSION
    if (state.numChildren > 0) return ErrorCode.NOTEMPTY
    this.type = OpCode.delete
    this.removed(parent, state)
    this.out.ustring(path)
    return ErrorCode.OK
  }

  /**
   * What the leader does to containers and ttl nodes, at a client's wish. ZooKeeper asks for no permission here, and
   * takes any znode without children that is not ephemeral: for us it has to be allowed, and one of its kinds.
   */
  deleteContainer(path: string): number {
    if (!path.includes("/") || path.includes("\0") || isBuiltIn(path)) return ErrorCode.BADARGUMENTS
    const state = this.overlay.get(path)
    if (!state.exists) return ErrorCode.NONODE
    if (state.numChildren > 0) return ErrorCode.NOTEMPTY
    if (state.kind !== Kind.container && state.kind !== Kind.ttl) return ErrorCode.BADVERSION
    if (!this.may(this.overlay.get(parentOf(path)), Perms.DELETE)) return ErrorCode.NOAUTH
    this.type = OpCode.deleteContainer
    this.removeSwept(state)
    return ErrorCode.OK
  }

  private removed(parent: NodeState, state: NodeState): void {
    this.overlay.change(parent, this.zxid)
    parent.numChildren--
    this.overlay.change(state, this.zxid)
    state.exists = false
  }

  /** The ephemerals of a session that closes, as the body of that transaction. */
  removeAll(paths: ReadonlyArray<string>): void {
    this.out.int(paths.length)
    for (const path of paths) {
      this.removed(this.overlay.get(parentOf(path)), this.overlay.get(path))
      this.out.ustring(path)
    }
  }

  /** A container or ttl node whose time has come: nobody's permission is needed. */
  removeSwept(state: NodeState): void {
    this.removed(this.overlay.get(parentOf(state.path)), state)
    this.out.ustring(state.path)
  }

  setData(path: string, data: Uint8Array | null, version: number): number {
    if (validatePath(path) !== undefined) return ErrorCode.BADARGUMENTS
    const state = this.overlay.get(path)
    if (!state.exists) return ErrorCode.NONODE
    if (!this.may(state, Perms.WRITE)) return ErrorCode.NOAUTH
    if (this.enforceQuota && this.isBeyondQuota(path, 0, (data?.length ?? 0) - this.appliedLength(path))) {
      return ErrorCode.QUOTAEXCEEDED
    }
    // What is there is each peer's own doing, not the log's.
    if (path === CONFIG_PATH) return ErrorCode.BADARGUMENTS
    if (version !== ANY_VERSION && version !== state.version) return ErrorCode.BADVERSION
    this.type = OpCode.setData
    this.overlay.change(state, this.zxid)
    state.version = (state.version + 1) | 0
    this.out.ustring(path)
    this.out.buffer(data)
    this.out.int(state.version)
    return ErrorCode.OK
  }

  /** A reconfiguration: the znode's version stays what it is. */
  setConfiguration(text: string): number {
    const state = this.overlay.get(CONFIG_PATH)
    if (!this.may(state, Perms.WRITE)) return ErrorCode.NOAUTH
    this.type = OpCode.reconfig
    this.overlay.change(state, this.zxid)
    this.out.ustring(CONFIG_PATH)
    this.out.buffer(Buffer.from(text))
    this.out.int(state.version)
    return ErrorCode.OK
  }

  setAcl(path: string, acl: RequestedList, version: number): number {
    if (validatePath(path) !== undefined) return ErrorCode.BADARGUMENTS
    const list = acl === OPEN_ACL ? OPEN_ACL : fixAcl(acl, this.identity, this.absentSchemes)
    if (typeof list === "number") return list
    const state = this.overlay.get(path)
    if (!state.exists) return ErrorCode.NONODE
    if (!this.may(state, Perms.ADMIN)) return ErrorCode.NOAUTH
    if (version !== ANY_VERSION && version !== state.aversion) return ErrorCode.BADVERSION
    this.type = OpCode.setACL
    this.overlay.change(state, this.zxid)
    state.aversion = (state.aversion + 1) | 0
    state.acl = list
    this.out.ustring(path)
    this.writeAcl(list)
    this.out.int(state.aversion)
    return ErrorCode.OK
  }

  /** Only inside a multi. */
  private check(path: string, version: number): number {
    if (validatePath(path) !== undefined) return ErrorCode.BADARGUMENTS
    const state = this.overlay.get(path)
    if (!state.exists) return ErrorCode.NONODE
    if (!this.may(state, Perms.READ)) return ErrorCode.NOAUTH
    if (version !== ANY_VERSION && version !== state.version) return ErrorCode.BADVERSION
    this.type = OpCode.check
    this.out.ustring(path)
    this.out.int(version)
    return ErrorCode.OK
  }

  /** All or nothing: each operation sees what those before it have done, and if one fails none has happened. */
  multi(requests: ReadonlyArray<MultiWrite>): number {
    const { out, overlay } = this
    const start = out.length
    out.int(requests.length)
    overlay.begin()
    let failed = -1
    let code: number = ErrorCode.OK
    for (let i = 0; i < requests.length && failed < 0; i++) {
      const at = out.length
      out.int(0)
      out.int(0)
      code = this.one(requests[i]!)
      if (code !== ErrorCode.OK) failed = i
      out.patchInt(at, this.type)
      out.patchInt(at + 4, out.length - at - 8)
    }
    if (failed < 0) overlay.commit()
    else {
      overlay.rollback()
      out.rewind(start)
      this.writeFailure(requests.length, failed, code)
    }
    this.type = OpCode.multi
    return ErrorCode.OK
  }

  private writeFailure(count: number, failed: number, code: number): void {
    const { out } = this
    out.int(count)
    for (let i = 0; i < count; i++) {
      out.int(OpCode.error)
      out.int(4)
      out.int(i < failed ? ErrorCode.OK : i === failed ? code : ErrorCode.RUNTIMEINCONSISTENCY)
    }
  }

  private one(request: MultiWrite): number {
    switch (request.op) {
      case OpCode.delete:
        return this.delete(request.path, request.version)
      case OpCode.setData:
        return this.setData(request.path, request.data, request.version)
      case OpCode.check:
        return this.check(request.path, request.version)
      case OpCode.createTTL:
        return this.create(request.op, request.path, request.data, request.acl, request.flags, request.ttl)
      default:
        return this.create(request.op, request.path, request.data, request.acl, request.flags, 0)
    }
  }
}

/** The opcode decides the kind, the flags only what is left to decide. */
const kindOf = (op: number, flags: number): Kind => {
  if (op === OpCode.createContainer) return Kind.container
  if (op === OpCode.createTTL) return Kind.ttl
  return isEphemeral(flags) ? Kind.ephemeral : Kind.persistent
}
