import { assert, describe, it } from "@effect/vitest"
import { AddWatchMode, WatchEventType, WatcherType } from "@zkmesh/client"
import { type Bench, codeName, seen, watching } from "./bench.ts"

/** Who is told of what, and when. */
export const watches = (bench: () => Bench): void => {
  describe("watches", () => {
    it("fire once, before a newer state can be read", async () => {
      const t = bench()
      const path = await t.place()
      const reader = await t.connect()
      const order: Array<string> = []
      await reader.getData(path, () => order.push("event"))
      await t.base.setData(path, "new")
      await reader.sync(path)
      await reader.getData(path).then(() => order.push("read"))
      await t.base.setData(path, "newer")
      await reader.sync(path)
      assert.deepStrictEqual(order, ["event", "read"])
    })

    it("exists, data and child watches each see their own", async () => {
      const t = bench()
      const path = await t.place()
      const { watcher, next, unseen } = watching()
      assert.isUndefined(await t.base.exists(`${path}/a`, watcher))
      await t.base.create(`${path}/a`)
      assert.strictEqual(seen(await next()), `${WatchEventType.NodeCreated} ${path}/a`)
      await t.base.getChildren(path, watcher)
      await t.base.create(`${path}/b`)
      const changed = await next()
      assert.strictEqual(seen(changed), `${WatchEventType.NodeChildrenChanged} ${path}`)
      await t.base.getData(`${path}/a`, watcher)
      await t.base.getChildren(`${path}/a`, watcher)
      await t.base.exists(`${path}/a`, watcher)
      await t.base.delete(`${path}/a`)
      assert.strictEqual(seen(await next()), `${WatchEventType.NodeDeleted} ${path}/a`)
      await t.base.sync(path)
      assert.deepStrictEqual(unseen, [])
    })

    it("a read that fails sets none", async () => {
      const t = bench()
      const path = await t.place()
      const { watcher, unseen } = watching()
      assert.strictEqual(await codeName(t.base.getData(`${path}/a`, watcher)), "NONODE")
      await t.base.create(`${path}/a`)
      await t.base.sync(path)
      assert.deepStrictEqual(unseen, [])
    })

    it("persistent and recursive ones stay until removed", async () => {
      const t = bench()
      const path = await t.place()
      const [single, deep] = [await t.connect(), await t.connect()]
      const one = watching()
      const all = watching()
      await single.addWatch(path, one.watcher, AddWatchMode.PERSISTENT)
      await deep.addWatch(path, all.watcher, AddWatchMode.PERSISTENT_RECURSIVE)
      await t.base.create(`${path}/a`)
      await t.base.create(`${path}/a/b`)
      await t.base.setData(path, "x")
      await t.base.delete(`${path}/a/b`)
      assert.deepStrictEqual([seen(await one.next()), seen(await one.next())], [`4 ${path}`, `3 ${path}`])
      const recursive = [await all.next(), await all.next(), await all.next(), await all.next()]
      assert.deepStrictEqual(recursive.map(seen), [`1 ${path}/a`, `1 ${path}/a/b`, `3 ${path}`, `2 ${path}/a/b`])
      await deep.removeWatches(path)
      assert.strictEqual((await all.next()).type, WatchEventType.PersistentWatchRemoved)
      assert.strictEqual(await codeName(deep.removeWatches(path)), "NOWATCHER")
      await t.base.setData(path, "y")
      await deep.sync(path)
      assert.deepStrictEqual([all.unseen.length, seen(await one.next())], [0, `3 ${path}`])
    })

    it("of several modes on a path go one by one", async ({ skip }) => {
      const t = bench()
      skip(!t.ensemble.watchModes, "a server before 3.9 keeps one mode for a path")
      const path = await t.place()
      const [one, all] = [watching(), watching()]
      await t.base.addWatch(path, one.watcher, AddWatchMode.PERSISTENT)
      await t.base.addWatch(path, all.watcher, AddWatchMode.PERSISTENT_RECURSIVE)
      await t.base.setData(path, "x")
      assert.deepStrictEqual([seen(await one.next()), seen(await all.next())], [`3 ${path}`, `3 ${path}`])
      await t.base.removeWatches(path, WatcherType.PersistentRecursive)
      assert.strictEqual((await all.next()).type, WatchEventType.PersistentWatchRemoved)
      assert.strictEqual(await codeName(t.base.removeWatches(path, WatcherType.PersistentRecursive)), "NOWATCHER")
      await t.base.setData(path, "y")
      await t.base.sync(path)
      assert.deepStrictEqual([all.unseen.length, seen(await one.next())], [0, `3 ${path}`])
      await t.base.removeWatches(path, WatcherType.Persistent)
    })

    it("are told when the session ends", async () => {
      const t = bench()
      const path = await t.place()
      const client = await t.connect()
      const { watcher, next } = watching()
      await client.exists(`${path}/never`, watcher)
      await client.close()
      assert.strictEqual((await next()).type, WatchEventType.None)
    })
  })
}
