import type { Client } from "../client.ts"
import type { Scenario } from "../play.ts"
import {
  acl,
  createBody,
  Mode,
  OPEN,
  Op,
  Perm,
  part,
  pathAndNumber,
  setDataBody,
  WatcherType,
  WatchMode
} from "../requests.ts"

/** Every way to watch a path. */
const KINDS: ReadonlyArray<readonly [string, (client: Client, path: string) => Promise<unknown>]> = [
  ["data", (client, path) => client.get(path, true)],
  ["exists", (client, path) => client.exists(path, true)],
  ["child", (client, path) => client.children(path, true)],
  ["child2", (client, path) => client.children2(path, true)],
  ["persistent", (client, path) => client.watches(Op.addWatch, path, WatchMode.persistent)],
  ["recursive", (client, path) => client.watches(Op.addWatch, path, WatchMode.recursive)]
]

/** Every change that may concern the watcher of `path`. */
const changes = async (a: Client, path: string): Promise<void> => {
  await a.create(path, { data: "new" })
  await a.set(path, "changed")
  await a.setAcl(path, OPEN)
  await a.create(`${path}/child`)
  await a.set(`${path}/child`, "changed")
  await a.create(`${path}/child/grandchild`)
  await a.set(`${path}/child/grandchild`, "changed")
  await a.delete(`${path}/child/grandchild`)
  await a.delete(`${path}/child`)
  await a.delete(path)
}

export const watches: ReadonlyArray<Scenario> = [
  {
    name: "watch-kinds",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const [name, watch] of KINDS) {
        const watcher = await stage.client(name)
        // Renewed before every change, so that a one-shot watch sees each of them.
        const path = `${root}/${name}`
        const again = () => watch(watcher, path)
        await again()
        await a.create(path, { data: "new" })
        await again()
        await a.set(path, "changed")
        await again()
        await a.setAcl(path, OPEN)
        await a.create(`${path}/child`)
        await again()
        await a.set(`${path}/child`, "changed")
        await a.create(`${path}/child/grandchild`)
        await a.delete(`${path}/child/grandchild`)
        await again()
        await a.delete(`${path}/child`)
        await again()
        await a.delete(path)
        await again()
        await a.create(path, { mode: Mode.ephemeral })
      }
    }
  },
  {
    name: "watch-once",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const [name, watch] of KINDS) {
        const watcher = await stage.client(name)
        await watch(watcher, `${root}/there`)
        await watch(watcher, `${root}/there`)
      }
      await changes(a, `${root}/there`)
      await changes(a, `${root}/there`)
    }
  },
  {
    name: "watch-all-at-once",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      await a.create(`${root}/n`)
      await a.create(`${root}/n/m`)
      for (const [, watch] of KINDS) for (const path of [root, `${root}/n`, `${root}/n/m`]) await watch(b, path)
      await a.set(`${root}/n/m`, "x")
      await a.create(`${root}/n/m/o`)
      await a.delete(`${root}/n/m/o`)
      await a.delete(`${root}/n/m`)
      await a.delete(`${root}/n`)
      await a.create(`${root}/n`)
      await b.watches(Op.addWatch, "/", WatchMode.recursive)
      await b.watches(Op.addWatch, "/", WatchMode.persistent)
      await b.children("/", true)
      await a.create(`${root}/n/m`)
      await a.create(`${root}-beside`)
      await a.delete(`${root}-beside`)
      await a.set("/", "x")
      await a.set("/", "")
    }
  },
  {
    name: "watch-own",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.get(root, true)
      await a.set(root, "event before reply")
      await a.exists(`${root}/x`, true)
      await a.children(root, true)
      await a.create(`${root}/x`)
      await a.get(`${root}/x`, true)
      await a.children(`${root}/x`, true)
      await a.children(root, true)
      await a.delete(`${root}/x`)
      await a.watches(Op.addWatch, root, WatchMode.recursive)
      await a.multi("of several changes", [
        part(Op.create, createBody(`${root}/y`, "", OPEN, 0)),
        part(Op.setData, setDataBody(`${root}/y`, "y", -1)),
        part(Op.create, createBody(`${root}/y/z`, "", OPEN, 0)),
        part(Op.delete, pathAndNumber(`${root}/y/z`, -1)),
        part(Op.delete, pathAndNumber(`${root}/y`, -1))
      ])
      await a.multi("that fails", [
        part(Op.create, createBody(`${root}/y`, "", OPEN, 0)),
        part(Op.delete, pathAndNumber(`${root}/missing`, -1))
      ])
      await a.pipeline("events among replies", [
        part(Op.getData, (w) => w.text(root).bool(true)),
        part(Op.setData, setDataBody(root, "1", -1)),
        part(Op.getData, (w) => w.text(root).bool(true)),
        part(Op.create, createBody(`${root}/p`, "", OPEN, 1)),
        part(Op.exists, (w) => w.text(`${root}/p`).bool(true)),
        part(Op.delete, pathAndNumber(`${root}/p`, -1)),
        part(Op.exists, (w) => w.text(`${root}/p`).bool(true)),
        part(Op.create, createBody(`${root}/p`, "", OPEN, 1))
      ])
    }
  },
  {
    name: "watch-failures",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.auth("digest", "alice:secret")
      await a.create(root)
      await a.create(`${root}/closed`, { acl: [acl(Perm.all, "auth", "")] })
      for (const [, watch] of KINDS) {
        await watch(b, `${root}/missing`)
        await watch(b, `${root}/closed`)
        await watch(b, "bad path")
        await watch(b, "")
      }
      for (const type of [1, 2, 3, 4, 5]) {
        await b.watches(Op.checkWatches, `${root}/missing`, type)
        await b.watches(Op.checkWatches, `${root}/closed`, type)
        await b.watches(Op.checkWatches, "bad path", type)
      }
      for (const mode of [-1, 2, 3, 100]) await b.watches(Op.addWatch, root, mode)
      await b.watches(Op.addWatch, null, 0)
      await b.watches(Op.checkWatches, null, 3)
      await b.watches(Op.removeWatches, null, 3)
      await b.exists("/nul\u0000", true)
      await b.read(Op.exists, null, true)
      await a.delete(`${root}/closed`)
      await a.create(`${root}/missing`)
    }
  },
  {
    name: "watch-removal",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      for (const remove of Object.values(WatcherType)) {
        const path = `${root}/${remove}`
        await a.create(path)
        for (const [, watch] of KINDS) await watch(b, path)
        await b.watches(Op.removeWatches, path, remove)
        for (const check of Object.values(WatcherType)) await b.watches(Op.checkWatches, path, check)
        await b.watches(Op.removeWatches, path, remove)
        await a.set(path, "x")
        await a.create(`${path}/child`)
        for (const check of Object.values(WatcherType)) await b.watches(Op.checkWatches, path, check)
      }
      for (const [name, watch] of KINDS) {
        const path = `${root}/${name}`
        await a.create(path)
        await watch(b, path)
        for (const check of Object.values(WatcherType)) await b.watches(Op.checkWatches, path, check)
        await a.watches(Op.checkWatches, path, WatcherType.any)
        await a.watches(Op.removeWatches, path, WatcherType.any)
        for (const remove of Object.values(WatcherType)) await b.watches(Op.removeWatches, path, remove)
      }
      for (const type of [-1, 0, 6, 100]) {
        await b.watches(Op.checkWatches, root, type)
        await b.watches(Op.removeWatches, root, type)
      }
      await b.watches(Op.removeWatches, `${root}/missing`, 3)
      await b.watches(Op.removeWatches, "bad path", 3)
    }
  },
  {
    name: "set-watches",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const name of ["same", "changed", "parent", "parent-same", "gone", "anew"]) await a.create(`${root}/${name}`)
      const since = (await a.get(root))!.zxid
      await a.set(`${root}/changed`, "x")
      await a.create(`${root}/parent/child`)
      await a.delete(`${root}/gone`)
      await a.delete(`${root}/anew`)
      await a.create(`${root}/anew`)
      await a.setAcl(`${root}/same`, OPEN)
      const all = ["same", "changed", "parent", "parent-same", "gone", "anew", "never"].map((name) => `${root}/${name}`)
      const b = await stage.client("b")
      await b.setWatches("everything, since then", since, { data: all, exist: all, child: all })
      for (const path of all) for (const type of [1, 2, 4, 5]) await b.watches(Op.checkWatches, path, type)
      const c = await stage.client("c")
      await c.setWatches("everything, since the beginning", 0, { data: all, exist: all, child: all })
      const now = (await a.get(root))!.zxid
      const d = await stage.client("d")
      await d.setWatches("everything, since now", now, { data: all, exist: all, child: all })
      await d.setWatches("nothing", now, {})
      await d.setWatches("with a zxid of the future", 2 ** 40, { data: all })
      await d.setWatches("of odd paths", 0, {
        data: ["bad", "", "/bad//path"],
        exist: ["bad", ""],
        child: ["bad", "/"]
      })
      const e = await stage.client("e")
      await e.setWatches2("everything, since then", since, {
        data: all,
        exist: all,
        child: all,
        persistent: all,
        recursive: all
      })
      for (const path of all) for (const type of [1, 2, 4, 5]) await e.watches(Op.checkWatches, path, type)
      await a.set(`${root}/same`, "x")
      await a.create(`${root}/parent-same/child`)
      await a.create(`${root}/never`)
      await a.delete(`${root}/never`)
      await a.create(`${root}/gone`)
      await e.ask("setWatches that is cut off", Op.setWatches, (w) => w.long(0n).texts([root]), -8)
      await e.ask(
        "setWatches2 without the last lists",
        Op.setWatches2,
        (w) => w.long(0n).texts([root]).texts([]).texts([]),
        -8
      )
      await e.ask("setWatches by another xid", Op.setWatches, (w) => w.long(0n).texts([root]).texts([]).texts([]))
    }
  }
]
