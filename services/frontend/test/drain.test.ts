import { JuteReader, OpCode, readReplyHeader } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type RawClient, withFrontend } from "./harness.ts"

const isRefused = (client: RawClient): Promise<boolean> =>
  new Promise((resolve) => {
    client.socket.once("connect", () => resolve(false))
    client.socket.once("error", () => resolve(true))
  })

describe("a frontend that is asked to stop", () => {
  it("takes no more clients, answers what it has read, and closes each connection with its last answer", async () => {
    let busy: RawClient | undefined
    let idle: RawClient | undefined
    await withFrontend(
      {},
      async ({ client, sessions: [session] }) => {
        busy = client()
        idle = client()
        await busy.open()
        await idle.open()
        session!.isHelpful = false
        busy.send(busy.requestFrame(1, OpCode.getData), busy.requestFrame(2, OpCode.setData))
        await session!.until(() => session!.requests.length === 2)
        // The answers come once the idle one has been let go: the stop is under way by then.
        void idle.closed().then(async () => {
          assert.isTrue(await isRefused(client()))
          assert.isFalse(busy!.isClosed)
          session!.answer(2, { _tag: "Requests", requests: session!.requests })
        })
      },
      async () => {
        await busy!.closed()
        const headers = busy!.frames.slice(1).map((frame) => readReplyHeader(new JuteReader(frame)).xid)
        assert.deepStrictEqual(headers, [1, 2])
      }
    )
  })

  it("tells a client of the session that it has asked for", async () => {
    let raw: RawClient | undefined
    await withFrontend(
      {},
      async ({ client, sessions: [session] }) => {
        const idle = client()
        await idle.open()
        session!.isHelpful = false
        raw = client()
        raw.send(raw.connectFrame())
        const connect = await session!.first("Connect", 2)
        void idle.closed().then(() => session!.accept(connect))
      },
      async () => {
        await raw!.closed()
        assert.isAbove(raw!.frames.length, 0)
        assert.notDeepEqual(raw!.connectResponse().sessionId, new Uint8Array(8))
      }
    )
  })

  it("answers what was on its way as well, and ends the connection behind the last answer", async () => {
    let raw: RawClient | undefined
    await withFrontend(
      {},
      async ({ client, sessions: [session] }) => {
        const idle = client()
        await idle.open()
        raw = client()
        await raw.open()
        session!.isHelpful = false
        raw.send(raw.requestFrame(1, OpCode.getData))
        await session!.until(() => session!.requests.length === 1)
        // The idle one is let go: the stop is under way.
        void idle.closed().then(async () => {
          raw!.send(raw!.requestFrame(2, OpCode.setData))
          await session!.until(() => session!.requests.length === 2)
          session!.answer(2, { _tag: "Requests", requests: session!.requests })
        })
      },
      async () => {
        await raw!.closed()
        assert.lengthOf(raw!.frames, 3)
      }
    )
  })

  it("lets go of those who never stop asking, with an answer to everything that it has read", async () => {
    let raw: RawClient | undefined
    await withFrontend(
      {},
      async ({ client, sessions: [session] }) => {
        raw = client()
        await raw.open()
        let xid = 0
        const ask = (count: number) => {
          for (let i = 0; i < count; i++) raw!.send(raw!.requestFrame(++xid, OpCode.getData))
        }
        raw.socket.on("data", () => ask(raw!.frames.length > xid - 10 ? 20 : 0))
        ask(20)
        await session!.until(() => session!.requests.length > 100)
      },
      async ({ sessions: [session] }) => {
        await raw!.closed()
        assert.strictEqual(raw!.frames.length - 1, session!.requests.length)
      }
    )
  })

  it("ends in time though an answer never comes", async () => {
    let raw: RawClient | undefined
    await withFrontend(
      {},
      async ({ client, sessions: [session] }) => {
        raw = client()
        await raw.open()
        session!.isHelpful = false
        raw.send(raw.requestFrame(1, OpCode.getData))
        await session!.until(() => session!.requests.length === 1)
      },
      async () => {
        await raw!.closed()
        assert.lengthOf(raw!.frames, 1)
      }
    )
  })
})
