/** `tree`: the znodes as they were at a zxid: the checkpoint, and the log replayed on it in memory. */
import { ConfigError } from "@zkmesh/config"
import { hex, type Zxid } from "@zkmesh/numbers"
import type { Inspection, StoredNode, StoreError } from "@zkmesh/store"
import { Applier, ROOT, type Slot, Tree, TreeLoader } from "@zkmesh/tree"
import { EntryReader } from "@zkmesh/txn"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Nobody's peer: no transaction's reply is wanted. */
const NOBODY = 0
const TEXT_SHOWN = 60
const LINES_AT_ONCE = 1000

const impossible = (reason: string) => new ConfigError({ key: "--at", reason })

/** The tree as of the checkpoint, or the empty one that the first transaction found. */
const startingPoint = (inspection: Inspection, at: Zxid): Effect.Effect<Tree, ConfigError | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { zxid, digest, sessions, nodes } = yield* inspection.checkpoint
    if (at >= zxid) {
      const loader = new TreeLoader()
      yield* Stream.runForEach(nodes, (batch) => Effect.sync(() => loader.add(batch)))
      return loader.finish(zxid, digest, sessions)
    }
    if (inspection.floor === 0) return new Tree()
    const reason = `the checkpoint is of ${hex(zxid)}, and the log begins after ${hex(inspection.floor)}: the tree is known from ${hex(zxid)} to ${hex(inspection.last)}`
    return yield* impossible(reason)
  })

/** The tree right after transaction `at` (or the last one before it). */
export const treeAt = (inspection: Inspection, at: Zxid): Effect.Effect<Tree, ConfigError | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    if (at > inspection.last) return yield* impossible(`the last transaction is ${hex(inspection.last)}`)
    const tree = yield* startingPoint(inspection, at)
    const applier = new Applier(tree, NOBODY)
    while (tree.zxid < Math.min(at, inspection.last)) {
      const before = tree.zxid
      for (const batch of yield* inspection.read(before)) {
        const entry = new EntryReader(batch.bytes)
        while (entry.next() && entry.zxid <= at) applier.apply(entry)
      }
      // The next transaction is a later one than was asked for.
      if (tree.zxid === before) break
    }
    return tree
  })

const text = (data: Uint8Array | null): string => {
  if (data === null) return "null"
  const decoded = Buffer.from(data).toString("utf8")
  const isText = !/[\p{Cc}\uFFFD]/u.test(decoded)
  const all = isText ? JSON.stringify(decoded) : `0x${Buffer.from(data).toString("hex")}`
  return all.length <= TEXT_SHOWN ? all : `${all.slice(0, TEXT_SHOWN)}…`
}

const line = (node: StoredNode): string => {
  const kind = node.kind === "ephemeral" ? `ephemeral of ${hex(node.ephemeralOwner)}` : node.kind
  const size = node.data?.length ?? 0
  return `${node.path}  ${kind}  version ${node.version}  ${size} bytes  mzxid ${hex(node.mzxid)}  ${text(node.data)}`
}

/** Prints the znode `path` of a tree and all that is below it, a line each. */
export const printTree = (tree: Tree, path: string): Effect.Effect<void, ConfigError> =>
  Effect.gen(function* () {
    const root = path === "/" ? ROOT : tree.nodes.findPath(path)
    if (root === 0) return yield* new ConfigError({ key: path, reason: `is not there at ${hex(tree.zxid)}` })
    const slots: Array<Slot> = [root]
    tree.nodes.visit(root, (slot) => {
      if (slot !== root) slots.push(slot)
    })
    const lines = slots.map((slot) => line(tree.stored(slot))).sort()
    for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
      yield* Console.log(lines.slice(at, at + LINES_AT_ONCE).join("\n"))
    }
    yield* Console.error(`${lines.length} znodes as of ${hex(tree.zxid)}`)
  })
