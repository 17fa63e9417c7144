/** Makes the tree what a snapshot says, by ordinary requests of a client that may do everything. */
import type { ZkClient } from "@zkmesh/client"
import { type Acl, CreateMode } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"

/** A transaction stays below what a frame may hold by default. */
const BATCH_BYTES = 512 * 1024
const BATCH_OPS = 500
/** Requests that are under way at once. */
const WINDOW = 256

/** They are always there, and hold what is none of a snapshot's. */
const SYSTEM = new Set(["/zookeeper", "/zookeeper/config", "/zookeeper/quota"])
const MODES = {
  persistent: CreateMode.PERSISTENT,
  container: CreateMode.CONTAINER,
  ttl: CreateMode.PERSISTENT_WITH_TTL
} as const

const depth = (path: string): number => path.split("/").length
const byDepth = (a: string, b: string): number => depth(a) - depth(b)

const inWindows = async <A, B>(items: ReadonlyArray<A>, use: (item: A) => Promise<B>): Promise<Array<B>> => {
  const results: Array<B> = []
  for (let at = 0; at < items.length; at += WINDOW) {
    results.push(...(await Promise.all(items.slice(at, at + WINDOW).map(use))))
  }
  return results
}

const allPaths = async (client: ZkClient): Promise<Array<string>> => {
  const found: Array<string> = []
  let level = ["/"]
  while (level.length > 0) {
    const children = await inWindows(level, async (path) =>
      (await client.getChildren(path)).map((name) => (path === "/" ? `/${name}` : `${path}/${name}`))
    )
    level = children.flat()
    found.push(...level)
  }
  return found
}

/** Containers have the highest bit alone, TTL nodes 0xff in front; a session's id has neither. */
const isEphemeral = (owner: string): boolean => {
  const id = BigInt.asUintN(64, BigInt(owner))
  return id !== 0n && id !== 1n << 63n && id >> 56n !== 0xffn
}

/** One change: how large it is, and how it joins a transaction. */
interface Change {
  readonly bytes: number
  readonly join: (transaction: ReturnType<ZkClient["transaction"]>) => void
}

const commit = async (client: ZkClient, changes: ReadonlyArray<Change>): Promise<void> => {
  for (let at = 0; at < changes.length; ) {
    const transaction = client.transaction()
    let bytes = 0
    const from = at
    for (; at < changes.length && at - from < BATCH_OPS; at++) {
      const change = changes[at]!
      if (at > from && bytes + change.bytes > BATCH_BYTES) break
      bytes += change.bytes
      change.join(transaction)
    }
    await transaction.commit()
  }
}

const same = (a: ReadonlyArray<Acl>, b: ReadonlyArray<Acl>): boolean => {
  const text = (acl: ReadonlyArray<Acl>) => acl.map(({ perms, id }) => `${perms} ${id.scheme} ${id.id}`).join("\n")
  return text(a) === text(b)
}

const createOf = (node: StoredNode): Change => {
  const { path, data, acl, kind, ttlMs } = node
  const mode = MODES[kind as keyof typeof MODES]
  return {
    bytes: path.length + (data?.length ?? 0) + 128,
    join: (transaction) => transaction.create(path, data, kind === "ttl" ? { mode, acl, ttlMs } : { mode, acl })
  }
}

/** Ephemeral nodes of the snapshot are left out; those that are there go, as everything that is not in the snapshot. */
export const restoreTree = async (client: ZkClient, nodes: ReadonlyArray<StoredNode>): Promise<void> => {
  const wanted = new Map<string, StoredNode>()
  for (const node of nodes) if (node.kind !== "ephemeral" && !SYSTEM.has(node.path)) wanted.set(node.path, node)
  const there = (await allPaths(client)).filter((path) => !SYSTEM.has(path))
  const gone: Array<string> = []
  const kept: Array<string> = ["/"]
  const changed: Array<Change> = []
  const acls: Array<StoredNode> = []
  await inWindows(["/", ...there], async (path) => {
    const node = wanted.get(path)
    const [{ data, stat }, { acl }] = await Promise.all([client.getData(path), client.getACL(path)])
    if (path !== "/" && (node === undefined || isEphemeral(stat.ephemeralOwner))) {
      gone.push(path)
      return
    }
    if (path !== "/") kept.push(path)
    if (node === undefined) return
    const isSame =
      (data ?? Buffer.alloc(0)).length === (node.data ?? Buffer.alloc(0)).length &&
      Buffer.compare(data ?? Buffer.alloc(0), node.data ?? Buffer.alloc(0)) === 0
    if (!isSame) {
      const bytes = path.length + (node.data?.length ?? 0) + 64
      changed.push({ bytes, join: (transaction) => transaction.setData(path, node.data) })
    }
    if (!same(acl, node.acl)) acls.push(node)
  })
  const present = new Set(kept)
  const missing = [...wanted.keys()].filter((path) => !present.has(path)).sort(byDepth)
  await commit(client, [
    ...gone
      .sort((a, b) => byDepth(b, a))
      .map((path): Change => ({ bytes: path.length + 64, join: (transaction) => transaction.delete(path) })),
    ...missing.map((path) => createOf(wanted.get(path)!)),
    ...changed
  ])
  await inWindows(acls, (node) => client.setACL(node.path, node.acl))
}
