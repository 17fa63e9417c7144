/** A frontend whose ensemble changes under it. */
import { type AddressInfo, connect, createServer } from "node:net"
import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type PlayedSession, withFrontend } from "./harness.ts"

/** `/zookeeper/config` of these members. */
const configuration = (version: number, ...sids: ReadonlyArray<number>): string =>
  [
    ...sids.map((sid) => `server.${sid}=host${sid}:2888:3888:participant;0.0.0.0:2181`),
    `version=${(2 ** 32 + version).toString(16)}`
  ].join("\n")

const tell = (session: PlayedSession, text: string) => session.link!.send({ _tag: "Configuration", text })
const following = { peers: [1], preference: (sids: ReadonlyArray<number>) => sids }

describe("a frontend that follows the ensemble", () => {
  it("carries its clients over to a peer that has joined, and lets go of one that has left", () =>
    withFrontend(following, async ({ sessions, client, join }) => {
      const [first] = sessions
      const one = client()
      await one.open()
      const second = await join(2)
      tell(first!, configuration(1, 1, 2))
      await second.until(() => second.link !== undefined)
      tell(second, configuration(2, 2))
      const moved = await second.first("Connect")
      assert.strictEqual(moved.sessionId, (await first!.first("Connect")).conn + 1000)
      assert.isDefined(moved.resume)
      await first!.until(() => first!.link === undefined)
      // It speaks to the new peer by the same socket.
      one.send(one.requestFrame(7, OpCode.ping))
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.isFalse(one.isClosed)
      const other = client()
      await other.open()
      assert.lengthOf(second.all("Connect"), 2)
    }))

  it("keeps to a peer that has left for as long as no member serves", () =>
    withFrontend(following, async ({ sessions, client, join }) => {
      const [first] = sessions
      tell(first!, configuration(2, 2))
      const one = client()
      await one.open()
      assert.lengthOf(first!.all("Connect"), 1)
      const second = await join(2)
      await second.first("Connect")
      one.send(one.requestFrame(7, OpCode.ping))
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.lengthOf(second.requests, 1)
    }))

  it("does not go back to an ensemble that is past", () =>
    withFrontend({ ...following, peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions
      tell(first!, configuration(5, 2))
      await first!.until(() => first!.link === undefined)
      tell(second!, configuration(4, 1, 2))
      tell(second!, configuration(0, 1, 2))
      const one = client()
      await one.open()
      assert.lengthOf(second!.all("Connect"), 1)
      assert.isUndefined(first!.link)
    }))
})

it("a frontend that is to keep to its peers does so whatever becomes of the ensemble", () =>
  withFrontend({ peers: [1] }, async ({ sessions, client }) => {
    const [first] = sessions
    tell(first!, configuration(1, 2))
    const one = client()
    await one.open()
    assert.lengthOf(first!.all("Connect"), 1)
    assert.isDefined(first!.link)
  }))

describe("a server's own port", () => {
  const line = (port: number) => `server.1=host1:2888:3888:participant;127.0.0.1:${port}`
  const text = (version: number, port: number) => `${line(port)}\nversion=${(2 ** 32 + version).toString(16)}`

  it("moves when its line does, while those who are connected stay", async () => {
    const [first, second, taken] = await Promise.all([listening(), listening(), listening()])
    first.close()
    second.close()
    const own = { sid: 1, client: `127.0.0.1:${first.port}` }
    const configured = [["clientPort", first.port]] as const
    await withFrontend(
      { ...following, own, host: "127.0.0.1", port: first.port, configuration: configured },
      async ({ sessions: [session], client }) => {
        const old = client()
        await old.open()
        // The line that it was started with, a taken port, a free one.
        tell(session!, text(1, first.port))
        tell(session!, text(2, taken.port))
        tell(session!, text(3, second.port))
        while (!(await isOpen(second.port))) await new Promise((resolve) => setTimeout(resolve, 5))
        assert.include(await word(second.port, "conf"), `clientPort=${second.port}\n`)
        assert.isFalse(await isOpen(first.port))
        old.send(old.requestFrame(7, OpCode.ping))
        assert.strictEqual((await old.reply(2)).xid, 7)
      }
    )
    taken.close()
    assert.isFalse(await isOpen(second.port))
  })
})

/** A port that somebody listens at until it is closed. */
const listening = (): Promise<{ readonly port: number; readonly close: () => void }> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resolve({ port, close: () => void server.close() })
    })
  })

const word = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = ""
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(text))
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.once("close", () => resolve(answer))
    socket.once("error", reject)
  })

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
