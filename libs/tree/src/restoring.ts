/**
 * A snapshot becomes the tree again, in one transaction.
 *
 * Its bytes come before, piece by piece, as the children of a znode: ordinary transactions, so that every peer has them,
 * by DIFF or SNAP as well, whoever leads and whoever has been away. The transaction `restore` names that znode. It is
 * prepared when nothing else is in flight, and nothing is prepared before it has been applied: what it is judged by is
 * what it is applied to. The pieces go with the old tree.
 *
 * The tree is changed where it stands, so digest, checkpoint and watches see what has changed and nothing else.
 */
import type { ChangeEvent, SessionRecord } from "@zkmesh/messages"
import type { SessionId } from "@zkmesh/numbers"
import { EventType, parentOf, validatePath } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"
import { CorruptSnapshot, SnapshotReader } from "@zkmesh/store/snapshot"
import { ROOT } from "./nodes.ts"
import { Field, type Slot } from "./rows.ts"
import { CONFIG_PATH, isBuiltIn, type Tree } from "./tree.ts"

/** A znode below which a snapshot's pieces may be found; it is no part of any snapshot that is restored. */
const STAGING = "/zookeeper/restore-"
const isStaging = (path: string): boolean => path.startsWith(STAGING)

export interface StagedSnapshot {
  readonly nodes: ReadonlyMap<string, StoredNode>
  readonly sessions: ReadonlyMap<SessionId, SessionRecord>
}

export interface Restored {
  readonly events: Array<ChangeEvent>
  readonly closed: ReadonlyArray<SessionId>
  readonly opened: ReadonlyArray<SessionRecord>
}

/** The snapshot whose pieces are the children of `path`; undefined if they are none that a tree can be made of. */
export const readStaged = (tree: Tree, path: string): StagedSnapshot | undefined => {
  const staging = tree.nodes.findPath(path)
  if (staging === 0 || !isStaging(path)) return undefined
  const reader = new SnapshotReader()
  const nodes: Array<StoredNode> = []
  const sessions: Array<SessionRecord> = []
  try {
    for (const piece of piecesOf(tree, staging)) {
      const part = reader.read(piece)
      for (const node of part.nodes) nodes.push(node)
      for (const session of part.sessions) sessions.push(session)
    }
  } catch (error) {
    if (error instanceof CorruptSnapshot) return undefined
    throw error
  }
  if (!reader.finished || reader.zxid === undefined) return undefined
  // Of an ensemble that has come further than this one: its sessions' ids may yet be given to others here.
  const known = new Map(reader.zxid > tree.zxid ? [] : sessions.map((one) => [one.id, one] as const))
  const kept = wholeTree(nodes, known)
  return kept === undefined ? undefined : { nodes: kept, sessions: known }
}

/** The pieces in the order of their names. */
function* piecesOf(tree: Tree, staging: Slot): Generator<Uint8Array> {
  const { nodes } = tree
  const pieces: Array<{ readonly name: string; readonly slot: Slot }> = []
  for (let at = nodes.rows.get(staging, Field.firstChild); at !== 0; at = nodes.rows.get(at, Field.next)) {
    pieces.push({ name: nodes.name(at), slot: at })
  }
  pieces.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { slot } of pieces) yield tree.stored(slot).data ?? new Uint8Array(0)
}

/** By path, without what is not restored; undefined if they do not hang together. */
const wholeTree = (
  nodes: ReadonlyArray<StoredNode>,
  sessions: ReadonlyMap<SessionId, SessionRecord>
): ReadonlyMap<string, StoredNode> | undefined => {
  const kept = new Map<string, StoredNode>()
  for (const node of nodes) {
    const { path, kind, ephemeralOwner } = node
    if (validatePath(path) !== undefined || kept.has(path) || (kind === "ephemeral") !== (ephemeralOwner !== 0)) {
      return undefined
    }
    // The members are who they are now; an ephemeral node goes with its session.
    const isLeftOut = path === CONFIG_PATH || isStaging(path) || (kind === "ephemeral" && !sessions.has(ephemeralOwner))
    if (!isLeftOut) kept.set(path, node)
  }
  if (!kept.has("/")) return undefined
  for (const path of kept.keys()) {
    if (path === "/") continue
    const parent = kept.get(parentOf(path))
    if (parent === undefined || parent.kind === "ephemeral") return undefined
  }
  return kept
}

/** Makes the tree the snapshot's. The session `author` goes on, without what it owned; the others are the snapshot's. */
export const restoreTree = (tree: Tree, { nodes, sessions }: StagedSnapshot, author: SessionId): Restored => {
  const events = [...removeOthers(tree, nodes), ...bringBack(tree, nodes)]
  tree.quotas.rebuild()
  const closed: Array<SessionId> = []
  for (const id of [...tree.sessions.ids()]) {
    const known = sessions.get(id)
    if (id === author || (known !== undefined && isSame(known, tree.sessions.get(id)!))) continue
    tree.sessions.remove(id)
    closed.push(id)
  }
  const opened: Array<SessionRecord> = []
  for (const record of sessions.values()) {
    if (tree.sessions.get(record.id) !== undefined) continue
    // Nobody is attached to it, wherever its client once was.
    const detached = { ...record, peer: 0, token: 0 }
    tree.sessions.put(detached)
    opened.push({ ...detached })
  }
  return { events, closed, opened }
}

/** A session is who knows its password: an id alone may have been given out by another ensemble. */
const isSame = (a: SessionRecord, b: SessionRecord): boolean => Buffer.compare(a.password, b.password) === 0

/** What the snapshot does not have goes, children before their parents. */
const removeOthers = (tree: Tree, wanted: ReadonlyMap<string, StoredNode>): Array<ChangeEvent> => {
  const gone: Array<{ readonly slot: Slot; readonly path: string }> = []
  tree.nodes.visit(ROOT, (slot) => {
    const path = tree.nodes.path(slot)
    if (!wanted.has(path) && !isBuiltIn(path)) gone.push({ slot, path })
  })
  return gone.reverse().map(({ slot, path }) => {
    const event = eventOf(tree, EventType.NodeDeleted, path, slot)
    const bytes = tree.nodes.encode(path)
    tree.remove(slot, bytes, 0, tree.nodes.encodedLength, path, tree.zxid)
    return event
  })
}

/** What the snapshot has comes back, parents before their children. What is as it was is left alone. */
const bringBack = (tree: Tree, wanted: ReadonlyMap<string, StoredNode>): Array<ChangeEvent> => {
  const events: Array<ChangeEvent> = []
  for (const path of [...wanted.keys()].sort()) {
    const node = wanted.get(path)!
    const slot = tree.nodes.findPath(path)
    const now = slot === 0 ? undefined : tree.stored(slot)
    if (now !== undefined && isUnchanged(now, node)) continue
    const parent = path === "/" ? ROOT : tree.nodes.findPath(parentOf(path))
    tree.restore(parent, node)
    const type =
      now === undefined
        ? EventType.NodeCreated
        : now.mzxid !== node.mzxid || now.version !== node.version || !isSameData(now, node)
          ? EventType.NodeDataChanged
          : undefined
    if (type !== undefined) events.push(eventOf(tree, type, path, tree.nodes.findPath(path)))
  }
  return events
}

const isSameData = (a: StoredNode, b: StoredNode): boolean =>
  a.data === null || b.data === null ? a.data === b.data : Buffer.compare(a.data, b.data) === 0

const isUnchanged = (a: StoredNode, b: StoredNode): boolean =>
  a.czxid === b.czxid &&
  a.mzxid === b.mzxid &&
  a.pzxid === b.pzxid &&
  a.ctime === b.ctime &&
  a.mtime === b.mtime &&
  a.version === b.version &&
  a.cversion === b.cversion &&
  a.aversion === b.aversion &&
  a.kind === b.kind &&
  a.ephemeralOwner === b.ephemeralOwner &&
  a.ttlMs === b.ttlMs &&
  isSameData(a, b) &&
  a.acl.length === b.acl.length &&
  a.acl.every(({ perms, id }, i) => {
    const other = b.acl[i]!
    return perms === other.perms && id.scheme === other.id.scheme && id.id === other.id.id
  })

/** As a watch is told of it: whom it concerns depends on the ACLs of the znode and its parent. */
const eventOf = (tree: Tree, type: ChangeEvent["type"], path: string, slot: Slot): ChangeEvent => {
  const restriction = (at: Slot) => (tree.nodes.rows.get(at, Field.acl) === 0 ? undefined : tree.aclOf(at))
  const acl = restriction(slot)
  const parentAcl =
    type === EventType.NodeDataChanged ? undefined : restriction(tree.nodes.rows.get(slot, Field.parent))
  return acl === undefined && parentAcl === undefined ? { type, path } : { type, path, acl, parentAcl }
}
