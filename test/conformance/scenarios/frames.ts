import type { Scenario, Skipped } from "../play.ts"
import { frame, Mode, nothing, Op, opName, pathAndNumber, rawFrame } from "../requests.ts"

const UNKNOWN = [0, 10, 23, 99, 108, 127, 128, 1000, 2 ** 31 - 1, -1, -2, -3, -12, -100, -(2 ** 31)]

export const UNDECODABLE: Skipped = {
  release: "3.9",
  reason: "it gives the error of a write that it cannot decode a zxid that is taken, and its quorum ends with that"
}

export const frames: ReadonlyArray<Scenario> = [
  {
    name: "unknown-operations",
    play: async (stage) => {
      for (const op of UNKNOWN) {
        const client = await stage.client(`op${op}`)
        await client.askLast(`operation ${op}`, op, (w) => w.text("/").bool(false))
      }
    }
  },
  {
    name: "bad-frames",
    play: async (stage) => {
      const bad: ReadonlyArray<readonly [string, Buffer]> = [
        ["an empty frame", rawFrame(Buffer.alloc(0))],
        ["half a header", rawFrame(Buffer.of(0, 0, 0, 1))],
        ["seven bytes", rawFrame(Buffer.alloc(7))],
        ["a negative length", Buffer.of(0xff, 0xff, 0xff, 0xff)],
        ["the least length", Buffer.of(0x80, 0, 0, 0)],
        ["a length beyond the limit", Buffer.of(0x00, 0x10, 0x00, 0x00)],
        ["the greatest length", Buffer.of(0x7f, 0xff, 0xff, 0xff)],
        ["a word for somebody else", Buffer.from("ruok")]
      ]
      for (const [what, bytes] of bad) {
        const client = await stage.client(what.replaceAll(" ", "-"))
        await client.exists("/")
        await client.rawLast(what, bytes)
      }
    }
  },
  {
    name: "large",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      const room = 0xf_ffff - frame(1, Op.setData, (w) => w.text(root).buffer(Buffer.alloc(0)).int(-1)).length + 4
      await a.set(root, Buffer.alloc(room, "x"))
      await a.get(root)
      const b = await stage.client("b")
      await b.rawLast(
        "setData of a byte too many",
        frame(1, Op.setData, (w) =>
          w
            .text(root)
            .buffer(Buffer.alloc(room + 1))
            .int(-1)
        )
      )
      await a.exists(root)
      await a.multi(
        "of large parts",
        Array.from({ length: 10 }, (_, i) => ({
          op: Op.create,
          body: (w) => w.text(`${root}/${i}`).buffer(Buffer.alloc(100_000, "z")).openAcl().int(0)
        }))
      )
      await a.children2(root)
      const name = "n".repeat(5000)
      for (let i = 0; i < 5; i++) {
        await a.multi(
          `a hundred long names, ${i}`,
          Array.from({ length: 100 }, (_, j) => ({
            op: Op.create,
            body: (w) => w.text(`${root}/${name}${i}-${j}`).text("").openAcl().int(0)
          }))
        )
      }
      await a.children(root)
      await a.children2(root)
      for (let i = 5; i < 8; i++) {
        await a.multi(
          `a hundred and fifty long names, ${i}`,
          Array.from({ length: 150 }, (_, j) => ({
            op: Op.create,
            body: (w) => w.text(`${root}/${name}${i}-${j}`).text("").openAcl().int(0)
          }))
        )
      }
      await a.children(root)
      await a.about(Op.getAllChildrenNumber, root)
      await a.create(`${root}/${"p".repeat(300_000)}`)
      await a.exists(`${root}/${"p".repeat(300_000)}`)
    }
  }
]

/** They are not played to everybody, so nothing may come after them. */
export const strangeFrames: ReadonlyArray<Scenario> = [
  {
    name: "check-alone",
    skippedBy: { release: "3.8", reason: "it neither answers a lone check nor hangs up" },
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.askLast("check", Op.check, pathAndNumber(root, 0))
      const b = await stage.client("b")
      await b.get(root)
    }
  },
  {
    name: "create-session",
    play: async (stage) => {
      const a = await stage.client("a")
      await a.ask("createSession", -10, (w) => w.int(5000))
    }
  },
  {
    name: "bodies",
    skippedBy: UNDECODABLE,
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      const ops = Object.values(Op).filter(
        (op) => op !== Op.close && op !== Op.reconfig && op !== Op.auth && op !== Op.sasl && op !== Op.check
      )
      for (const op of ops) {
        const name = opName(op)
        if (op !== Op.ping) await a.ask(`${name} without a body`, op, nothing)
        if (op === Op.ping || op === Op.whoAmI) continue
        await a.ask(`${name} of half a length`, op, (w) => w.bool(false))
        await a.ask(`${name} of a path that is longer than the frame`, op, (w) => w.int(100).bool(true))
        await a.ask(`${name} of a path of a negative length`, op, (w) => w.int(-2).int(0).int(0))
        await a.ask(`${name} of a path of an unreasonable length`, op, (w) =>
          w
            .int(2 ** 31 - 1)
            .int(0)
            .int(0)
        )
      }
      await a.create(`${root}/no-ttl`, { op: Op.createTTL, mode: Mode.ttl })
      await a.ask("create with too many in its list", Op.create, (w) => w.text(`${root}/x`).text("").int(1000).int(31))
      await a.ask("create with a list of negative length", Op.create, (w) =>
        w.text(`${root}/x`).text("").int(-7).int(0)
      )
      await a.ask("exists with more behind", Op.exists, (w) => w.text(root).bool(true).text("more"))
      await a.ask("exists with an odd flag", Op.exists, (w) => w.text(root).int(0x7f000000))
      await a.ask("getData without the flag", Op.getData, (w) => w.text(root))
      await a.ask("malformed text", Op.exists, (w) => w.buffer(Buffer.of(0x2f, 0xff, 0xfe)).bool(false))
      await a.ask("malformed text, to be made", Op.create, (w) =>
        w.buffer(Buffer.of(0x2f, 0xff)).text("").openAcl().int(0)
      )
      await a.ask("text that is cut off within a character", Op.create, (w) =>
        w
          .buffer(Buffer.from(`${root}/\u00e9`).subarray(0, -1))
          .text("")
          .openAcl()
          .int(0)
      )
      await a.set(root, "still here")
    }
  }
]
