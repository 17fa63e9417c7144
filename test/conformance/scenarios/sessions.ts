import type { Scenario } from "../play.ts"
import { frame, Mode, nothing, Op, rawFrame } from "../requests.ts"

export const sessions: ReadonlyArray<Scenario> = [
  {
    name: "handshake",
    play: async (stage) => {
      for (const timeoutMs of [-1, 0, 1, 1999, 2000, 2001, 5000, 20_000, 20_001, 2 ** 31 - 1]) {
        // Gone again at once: the shorter ones would not live to see the end of it.
        const client = await stage.client(`t${timeoutMs}`, { timeoutMs })
        await client.drop()
      }
      await stage.client("no-read-only", { readOnly: undefined })
      await stage.client("read-only", { readOnly: true })
      await stage.client("null-password", { password: null })
      await stage.client("short-password", { password: Buffer.of(1, 2, 3) })
      await stage.client("more-bytes", { more: Buffer.from("more") })
      const seen = await stage.client("seen", { lastZxidSeen: 1n })
      await seen.exists("/")
      const future = await stage.connect("future")
      await stage.greet(future, "a zxid of the future", { lastZxidSeen: 2n ** 50n })
      const negative = await stage.connect("negative")
      await stage.greet(negative, "a negative zxid", { lastZxidSeen: -5n })
    }
  },
  {
    name: "reattach",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const session = { sessionId: a.connection.welcome!.sessionId, password: a.connection.welcome!.password }
      await a.auth("digest", "alice:secret")
      await a.create(root)
      await a.create(`${root}/e`, { mode: Mode.ephemeral })
      await a.get(root, true)
      await a.drop()
      const b = await stage.client("b", session)
      await b.whoAmI()
      await b.exists(`${root}/e`)
      await b.about(Op.getEphemerals, "/")
      await b.watches(Op.checkWatches, root, 3)
      await b.set(root, "nobody is told")
      for (const [name, password] of Object.entries({
        wrong: Buffer.alloc(16, 7),
        zero: Buffer.alloc(16),
        short: session.password.subarray(0, 8),
        long: Buffer.concat([session.password, session.password]),
        empty: Buffer.alloc(0),
        none: null
      })) {
        const thief = await stage.connect(name)
        await stage.greet(thief, `${name} password`, { sessionId: session.sessionId, password })
      }
      for (const [name, sessionId] of Object.entries({
        unknown: 4711n,
        negative: -5n,
        other: session.sessionId + 100n
      })) {
        const stranger = await stage.connect(name)
        await stage.greet(stranger, `${name} session`, { ...session, sessionId })
      }
      const last = await stage.client("last", { ...session, timeoutMs: 3000 })
      await last.exists(`${root}/e`)
      await last.closeSession()
      const late = await stage.connect("late")
      await stage.greet(late, "a session that is over", session)
      const c = await stage.client("c")
      await c.exists(`${root}/e`)
    }
  },
  {
    name: "moved",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const session = { sessionId: a.connection.welcome!.sessionId, password: a.connection.welcome!.password }
      await a.create(root)
      const b = await stage.client("b", session)
      await b.create(`${root}/by-b`)
      await b.exists(root)
    }
  },
  {
    name: "expiry",
    play: async (stage) => {
      const { root } = stage
      const b = await stage.client("b")
      const a = await stage.client("a", { timeoutMs: 2000 })
      const session = { sessionId: a.connection.welcome!.sessionId, password: a.connection.welcome!.password }
      await a.create(root)
      await a.create(`${root}/e`, { mode: Mode.ephemeral })
      await b.exists(`${root}/e`, true)
      await a.drop()
      await stage.until("the ephemeral goes", b.connection, 1)
      await b.children2(root)
      const late = await stage.connect("late")
      await stage.greet(late, "a session that has expired", session)
    }
  },
  {
    name: "close-session",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      await a.create(`${root}/e`, { mode: Mode.ephemeral })
      await b.exists(`${root}/e`, true)
      await b.watches(Op.addWatch, root, 1)
      await a.pipelineLast("closeSession behind a write", [
        { op: Op.setData, body: (w) => w.text(root).text("x").int(-1) },
        { op: Op.close, body: nothing }
      ])
      await b.get(root)
      const c = await stage.client("c")
      await c.askLast("closeSession with a body", Op.close, (w) => w.text("more"))
    }
  },
  {
    name: "pings",
    play: async (stage) => {
      const a = await stage.client("a")
      await a.ask("ping", Op.ping, nothing, -2)
      await a.ask("ping with a body", Op.ping, (w) => w.text("more"), -2)
      await a.raw("ping by another xid", frame(5, Op.ping, nothing), -2, Op.ping)
    }
  },
  {
    name: "xids",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      for (const xid of [0, 5, 5, 3, 2 ** 31 - 1, -1000, -(2 ** 31), -3]) {
        await a.ask(
          `create by the xid ${xid}`,
          Op.create,
          (w) => w.text(`${root}${xid}`).text("").openAcl().int(2),
          xid
        )
        await a.ask(`exists by the xid ${xid}`, Op.exists, (w) => w.text(root).bool(false), xid)
      }
    }
  },
  {
    name: "first-frames",
    play: async (stage) => {
      const first = async (name: string, bytes: Buffer) => {
        const connection = await stage.connect(name)
        await stage.last(name, connection, () => connection.write(bytes))
      }
      await first("a negative length", Buffer.of(0xff, 0xff, 0xff, 0xff))
      await first("a length beyond the limit", Buffer.of(0x00, 0x10, 0x00, 0x00))
      await first("an empty frame", Buffer.of(0, 0, 0, 0))
      await first("a short ConnectRequest", rawFrame(Buffer.alloc(20)))
      await first("a ConnectRequest without password", rawFrame(Buffer.alloc(24)))
      await first(
        "a password longer than the frame",
        rawFrame(Buffer.concat([Buffer.alloc(24), Buffer.of(0, 0, 0, 99)]))
      )
    }
  }
]
