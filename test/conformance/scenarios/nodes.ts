import type { Scenario } from "../play.ts"
import { createBody, Mode, OPEN, Op, type Part, part, pathAndNumber, WatchMode } from "../requests.ts"

const remove = (path: string): Part => part(Op.delete, pathAndNumber(path, -1))

const BAD_PATHS = [
  null,
  "",
  "/",
  "relative",
  "/bad//path",
  "/bad/",
  "/./bad",
  "/nul\u0000",
  "/control\u0001",
  "no/slash"
]

export const nodes: ReadonlyArray<Scenario> = [
  {
    name: "reads",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root, { data: "value" })
      await a.create(`${root}/child`, { data: Buffer.of(0, 255, 128) })
      await a.create(`${root}/null`, { data: null })
      for (const op of [Op.exists, Op.getData, Op.getChildren, Op.getChildren2]) {
        for (const path of [root, `${root}/child`, `${root}/null`, `${root}/missing`, "/", ...BAD_PATHS]) {
          await a.read(op, path, false)
        }
      }
      for (const op of [Op.getACL, Op.getAllChildrenNumber, Op.sync]) {
        for (const path of [root, `${root}/child`, `${root}/missing`, ...BAD_PATHS]) await a.about(op, path)
      }
      await a.create(`${root}/child/grandchild`)
      await a.about(Op.getAllChildrenNumber, root)
      await a.about(Op.getAllChildrenNumber, "/")
      await a.about(Op.getAllChildrenNumber, "/zookeeper")
    }
  },
  {
    name: "set-data",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root, { data: "0" })
      await a.set(root, "1")
      await a.set(root, "2", 1)
      await a.set(root, "3", 1)
      await a.set(root, "4", 3)
      await a.set(root, "5", -2)
      await a.set(root, null, 2)
      await a.get(root)
      await a.set(root, "", -1)
      await a.get(root)
      await a.set(`${root}/missing`, "x")
      await a.set(`${root}/missing`, "x", 7)
      for (const path of BAD_PATHS) await a.set(path, "x")
      await a.set("/", "root", -1)
      await a.get("/")
      await a.set("/", "", 1)
      await a.get("/")
    }
  },
  {
    name: "delete",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.create(`${root}/a`)
      await a.create(`${root}/a/b`)
      await a.delete(`${root}/a`)
      await a.delete(`${root}/a`, 5)
      await a.delete(`${root}/a/b`, 1)
      await a.delete(`${root}/a/b`, -2)
      await a.delete(`${root}/a/b`, 0)
      await a.exists(`${root}/a`)
      await a.delete(`${root}/a/b`)
      await a.delete(`${root}/x/y`)
      for (const path of BAD_PATHS) await a.delete(path)
      await a.set(`${root}/a`, "again")
      await a.delete(`${root}/a`, 0)
      await a.delete(`${root}/a`, 1)
      await a.exists(root)
      await a.create(`${root}/a`, { data: "anew" })
      await a.get(`${root}/a`)
      await a.exists(root)
    }
  },
  {
    name: "containers",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      await a.create(`${root}/c`, { op: Op.createContainer, mode: Mode.container, data: "box" })
      await a.create(`${root}/unused`, { op: Op.createContainer, mode: Mode.container })
      await a.create(`${root}/full`, { op: Op.createTTL, mode: Mode.ttl, ttlMs: 300n })
      await a.create(`${root}/full/child`)
      await a.create(`${root}/c/child`)
      await a.exists(`${root}/c`)
      await b.watches(Op.addWatch, root, WatchMode.recursive)
      const ttl = part(Op.createTTL, createBody(`${root}/t`, "", OPEN, Mode.ttl, 300n))
      await a.askUntil("a ttl node, until it goes", ttl, b, 2)
      await b.children2(root)
      await b.exists(`${root}/c`, true)
      await b.children(`${root}/c`, true)
      await a.askUntil("the container's last child goes, and so does it", remove(`${root}/c/child`), b, 3)
      await b.children2(root)
      await a.askUntil("so does a ttl node with its last child", remove(`${root}/full/child`), b, 2)
      await b.children2(root)
    }
  },
  {
    name: "pipeline",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.pipeline("reads see the writes before them", [
        { op: Op.create, body: (w) => w.text(`${root}/p`).text("one").openAcl().int(0) },
        { op: Op.getData, body: (w) => w.text(`${root}/p`).bool(true) },
        { op: Op.setData, body: (w) => w.text(`${root}/p`).text("two").int(0) },
        { op: Op.getData, body: (w) => w.text(`${root}/p`).bool(false) },
        { op: Op.setData, body: (w) => w.text(`${root}/p`).text("three").int(0) },
        { op: Op.sync, body: (w) => w.text(`${root}/p`) },
        { op: Op.delete, body: (w) => w.text(`${root}/p`).int(1) },
        { op: Op.exists, body: (w) => w.text(`${root}/p`).bool(true) },
        { op: Op.create, body: (w) => w.text(`${root}/p`).text("four").openAcl().int(0) },
        { op: Op.getChildren2, body: (w) => w.text(root).bool(false) }
      ])
    }
  }
]
