/**
 * One peer's copy of the tree, as of `zxid`: znodes, sessions, and what belongs to which session.
 *
 * Its methods are single changes that always succeed; what they mean, and in which order a transaction makes them, is
 * the business of `Applier`. Every change is noted for the digest and for the next checkpoint.
 */
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { StoredNode } from "@zkmesh/store"
import { type AclList, AclTable, READ_ONLY_ACL } from "./acl.ts"
import { Changes } from "./changes.ts"
import { Digest } from "./digest.ts"
import { hashData, hashPath } from "./hash.ts"
import { type Content, Nodes, ROOT } from "./nodes.ts"
import { Quotas } from "./quotas.ts"
import type { RecentEvents } from "./recentEvents.ts"
import { Field, Flag, Kind, type Slot } from "./rows.ts"
import { Sessions } from "./sessions.ts"

/** The tree holds, or is asked to do, what it never may: the peer must stop and build it again from the log. */
export class TreeCorrupt extends Error {
  override readonly name = "TreeCorrupt"
}

export const CONFIG_PATH = "/zookeeper/config"
const BUILT_IN = ["/zookeeper", "/zookeeper/quota", CONFIG_PATH] as const
/** Znodes that nobody may delete. */
export const isBuiltIn = (path: string): boolean => path === "/" || BUILT_IN.some((builtIn) => builtIn === path)

const KIND_NAMES = ["persistent", "ephemeral", "container", "ttl"] as const
const NO_DATA = new Uint8Array(0)

export interface NewNode {
  readonly kind: Kind
  /** Of an ephemeral; else 0. */
  readonly owner: SessionId
  /** Of a ttl node; else 0. */
  readonly ttlMs: number
  /** A number of the tree's `AclTable`; the use that `retain` counted passes to the node. */
  readonly acl: number
  readonly zxid: Zxid
  readonly time: number
}

export class Tree {
  readonly nodes: Nodes
  readonly acls = new AclTable()
  readonly sessions = new Sessions()
  readonly ephemerals = new Map<SessionId, Set<Slot>>()
  /** Containers (0) and ttl nodes (their ms): what the leader sweeps. */
  readonly sweepable = new Map<Slot, number>()
  readonly quotas: Quotas
  readonly changes: Changes
  private readonly digests: Digest
  private readonly config: Slot = 0
  /** Grows with each change of the configuration. */
  configRevision = 0
  ephemeralCount = 0
  /** Nobody's permissions are checked: a setting, not a part of the state. */
  skipAcl = false
  /** What has lately changed; undefined if that is not kept. No part of the state either. */
  recentEvents: RecentEvents | undefined
  /** The last transaction applied. */
  zxid: Zxid = 0

  /** `hashSeed` varies from process to process; nothing of it is visible from outside. */
  constructor(hashSeed: number = 0) {
    this.nodes = new Nodes(hashSeed)
    this.digests = new Digest(this.nodes.rows)
    this.changes = new Changes(this.nodes.rows, (slot) => this.stored(slot))
    this.quotas = new Quotas(this.nodes, (slot, path, text) => {
      this.touch(slot)
      this.setContent(slot, this.content(path, Buffer.from(text)))
    })
    this.touch(ROOT)
    this.setContent(ROOT, this.content("/", NO_DATA))
    const [zookeeper, quota, config] = BUILT_IN
    this.addBuiltIn(quota, this.addBuiltIn(zookeeper, ROOT, 0), 0)
    this.config = this.addBuiltIn(config, this.nodes.findPath(zookeeper), this.acls.intern(READ_ONLY_ACL))
    // Its version would be the configuration's, which is not counted.
    this.nodes.rows.set(this.config, Field.version, -1)
    this.nodes.rows.set(this.config, Field.aversion, -1)
    this.setConfig("")
  }

  /** Built-in znodes hang there without having been created: their parents' counters know nothing of them. */
  private addBuiltIn(path: string, parent: Slot, acl: number): Slot {
    const node = { kind: Kind.persistent, owner: 0, ttlMs: 0, acl, zxid: 0, time: 0 }
    return this.create(parent, this.content(path, NO_DATA), node)
  }

  /** To be used before the next call of it. */
  private content(path: string, data: Uint8Array | null): Content {
    const bytes = this.nodes.encode(path)
    const value = data ?? NO_DATA
    const dataEnd = data === null ? -1 : value.length
    return { path: bytes, pathStart: 0, pathEnd: this.nodes.encodedLength, data: value, dataStart: 0, dataEnd }
  }

  aclOf(slot: Slot): AclList {
    return this.acls.list(this.nodes.rows.get(slot, Field.acl))
  }

  /** Comes before any change of a row. */
  private touch(slot: Slot): void {
    this.digests.touch(slot)
    this.changes.touch(slot)
  }

  /** A new child of `parent`, whose counters are yet to learn of it. */
  create(parent: Slot, content: Content, node: NewNode): Slot {
    const { rows } = this.nodes
    this.touch(parent)
    const slot = this.nodes.create(parent, content)
    this.refreshCversion(parent)
    rows.setFlags(slot, node.kind)
    rows.setLong(slot, Field.czxid, node.zxid)
    rows.setLong(slot, Field.mzxid, node.zxid)
    rows.setLong(slot, Field.pzxid, node.zxid)
    rows.setLong(slot, Field.ctime, node.time)
    rows.setLong(slot, Field.mtime, node.time)
    rows.set(slot, Field.acl, node.acl)
    rows.set(slot, Field.contentHash, this.hash(slot, content))
    this.index(slot, node.kind, node.owner, node.ttlMs)
    this.digests.touch(slot)
    this.changes.created(slot, () => this.nodes.path(slot))
    return slot
  }

  private index(slot: Slot, kind: number, owner: SessionId, ttlMs: number): void {
    if (kind === Kind.container || kind === Kind.ttl) this.sweepable.set(slot, ttlMs)
    if (kind !== Kind.ephemeral) return
    this.nodes.rows.setLong(slot, Field.owner, owner)
    const owned = this.ephemerals.get(owner)
    if (owned === undefined) this.ephemerals.set(owner, new Set([slot]))
    else owned.add(slot)
    this.ephemeralCount++
  }

  private unindex(slot: Slot): void {
    const { rows } = this.nodes
    const kind = rows.flags(slot) & Flag.kind
    if (kind === Kind.container || kind === Kind.ttl) this.sweepable.delete(slot)
    if (kind !== Kind.ephemeral) return
    const owner = rows.getLong(slot, Field.owner)
    const owned = this.ephemerals.get(owner)!
    owned.delete(slot)
    if (owned.size === 0) this.ephemerals.delete(owner)
    this.ephemeralCount--
  }

  /** A child has been created, the parent's `creations`-th: counters and pzxid only ever move up. */
  countCreation(parent: Slot, creations: number, zxid: Zxid): void {
    const { rows } = this.nodes
    if (((creations - rows.get(parent, Field.creations)) | 0) <= 0) return
    rows.set(parent, Field.creations, creations)
    this.refreshCversion(parent)
    this.raisePzxid(parent, zxid)
  }

  private raisePzxid(slot: Slot, zxid: Zxid): void {
    if (zxid > this.nodes.rows.getLong(slot, Field.pzxid)) this.nodes.rows.setLong(slot, Field.pzxid, zxid)
  }

  private refreshCversion(slot: Slot): void {
    const { rows } = this.nodes
    rows.set(slot, Field.cversion, 2 * rows.get(slot, Field.creations) - rows.get(slot, Field.numChildren))
  }

  /** Takes a childless znode out, its path in `bytes[start, end)` and as a string. */
  remove(slot: Slot, bytes: Uint8Array, start: number, end: number, path: string, zxid: Zxid): void {
    const { rows } = this.nodes
    const parent = rows.get(slot, Field.parent)
    this.touch(parent)
    this.digests.remove(slot)
    this.changes.remove(slot, path)
    this.unindex(slot)
    this.acls.release(rows.get(slot, Field.acl))
    this.nodes.remove(slot, bytes, start, end)
    this.refreshCversion(parent)
    this.raisePzxid(parent, zxid)
  }

  setData(slot: Slot, content: Content, version: number, zxid: Zxid, time: number): void {
    const { rows } = this.nodes
    this.touch(slot)
    this.setContent(slot, content)
    rows.set(slot, Field.version, version)
    rows.setLong(slot, Field.mzxid, zxid)
    rows.setLong(slot, Field.mtime, time)
  }

  /** Gives a znode another value; the path is its own. */
  private setContent(slot: Slot, content: Content): void {
    if (slot === this.config) this.configRevision++
    this.nodes.setData(slot, content)
    this.nodes.rows.set(slot, Field.contentHash, this.hash(slot, content))
  }

  private hash(slot: Slot, content: Content): number {
    const hash = hashPath(content.path, content.pathStart, content.pathEnd, 0)
    // The configuration differs from peer to peer while it changes, so it does not count.
    if (slot === this.config || content.dataEnd < content.dataStart) return hash
    return hashData(content.data, content.dataStart, content.dataEnd, hash)
  }

  /** `acl` as in `NewNode`. */
  setAcl(slot: Slot, acl: number, aversion: number): void {
    const { rows } = this.nodes
    this.touch(slot)
    this.acls.release(rows.get(slot, Field.acl))
    rows.set(slot, Field.acl, acl)
    rows.set(slot, Field.aversion, aversion)
  }

  /**
   * Installs the ensemble's configuration at `/zookeeper/config`: at start, outside the log, on every peer by itself; not
   * once a transaction has changed it.
   */
  setConfig(text: string): void {
    if (this.nodes.rows.getLong(this.config, Field.mzxid) > 0) return
    this.setContent(this.config, this.content(CONFIG_PATH, Buffer.from(text)))
  }

  /** What is there now. */
  configText(): string {
    return Buffer.from(this.stored(this.config).data ?? []).toString("utf8")
  }

  digest(): number {
    return this.digests.value()
  }

  /** The znode as it is stored, a copy. */
  stored(slot: Slot): StoredNode {
    const { rows, arena } = this.nodes
    const flags = rows.flags(slot)
    const block = rows.get(slot, Field.block)
    const length = rows.get(slot, Field.dataLength)
    return {
      path: this.nodes.path(slot),
      data: (flags & Flag.nullData) !== 0 ? null : arena.copy(block, this.nodes.dataOffset(slot), length),
      acl: this.aclOf(slot),
      czxid: rows.getLong(slot, Field.czxid),
      mzxid: rows.getLong(slot, Field.mzxid),
      pzxid: rows.getLong(slot, Field.pzxid),
      ctime: rows.getLong(slot, Field.ctime),
      mtime: rows.getLong(slot, Field.mtime),
      version: rows.get(slot, Field.version),
      cversion: rows.get(slot, Field.creations),
      aversion: rows.get(slot, Field.aversion),
      ephemeralOwner: rows.getLong(slot, Field.owner),
      kind: KIND_NAMES[flags & Flag.kind]!,
      ttlMs: this.sweepable.get(slot) ?? 0
    }
  }

  /** Makes of a znode what it once was, or creates it under a parent that is there already. */
  restore(parent: Slot, node: StoredNode): void {
    const slot = this.nodes.findPath(node.path)
    if (slot !== 0) {
      const kind = KIND_NAMES.indexOf(node.kind) as Kind
      this.touch(slot)
      this.unindex(slot)
      this.nodes.rows.clearFlags(slot, Flag.kind)
      this.nodes.rows.setLong(slot, Field.owner, 0)
      this.nodes.rows.setFlags(slot, kind)
      this.index(slot, kind, node.ephemeralOwner, node.ttlMs)
    }
    this.load(parent, node)
  }

  /** Brings a stored znode back, under a parent that is there already: see `TreeLoader`. */
  load(parent: Slot, node: StoredNode): Slot {
    const content = this.content(node.path, node.data)
    const kind = KIND_NAMES.indexOf(node.kind) as Kind
    const acl = this.acls.intern(node.acl)
    let slot = this.nodes.find(content.path, 0, content.pathEnd)
    if (slot === 0) {
      const { ephemeralOwner: owner, ttlMs, czxid: zxid, ctime: time } = node
      slot = this.create(parent, content, { kind, owner, ttlMs, acl, zxid, time })
    } else {
      // One of the built-in znodes, which a new tree has from the start.
      this.setAcl(slot, acl, node.aversion)
      this.setContent(slot, content)
    }
    const { rows } = this.nodes
    rows.setLong(slot, Field.czxid, node.czxid)
    rows.setLong(slot, Field.mzxid, node.mzxid)
    rows.setLong(slot, Field.pzxid, node.pzxid)
    rows.setLong(slot, Field.ctime, node.ctime)
    rows.setLong(slot, Field.mtime, node.mtime)
    rows.set(slot, Field.version, node.version)
    rows.set(slot, Field.aversion, node.aversion)
    rows.set(slot, Field.creations, node.cversion)
    this.refreshCversion(slot)
    rows.setFlags(slot, Flag.stored)
    return slot
  }
}
