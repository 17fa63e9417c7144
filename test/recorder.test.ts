/** The checker itself: it finds nothing wrong with ZooKeeper, and everything that is made wrong on purpose. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { check, digestOf, dump, type Znode } from "./recorder/checker.ts"
import { type History, Workload, type Write } from "./recorder/workload.ts"
import { ZooKeeper } from "./setup/zookeeper.ts"

describe("the recorder and its checker, on a real ZooKeeper server", () => {
  let zookeeper: ZooKeeper
  let workload: Workload
  let history: History
  let tree: Map<string, Znode>

  beforeAll(async () => {
    zookeeper = await ZooKeeper.start(1)
    workload = await Workload.start({ ports: zookeeper.ports, root: "/t", sessions: 3, timeoutMs: 20_000, window: 3 })
    await workload.progress(30)
    for (const session of workload.sessions) session.cut()
    await workload.progress(30)
    history = await workload.stop()
    tree = await dump(zookeeper.ports[0]!, "/t")
  })

  afterAll(async () => {
    await workload?.close()
    await zookeeper?.stop()
  })

  it("finds nothing wrong with what ZooKeeper did", () => {
    assert.deepStrictEqual(check(history, tree), [])
    assert.isTrue(history.sessions.every((one) => one.connections === 2))
  })

  it("sees every difference between two trees", () => {
    assert.strictEqual(digestOf(tree), digestOf(new Map([...tree].reverse())))
    for (const change of [{ mzxid: 1 }, { version: 77 }, { pzxid: 5 }, { numChildren: 3 }]) {
      assert.notStrictEqual(digestOf(tree), digestOf(changed("/t/reg-0", change)))
    }
  })

  it.each<[string, RegExp, () => string[]]>([
    ["a lost register", /register 1 is 0/, () => check(history, changed("/t/reg-1", {}, "0"))],
    ["a write applied twice", /register 2 has version/, () => check(history, changed("/t/reg-2", { version: 99_999 }))],
    ["a lost znode", /acknowledged and is missing/, () => check(history, without(sequential().path))],
    ["a znode made twice", /created twice/, () => check(history, twice(sequential().path))],
    ["a lost increment", /the counter is 1:/, () => check(history, changed("/t/counter", {}, "1"))],
    ["a torn multi", /pair 0 is torn/, () => check(history, changed("/t/left-0", {}, "x"))],
    ["an ephemeral that went too early", /which lives, has gone/, () => check(history, without("/t/live-1"))],
    ["an ephemeral that stays", /outlives its session/, () => check({ ...history, dead: [dead("/t/live-1")] }, tree)],
    ["an item that is lost", /was offered, and is lost/, () => check({ ...history, queue: lost() }, tree)],
    ["an item taken by two", /was taken by session/, () => check({ ...history, queue: takenTwice() }, tree)],
    ["an item that comes back", /was taken and is still there/, () => check(history, put(taken().path, taken().value))],
    ["an item from nowhere", /which nobody offered/, () => check({ ...history, queue: unoffered() }, tree)],
    ["a lost write under the lock", /the lock was had/, () => check(history, changed("/t/lock-guarded", {}, "0"))],
    ["a lock that nobody lets go", /let go, and is still/, () => check(history, put("/t/lock/0-0-0000000000", ""))],
    ["an order that time forbids", /had been acknowledged/, () => check({ ...history, writes: reordered() }, tree)]
  ])("notices %s", (_, message, run) => {
    assert.match(run().join("\n"), message)
  })

  const dead = (path: string) => ({ path, diedAt: 0, timeoutMs: 1000 })

  const taken = () => history.queue.taken.find((one) => one.isSure)!
  const put = (path: string, data: string) => new Map(tree).set(path, { data, stat: tree.get("/t")!.stat })
  const lost = () => ({ ...history.queue, taken: history.queue.taken.filter((one) => one !== taken()) })
  const takenTwice = () => ({ ...history.queue, taken: [...history.queue.taken, { ...taken(), session: 99 }] })
  const unoffered = () => ({ ...history.queue, offered: history.queue.offered.slice(1) })

  const sequential = (): Write => history.writes.find((one) => one.kind === "sequential" && one.ackedAt !== undefined)!

  function changed(path: string, stat: Partial<Znode["stat"]>, data?: string): Map<string, Znode> {
    const old = tree.get(path)!
    return new Map(tree).set(path, { data: data ?? old.data, stat: { ...old.stat, ...stat } })
  }

  function without(path: string): Map<string, Znode> {
    const copy = new Map(tree)
    copy.delete(path)
    return copy
  }

  const twice = (path: string) => new Map(tree).set("/t/seq/s-9999999999", tree.get(path)!)

  /** The last write of all claims a zxid from the beginning. */
  function reordered(): Array<Write> {
    const last = history.writes
      .filter((one) => one.ackedAt !== undefined)
      .reduce((a, b) => (b.sentAt > a.sentAt ? b : a))
    return history.writes.map((one) => (one === last ? { ...one, zxid: 1 } : one))
  }
})
