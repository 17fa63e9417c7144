import { createHash } from "node:crypto"
import { checkQueue } from "./queue.ts"
import { dataOf, Session } from "./session.ts"
import { Err, type Stat } from "./wire.ts"
import type { History, Write } from "./workload.ts"

export interface Znode {
  readonly data: string
  readonly stat: Stat
}

/** Znodes that are asked for together. */
const AT_ONCE = 2000

/** A whole subtree as one server shows it, after a sync. */
export async function dump(port: number, root = "/"): Promise<Map<string, Znode>> {
  const session = await Session.open({ ports: [port], timeoutMs: 20_000 })
  try {
    await session.sync(root)
    const tree = new Map<string, Znode>()
    let level = [root]
    while (level.length > 0) {
      const some = level.splice(0, AT_ONCE)
      const found = await Promise.all(
        some.map(async (path) => {
          const [data, children] = await Promise.all([session.get(path), session.children(path)])
          if (data.error === Err.noNode) throw new Error(`${path} vanished while the tree was read`)
          tree.set(path, dataOf(data))
          return children.body.texts().map((name) => (path === "/" ? `/${name}` : `${path}/${name}`))
        })
      )
      level = level.concat(found.flat())
    }
    return tree
  } finally {
    await session.close()
  }
}

/** A digest of everything that a client can see. */
export function digestOf(tree: ReadonlyMap<string, Znode>): string {
  const hash = createHash("sha256")
  for (const path of [...tree.keys()].sort()) {
    const { data, stat } = tree.get(path)!
    hash.update(`${path}\n${data}\n${Object.values(stat).join(" ")}\n`)
  }
  return hash.digest("hex")
}

/** Everything that is wrong with a history, given the tree that it ended in; empty if all is well. */
export function check(history: History, tree: ReadonlyMap<string, Znode>): Array<string> {
  return [
    ...history.violations,
    ...checkRegisters(history, tree),
    ...checkSequential(history, tree),
    ...checkCounter(history, tree),
    ...checkPairs(history, tree),
    ...checkEphemerals(history, tree),
    ...checkOrder(history),
    ...checkQueue(history.queue, below(tree, `${history.root}/queue/`)),
    ...checkLock(history, tree)
  ]
}

function* checkRegisters(history: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  for (const index of history.sessions.keys()) {
    const writes = history.writes.filter((one) => one.session === index && one.kind === "register")
    const acked = writes.filter(isAcked)
    const node = tree.get(`${history.root}/reg-${index}`)
    if (node === undefined) {
      yield `register ${index} is missing`
      continue
    }
    const last = acked.at(-1)
    const value = Number(node.data)
    if (last !== undefined && value < last.value) yield `register ${index} is ${value}, ${last.value} was acknowledged`
    if (last !== undefined && node.stat.mzxid < last.zxid)
      yield `register ${index} was last written before ${last.zxid}`
    if (node.stat.version < acked.length || node.stat.version > writes.length) {
      yield `register ${index} has version ${node.stat.version}: ${acked.length} writes acknowledged of ${writes.length}`
    }
    for (let i = 1; i < acked.length; i++) {
      const [before, after] = [acked[i - 1]!, acked[i]!]
      const between = after.value - before.value
      // Each attempt counts at most once, in the order of sending.
      if (after.version <= before.version || after.version - before.version > between) {
        yield `register ${index}: ${before.value} made version ${before.version}, ${after.value} made ${after.version}`
      }
    }
  }
}

function* checkSequential(history: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  const made = new Map<string, string>()
  for (const [path, node] of tree) {
    if (!path.startsWith(`${history.root}/seq/`)) continue
    const twin = made.get(node.data)
    if (twin !== undefined) yield `${node.data} was created twice: ${twin} and ${path}`
    made.set(node.data, path)
  }
  for (const write of history.writes) {
    if (write.kind !== "sequential" || !isAcked(write)) continue
    const node = tree.get(write.path)
    if (node === undefined) yield `${write.path} was acknowledged and is missing`
    else if (node.data !== `${write.session}:${write.value}` || node.stat.czxid !== write.zxid) {
      yield `${write.path} is not what session ${write.session} created: ${node.data} of ${node.stat.czxid}`
    }
  }
}

function* checkCounter(history: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  const writes = history.writes.filter((one) => one.kind === "counter")
  const acked = writes.filter(isAcked)
  const value = Number(tree.get(`${history.root}/counter`)?.data)
  if (!(value >= acked.length && value <= writes.length)) {
    yield `the counter is ${value}: ${acked.length} increments were acknowledged of ${writes.length}`
  }
  const values = new Set(acked.map((one) => one.value))
  if (values.size !== acked.length) yield "two increments made the same value"
}

function* checkPairs(history: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  for (const index of history.sessions.keys()) {
    const [left, right] = ["left", "right"].map((side) => tree.get(`${history.root}/${side}-${index}`))
    if (left?.data !== right?.data || left?.stat.mzxid !== right?.stat.mzxid) {
      yield `pair ${index} is torn: ${left?.data} and ${right?.data}`
    }
    const last = history.writes
      .filter((one) => one.kind === "pair" && one.session === index)
      .filter(isAcked)
      .at(-1)
    if (last !== undefined && (left?.stat.mzxid ?? 0) < last.zxid) yield `pair ${index} has lost ${last.value}`
  }
}

function* checkEphemerals(history: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  for (const [index, session] of history.sessions.entries()) {
    const node = tree.get(`${history.root}/live-${index}`)
    if (node === undefined) yield `the ephemeral of session ${index}, which lives, has gone`
    else if (node.stat.ephemeralOwner !== session.id) yield `the ephemeral of session ${index} has another owner`
  }
  for (const one of history.dead) if (tree.has(one.path)) yield `${one.path} outlives its session`
}

/** Writes are linearizable: one that was acknowledged before another was sent comes before it in the order of zxids. */
function* checkOrder(history: History): Generator<string> {
  const acked = history.writes.filter(isAcked)
  const zxids = new Set(acked.map((one) => one.zxid))
  if (zxids.size !== acked.length) yield "two writes were acknowledged with the same zxid"
  const byAck = acked.toSorted((a, b) => a.ackedAt! - b.ackedAt!)
  let known = 0
  let highest = 0
  for (const write of acked.toSorted((a, b) => a.sentAt - b.sentAt)) {
    while (byAck[known]!.ackedAt! < write.sentAt) highest = Math.max(highest, byAck[known++]!.zxid)
    if (write.zxid < highest) yield `a write of ${write.zxid} was sent after ${highest} had been acknowledged`
  }
}

function* checkLock({ root, locked }: History, tree: ReadonlyMap<string, Znode>): Generator<string> {
  const written = Number(tree.get(`${root}/lock-guarded`)?.data)
  // A write in doubt may have been carried out.
  if (!(written >= locked)) yield `the lock was had ${locked} times, and what it guards was written ${written} times`
  for (const path of below(tree, `${root}/lock/`).keys()) yield `${path} was let go, and is still there`
}

const below = (tree: ReadonlyMap<string, Znode>, prefix: string): ReadonlyMap<string, string> =>
  new Map([...tree].filter(([path]) => path.startsWith(prefix)).map(([path, { data }]) => [path, data]))

const isAcked = (write: Write): boolean => write.ackedAt !== undefined
