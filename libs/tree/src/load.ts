/** Builds a tree from the rows of a checkpoint, in whatever order they come. */
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { parentOf } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"
import { ROOT } from "./nodes.ts"
import { Tree, TreeCorrupt } from "./tree.ts"

export class TreeLoader {
  private readonly tree: Tree
  /** By the path of a parent that has not come yet. */
  private readonly waiting = new Map<string, Array<StoredNode>>()

  constructor(hashSeed: number = 0) {
    this.tree = new Tree(hashSeed)
  }

  add(nodes: Iterable<StoredNode>): void {
    for (const node of nodes) {
      const parent = node.path === "/" ? ROOT : this.tree.nodes.findPath(parentOf(node.path))
      if (parent === 0) this.wait(node)
      else this.place(parent, node)
    }
  }

  private wait(node: StoredNode): void {
    const parent = parentOf(node.path)
    const siblings = this.waiting.get(parent)
    if (siblings === undefined) this.waiting.set(parent, [node])
    else siblings.push(node)
  }

  /** The znode, and whatever has waited for it. */
  private place(parent: number, node: StoredNode): void {
    const ready: Array<readonly [number, StoredNode]> = [[parent, node]]
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      const slot = this.tree.load(next[0], next[1])
      if (this.waiting.size === 0) continue
      for (const child of this.waiting.get(next[1].path) ?? []) ready.push([slot, child])
      this.waiting.delete(next[1].path)
    }
  }

  /** The tree, once all has been added; throws if something is missing or if it is not the tree that was stored. */
  finish(zxid: Zxid, digest: number, sessions: Iterable<SessionRecord>): Tree {
    for (const path of this.waiting.keys())
      throw new TreeCorrupt(`the checkpoint has children of ${path} but not itself`)
    for (const session of sessions) this.tree.sessions.load(session)
    this.tree.zxid = zxid
    this.tree.changes.settle()
    this.tree.quotas.rebuild()
    const found = this.tree.digest()
    if (zxid > 0 && found !== digest) {
      throw new TreeCorrupt(`the checkpoint's digest is ${digest}, but its znodes have ${found}`)
    }
    return this.tree
  }
}
