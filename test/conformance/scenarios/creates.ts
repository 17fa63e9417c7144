import type { Scenario } from "../play.ts"
import { Mode, OPEN, Op } from "../requests.ts"

const CREATES = [Op.create, Op.create2, Op.createContainer]

/** Names that no znode may have, and some that look so and are fine. */
const PATHS = [
  "",
  "/",
  "relative",
  "a/b",
  "/trailing/",
  "//",
  "//double",
  "/inner//double",
  "/.",
  "/..",
  "/./a",
  "/a/.",
  "/a/../b",
  "/nul\u0000",
  "/nul\u0000/a",
  "/control\u0001",
  "/control\u001f",
  "/delete\u007f",
  "/control\u009f",
  "/private\ue000",
  "/private\uf8ff",
  "/surrogates\u{1f600}",
  "/special\ufff0",
  "/replacement\ufffd",
  "/last\uffff"
]
const ODD_BUT_LEGAL = [
  "/...",
  "/.hidden",
  "/a.b",
  "/ space",
  "/\u00a0",
  "/\u00e9",
  "/\u4e2d\u6587",
  "/\ud7ff",
  "/\uf900",
  "/\uffef"
]

export const creates: ReadonlyArray<Scenario> = [
  {
    name: "create",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      for (const op of CREATES) {
        const path = `${root}${op}`
        const mode = op === Op.createContainer ? Mode.container : Mode.persistent
        await a.create(path, { op, mode, data: "value" })
        await a.create(path, { op, mode })
        await a.create(`${path}/child`, { op, mode, data: null })
        await a.get(`${path}/child`)
        await a.create(`${path}/missing/child`, { op, mode })
        await a.create(`${path}/bad-acl`, { op, mode, acl: [] })
        await a.create(`${path}/null-acl`, { op, mode, acl: null })
        await a.create(null, { op, mode })
        for (const wrong of [-1, 7, 100, Mode.ttl, Mode.sequentialTtl]) {
          await a.create(`${path}/wrong-mode`, { op, mode: wrong })
        }
        await a.exists(path)
      }
      await a.exists("/")
    }
  },
  {
    name: "create-modes",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const op of CREATES) {
        for (const mode of [0, 1, 2, 3, 4]) {
          const created = await a.create(`${root}/op${op}-mode${mode}-`, { op, mode })
          await a.exists(`${created?.body["path"] ?? root}`)
        }
      }
      await a.children2(root)
      await a.about(Op.getEphemerals, "/")
    }
  },
  {
    name: "create-paths",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const path of PATHS) {
        await a.create(path)
        if (path.startsWith("/")) await a.create(`${root}${path}`)
      }
      for (const path of ["/", "/sequence/", "/sequence//", "relative", "", "/.", "/a/..", "/\u0001"]) {
        await a.create(path === "/" ? `${root}/` : path, { mode: Mode.sequential })
      }
      for (const path of ODD_BUT_LEGAL) await a.create(`${root}${path}`)
      await a.children2(root)
      for (const path of ODD_BUT_LEGAL) await a.get(`${root}${path}`)
    }
  },
  {
    name: "create-ttl",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const op = Op.createTTL
      await a.create(root, { op, mode: Mode.ttl, ttlMs: 3_600_000n, data: "value" })
      await a.exists(root)
      await a.create(root, { op, mode: Mode.ttl, ttlMs: 3_600_000n })
      await a.create(`${root}/s-`, { op, mode: Mode.sequentialTtl, ttlMs: 3_600_000n })
      await a.create(`${root}/s-`, { op, mode: Mode.sequentialTtl, ttlMs: 3_600_000n })
      for (const ttlMs of [0n, -1n, -5n, 0xff_ffff_ffffn, 0x100_0000_0000n, 2n ** 62n]) {
        await a.create(`${root}/ttl${ttlMs}`, { op, mode: Mode.ttl, ttlMs })
      }
      for (const mode of [0, 1, 2, 3, 4, -1, 7]) {
        await a.create(`${root}/mode${mode}`, { op, mode, ttlMs: 1000n })
      }
      await a.create(`${root}/missing/child`, { op, mode: Mode.ttl, ttlMs: 1000n })
      await a.create(`${root}/bad//path`, { op, mode: Mode.ttl, ttlMs: 1000n })
      await a.create(`${root}/no-acl`, { op, mode: Mode.ttl, ttlMs: 1000n, acl: [] })
      await a.create(`${root}/below`, { op, mode: Mode.ttl, ttlMs: 3_600_000n })
      await a.create(`${root}/below/child`)
      await a.create(`${root}/below/ephemeral`, { mode: Mode.ephemeral })
      await a.exists(`${root}/below`)
      await a.delete(`${root}/below`)
    }
  },
  {
    name: "create-ephemeral",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      for (const op of [Op.create, Op.create2]) {
        await a.create(`${root}/e${op}`, { op, mode: Mode.ephemeral, data: "mine" })
        for (const mode of [0, 1, 2, 3]) await a.create(`${root}/e${op}/child`, { op, mode })
        await b.exists(`${root}/e${op}`)
        await b.set(`${root}/e${op}`, "yours")
        await b.create(`${root}/e${op}`, { op, mode: Mode.ephemeral })
      }
      await a.about(Op.getEphemerals, null)
      await a.about(Op.getEphemerals, "")
      await a.about(Op.getEphemerals, "/")
      await a.about(Op.getEphemerals, " ")
      await a.about(Op.getEphemerals, `${root}/e1`)
      await a.about(Op.getEphemerals, `${root}/e`)
      await a.about(Op.getEphemerals, "/elsewhere")
      await a.about(Op.getEphemerals, "no path")
      await b.about(Op.getEphemerals, "/")
      await b.delete(`${root}/e1`)
      await b.create(`${root}/e1`, { mode: Mode.ephemeral })
      await a.about(Op.getEphemerals, "/")
      await b.about(Op.getEphemerals, "/")
      await b.exists(root, true)
      await b.children(root, true)
      await b.exists(`${root}/e15`, true)
      await a.closeSession()
      await b.children2(root)
      await b.exists(`${root}/e15`)
    }
  },
  {
    name: "sequences",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      const next = (mode: number = Mode.sequential) => a.create(`${root}/n-`, { mode })
      await next()
      await next(Mode.ephemeralSequential)
      await a.create(`${root}/plain`)
      await next()
      await a.delete(`${root}/plain`)
      await next()
      await a.create(`${root}/n-`)
      await a.create(`${root}/n-`)
      await next()
      await a.create(`${root}/missing/n-`, { mode: Mode.sequential })
      await a.create(`${root}/n-`, { mode: Mode.sequential, acl: [] })
      await next()
      await a.create(`${root}/`, { mode: Mode.sequential })
      await a.create(`${root}/n-0000000012`)
      await a.create(`${root}/n-`, { mode: Mode.sequential })
      await next()
      await a.exists(root)
      await a.children2(root)
      await a.create(`${root}/deep`)
      await a.create(`${root}/deep/n-`, { mode: Mode.sequential })
      await a.delete(`${root}/deep/n-0000000000`)
      await a.delete(`${root}/deep`)
      await a.create(`${root}/deep`, { acl: OPEN })
      await a.create(`${root}/deep/n-`, { mode: Mode.sequential })
      await a.pipeline(
        "ten at once",
        Array.from({ length: 10 }, (_, i) => ({
          op: Op.create,
          body: (w) =>
            w
              .text(`${root}/deep/p-`)
              .text("")
              .openAcl()
              .int(i % 2 === 0 ? 2 : 3)
        }))
      )
      await a.children2(`${root}/deep`)
    }
  }
]
