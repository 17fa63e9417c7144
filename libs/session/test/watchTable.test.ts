import type { WatchMode } from "@zkmesh/messages"
import { EventType, parentOf, WatcherType } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { WatchTable } from "../src/index.ts"

/** The rules of ZooKeeper's watch manager, written down as plainly as possible: what the table must agree with. */
class Model {
  readonly data = new Map<string, Set<string>>()
  readonly child = new Map<string, Set<string>>()

  private static add(table: Map<string, Set<string>>, path: string, entry: string): void {
    table.set(path, (table.get(path) ?? new Set()).add(entry))
  }
  register(watcher: number, path: string, mode: WatchMode): void {
    if (mode !== "child") Model.add(this.data, path, `${watcher} ${mode === "data" ? "standard" : mode}`)
    if (mode === "child" || mode === "persistent") {
      Model.add(this.child, path, `${watcher} ${mode === "child" ? "standard" : mode}`)
    }
  }
  private static drop(table: Map<string, Set<string>>, path: string, entry: string): boolean {
    const entries = table.get(path)
    const found = entries?.delete(entry) ?? false
    if (entries?.size === 0) table.delete(path)
    return found
  }
  remove(watcher: number, path: string, type: WatcherType): boolean {
    const { data, child } = this
    const wanted = {
      [WatcherType.Children]: [[child, "standard"]],
      [WatcherType.Data]: [[data, "standard"]],
      [WatcherType.Persistent]: [
        [data, "persistent"],
        [child, "persistent"]
      ],
      [WatcherType.PersistentRecursive]: [[data, "persistentRecursive"]],
      [WatcherType.Any]: [
        [data, "standard"],
        [data, "persistent"],
        [data, "persistentRecursive"],
        [child, "standard"],
        [child, "persistent"]
      ]
    } as const
    return wanted[type].filter(([table, mode]) => Model.drop(table, path, `${watcher} ${mode}`)).length > 0
  }
  leave(watcher: number): void {
    for (const table of [this.data, this.child]) {
      for (const [path, entries] of table) {
        for (const entry of entries) if (entry.startsWith(`${watcher} `)) Model.drop(table, path, entry)
      }
    }
  }
  private trigger(table: Map<string, Set<string>>, path: string): Set<number> {
    const told = new Set<number>()
    for (const entry of [...(table.get(path) ?? [])]) {
      told.add(Number.parseInt(entry, 10))
      if (entry.endsWith(" standard")) Model.drop(table, path, entry)
    }
    for (let at = path; at !== "/"; ) {
      at = parentOf(at)
      for (const entry of table.get(at) ?? []) {
        if (entry.endsWith("Recursive")) told.add(Number.parseInt(entry, 10))
      }
    }
    return told
  }
  collect(event: EventType, path: string): Array<number> {
    if (event === EventType.NodeChildrenChanged) return sorted(this.trigger(this.child, path))
    const told = this.trigger(this.data, path)
    if (event === EventType.NodeDeleted) for (const watcher of this.trigger(this.child, path)) told.add(watcher)
    return sorted(told)
  }
  get count(): number {
    const pairs = (table: Map<string, Set<string>>) =>
      [...table.values()].reduce((sum, entries) => sum + new Set([...entries].map((e) => e.split(" ")[0])).size, 0)
    return pairs(this.data) + pairs(this.child)
  }
}

const sorted = (watchers: Iterable<number>): Array<number> => [...watchers].sort((a, b) => a - b)

/** A small generator of the test's own: the seed is in the test's name, so a failure is repeatable. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 32
}

const PATHS = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/d", "/d/e"]
const MODES: ReadonlyArray<WatchMode> = ["data", "child", "persistent", "persistentRecursive"]

describe("the watch table", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`agrees with ZooKeeper's rules, seed ${seed}`, () => {
      const table = new WatchTable()
      const model = new Model()
      const next = random(seed)
      const pick = <T>(values: ReadonlyArray<T>): T => values[Math.floor(next() * values.length)]!
      for (let step = 0; step < 8_000; step++) {
        const watcher = Math.floor(next() * 40)
        const path = pick(PATHS)
        const action = next()
        if (action < 0.55) {
          const mode = pick(MODES)
          table.register(watcher, path, mode)
          model.register(watcher, path, mode)
        } else if (action < 0.7) {
          const type = pick(Object.values(WatcherType))
          const had = table.has(watcher, path, type)
          const removed = table.remove(watcher, path, type)
          assert.deepStrictEqual([had, removed], Array(2).fill(model.remove(watcher, path, type)))
        } else if (action < 0.75) {
          table.removeWatcher(watcher)
          model.leave(watcher)
        } else {
          const event = pick([
            EventType.NodeCreated,
            EventType.NodeDeleted,
            EventType.NodeDataChanged,
            EventType.NodeChildrenChanged
          ])
          const hits: Array<number> = []
          table.collect(event, path, hits)
          assert.deepStrictEqual(sorted(hits), model.collect(event, path))
        }
        assert.strictEqual(table.count, model.count)
      }
      table.clear()
      assert.strictEqual(table.count, 0)
    })
  }

  it("sums up the data table only", () => {
    const table = new WatchTable()
    table.register(1, "/a", "data")
    table.register(1, "/b", "persistentRecursive")
    table.register(2, "/a", "persistent")
    table.register(3, "/c", "child")
    assert.deepStrictEqual(table.summary(), { connections: 2, paths: 2, watches: 3 })
    assert.deepStrictEqual(table.dataPathsOf(1).sort(), ["/a", "/b"])
    assert.deepStrictEqual(table.dataPathsOf(3), [])
    assert.strictEqual(table.count, 5)
  })

  it("has everything back when it has been emptied: a reused number remembers nothing", () => {
    const table = new WatchTable()
    for (let i = 0; i < 1000; i++) table.register(i % 7, `/n${i}`, "data")
    for (let i = 0; i < 7; i++) table.removeWatcher(i)
    assert.strictEqual(table.count, 0)
    const hits: Array<number> = []
    for (let i = 0; i < 1000; i++) table.collect(EventType.NodeDataChanged, `/n${i}`, hits)
    assert.deepStrictEqual(hits, [])
  })
})
