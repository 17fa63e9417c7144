/**
 * The changes that have been prepared but not applied yet, by path: what the next request must see instead of the tree.
 *
 * A record lives from the first change of its path until the tree has caught up with the last one.
 */
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { type AclList, OPEN_ACL } from "./acl.ts"
import { Field, Flag, Kind } from "./rows.ts"
import type { Tree } from "./tree.ts"

/** A znode as prepare sees it. */
export interface NodeState {
  readonly path: string
  exists: boolean
  version: number
  aversion: number
  creations: number
  numChildren: number
  kind: Kind
  owner: SessionId
  acl: AclList
  mtime: number
  /** The transaction of the last change; 0: it is the tree's state, and not in the overlay. */
  zxid: Zxid
}

export class Overlay {
  private readonly tree: Tree
  private readonly states = new Map<string, NodeState>()
  /** Every change in the order of zxids, to know what the tree has caught up with. */
  private queue: Array<{ readonly zxid: Zxid; readonly state: NodeState }> = []
  private head = 0
  /** Changes that came and are not in the queue any more. */
  private done = 0
  /** By session: paths of ephemerals that it got while in the overlay. */
  private readonly created = new Map<SessionId, Set<string>>()
  /** While a multi is being prepared: how to take back what it has changed. */
  private undo: Array<{ readonly state: NodeState; readonly before: NodeState }> | undefined
  private undoQueue = 0

  constructor(tree: Tree) {
    this.tree = tree
  }

  get size(): number {
    return this.states.size
  }

  /** How many changes have been noted so far, and how many of them are forgotten. */
  get changes(): { readonly noted: number; readonly forgotten: number } {
    return { noted: this.done + this.queue.length - this.head, forgotten: this.done }
  }

  /** The state of a path; `exists` is false if it is not there. */
  get(path: string): NodeState {
    return this.states.get(path) ?? this.fromTree(path)
  }

  private fromTree(path: string): NodeState {
    const { nodes } = this.tree
    const slot = nodes.findPath(path)
    if (slot === 0) return absent(path)
    const { rows } = nodes
    const kind = (rows.flags(slot) & Flag.kind) as Kind
    return {
      path,
      exists: true,
      version: rows.get(slot, Field.version),
      aversion: rows.get(slot, Field.aversion),
      creations: rows.get(slot, Field.creations),
      numChildren: rows.get(slot, Field.numChildren),
      kind,
      owner: kind === Kind.ephemeral ? rows.getLong(slot, Field.owner) : 0,
      acl: this.tree.aclOf(slot),
      mtime: rows.getLong(slot, Field.mtime),
      zxid: 0
    }
  }

  /** Must come before the state is changed by the transaction `zxid`. */
  change(state: NodeState, zxid: Zxid): void {
    this.undo?.push({ state, before: { ...state } })
    if (state.zxid === 0) this.states.set(state.path, state)
    state.zxid = zxid
    this.queue.push({ zxid, state })
  }

  /** Gives a state that is about to exist its owner, 0 for none. */
  setOwner(state: NodeState, owner: SessionId): void {
    if (state.owner !== 0) this.disown(state.owner, state.path)
    state.owner = owner
    if (owner !== 0) this.own(state)
  }

  private own(state: NodeState): void {
    const paths = this.created.get(state.owner)
    if (paths === undefined) this.created.set(state.owner, new Set([state.path]))
    else paths.add(state.path)
  }

  /** The paths of all ephemerals of a session, as they are once everything prepared is applied. */
  ephemerals(session: SessionId): Array<string> {
    const paths = new Set<string>()
    const isOwned = (path: string): boolean => {
      const state = this.states.get(path)
      return state === undefined || (state.exists && state.kind === Kind.ephemeral && state.owner === session)
    }
    for (const slot of this.tree.ephemerals.get(session) ?? []) {
      const path = this.tree.nodes.path(slot)
      if (isOwned(path)) paths.add(path)
    }
    for (const path of this.created.get(session) ?? []) {
      if (this.states.has(path) && isOwned(path)) paths.add(path)
    }
    return [...paths]
  }

  /** The tree has applied everything up to `zxid`. */
  prune(zxid: Zxid): void {
    const { queue, head } = this
    while (this.head < queue.length && queue[this.head]!.zxid <= zxid) {
      const { state } = queue[this.head++]!
      if (state.zxid > zxid || this.states.get(state.path) !== state) continue
      this.states.delete(state.path)
      if (state.owner !== 0) this.disown(state.owner, state.path)
    }
    this.done += this.head - head
    if (this.head === queue.length) {
      this.queue = []
      this.head = 0
    } else if (this.head > 4096 && this.head * 2 > queue.length) {
      this.queue = queue.slice(this.head)
      this.head = 0
    }
  }

  private disown(session: SessionId, path: string): void {
    const paths = this.created.get(session)
    if (paths === undefined) return
    paths.delete(path)
    if (paths.size === 0) this.created.delete(session)
  }

  /** From here on changes can be taken back. */
  begin(): void {
    this.undo = []
    this.undoQueue = this.queue.length
  }

  /** Takes back everything since `begin`, the parents' counters included. */
  rollback(): void {
    const undo = this.undo ?? []
    this.undo = undefined
    for (let i = undo.length - 1; i >= 0; i--) {
      const { state, before } = undo[i]!
      if (state.owner !== 0) this.disown(state.owner, state.path)
      Object.assign(state, before)
      if (before.zxid === 0) this.states.delete(state.path)
      else if (state.owner !== 0) this.own(state)
    }
    this.queue.length = this.undoQueue
  }

  commit(): void {
    this.undo = undefined
  }

  /** Forgets everything: no longer the leader. */
  clear(): void {
    this.states.clear()
    this.created.clear()
    this.done += this.queue.length - this.head
    this.queue = []
    this.head = 0
    this.undo = undefined
  }
}

const absent = (path: string): NodeState => ({
  path,
  exists: false,
  version: 0,
  aversion: 0,
  creations: 0,
  numChildren: 0,
  kind: Kind.persistent,
  owner: 0,
  acl: OPEN_ACL,
  mtime: 0,
  zxid: 0
})
