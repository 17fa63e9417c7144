import { ErrorCode, OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type RawClient, withFrontend } from "./harness.ts"

describe("requests", () => {
  it("sends on everything that came in one turn as one message, and writes answers in their order", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      const frames = Array.from({ length: 100 }, (_, i) => raw.requestFrame(i + 1, OpCode.getData, new Uint8Array(9)))
      raw.send(...frames)
      await raw.frame(101)
      const xids = await Promise.all(frames.map(async (_, i) => (await raw.reply(i + 2)).xid))
      assert.deepStrictEqual(
        xids,
        frames.map((_, i) => i + 1)
      )
      assert.lengthOf(session!.all("Requests"), 1)
      const [request] = session!.requests
      assert.deepStrictEqual([request!.op, request!.end - request!.start], [OpCode.getData, 9])
    }))

  it("puts frames together however they are cut", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      const bytes = Buffer.concat(
        [1, 2, 3].map((xid) => raw.requestFrame(xid, OpCode.exists, new Uint8Array(5).fill(xid)))
      )
      for (const byte of bytes) {
        raw.send(Uint8Array.of(byte))
        await new Promise(setImmediate)
      }
      await raw.frame(4)
      assert.deepStrictEqual(
        session!.requests.map(({ xid, buffer, start, end }) => [xid, ...buffer.subarray(start, end)]),
        [1, 2, 3].map((xid) => [xid, xid, xid, xid, xid, xid])
      )
    }))

  it("answers a request with an event's xid, and carries its client no more", () =>
    withFrontend({ peers: [1, 2] }, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      // It wants a watch, so that its answer is looked at.
      const body = new Uint8Array(9).fill(1, 8)
      for (const [index, xid] of [-1, 5, -1, 6].entries()) {
        raw.send(raw.requestFrame(xid, OpCode.exists, body))
        assert.strictEqual((await raw.reply(index + 2)).xid, xid)
      }
      session!.link!.break("it has gone")
      await raw.closed()
    }))

  it("answers what no client may ask with UNIMPLEMENTED, then closes", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const refused = [OpCode.notification, OpCode.check, 10, 99, 5000, OpCode.createSession, -1]
      for (const op of refused) {
        const raw = client()
        await raw.open()
        raw.send(raw.requestFrame(3, op))
        assert.deepStrictEqual(await raw.reply(2), { xid: 3, zxid: -1, err: ErrorCode.UNIMPLEMENTED }, `op ${op}`)
        await raw.closed()
      }
      assert.lengthOf(session!.requests, 0)
    }))

  it("hands on the last words of a client that leaves without waiting", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      raw.send(raw.requestFrame(1, OpCode.closeSession))
      raw.socket.end()
      await session!.first("Disconnected")
      assert.deepStrictEqual(
        session!.messages.map((message) => message._tag),
        ["Connect", "Requests", "Disconnected"]
      )
    }))

  it("flushes what was said before a Close, then closes", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      session!.isHelpful = false
      const raw = client()
      raw.send(raw.connectFrame())
      const connect = await session!.first("Connect")
      session!.accept(connect)
      await raw.frame(1)
      raw.send(raw.requestFrame(1, OpCode.closeSession), raw.requestFrame(2, OpCode.getData))
      session!.answer(1, await session!.first("Requests"))
      session!.link!.send({ _tag: "Close", conn: connect.conn, reason: "test" })
      await raw.closed()
      assert.strictEqual(raw.frames.length, 2)
    }))

  it("closes an idle connection after its timeout, and not one that is waiting for an answer", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      session!.timeoutMs = 100
      const idle = client()
      await idle.open()
      const waiting = client()
      await waiting.open()
      session!.isHelpful = false
      waiting.send(waiting.requestFrame(1, OpCode.getData))
      await idle.closed()
      assert.isFalse(waiting.isClosed)
      session!.answer(1, await session!.first("Requests"))
      assert.strictEqual((await waiting.reply(2)).xid, 1)
    }))
})

describe("malformed frames", () => {
  const length = (value: number): Uint8Array => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const broken: ReadonlyArray<readonly [name: string, isFirst: boolean, bytes: (raw: RawClient) => Uint8Array]> = [
    ["a first frame that is no ConnectRequest", true, () => Buffer.concat([length(8), new Uint8Array(8)])],
    ["an empty first frame", true, () => length(0)],
    ["a negative length at the start", true, () => length(-1)],
    ["text of another protocol", true, () => Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [
      "a password with a length beyond the frame",
      true,
      (raw) => {
        const frame = Buffer.from(raw.connectFrame())
        frame.writeInt32BE(0x7fff_ffff, 4 + 4 + 8 + 4 + 8)
        return frame
      }
    ],
    ["a negative length", false, () => length(-5)],
    ["a length beyond the limit", false, () => length(0x10_0000)],
    ["a frame without a header", false, () => Buffer.concat([length(7), new Uint8Array(7)])],
    ["an empty frame", false, () => length(0)]
  ]
  for (const [name, isFirst, bytes] of broken) {
    it(`closes the connection for ${name}, and disturbs nobody else`, () =>
      withFrontend({}, async ({ client, sessions: [session] }) => {
        const other = client()
        await other.open()
        const raw = client()
        if (!isFirst) await raw.open()
        const before = raw.frames.length
        raw.send(bytes(raw))
        await raw.closed()
        assert.strictEqual(raw.frames.length, before)
        if (!isFirst) await session!.first("Disconnected")
        other.send(other.requestFrame(1, OpCode.getData))
        assert.strictEqual((await other.reply(2)).xid, 1)
      }))
  }

  it("hands on what came before the broken frame", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      raw.send(raw.requestFrame(1, OpCode.setData), length(-1))
      await session!.first("Disconnected")
      assert.deepStrictEqual(
        session!.requests.map(({ xid }) => xid),
        [1]
      )
    }))
})

describe("flow control", () => {
  it("stops reading from a client with too much under way, and loses nothing", () =>
    withFrontend({ maxOutstandingPerConnection: 10 }, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      session!.isHelpful = false
      const body = new Uint8Array(60_000)
      const total = 200
      for (let xid = 1; xid <= total; xid++) raw.send(raw.requestFrame(xid, OpCode.setData, body))
      await session!.until(() => session!.requests.length >= 10)
      // Another client is served meanwhile.
      const other = client()
      other.send(other.connectFrame())
      session!.accept(await session!.first("Connect", 2))
      await other.frame(1)
      const reached = session!.requests.length
      assert.isBelow(reached, 20, "one chunk beyond the limit at most")
      let answered = 0
      while (answered < total) {
        await session!.until(() => session!.requests.length > answered)
        const requests = session!.requests.slice(answered)
        answered += requests.length
        session!.answer(requests.length, { _tag: "Requests", requests })
      }
      for (let i = 0; i < total; i++) assert.strictEqual((await raw.reply(i + 2)).xid, i + 1)
    }))

  it("stops reading from whoever asks while too much is under way in all", () =>
    withFrontend({ maxOutstanding: 2 }, async ({ client, sessions: [session] }) => {
      const first = client()
      await first.open()
      const second = client()
      await second.open()
      session!.isHelpful = false
      for (const [i, raw] of [first, second].entries()) {
        raw.send(raw.requestFrame(1, OpCode.getData))
        await session!.until(() => session!.requests.length === i + 1)
      }
      // Both wait now: nothing more is asked for until something has been answered.
      second.send(second.requestFrame(2, OpCode.getData))
      first.send(first.requestFrame(2, OpCode.getData))
      const third = client()
      third.send(third.connectFrame())
      session!.accept(await session!.first("Connect", 3))
      await third.frame(1)
      assert.deepStrictEqual(
        session!.requests.map(({ conn, xid }) => `${conn} ${xid}`),
        ["1 1", "2 1"]
      )
      session!.answer(2, { _tag: "Requests", requests: session!.requests })
      await session!.until(() => session!.requests.length === 4)
      session!.answer(2, { _tag: "Requests", requests: session!.requests.slice(2) })
      assert.strictEqual((await first.reply(3)).xid, 2)
      assert.strictEqual((await second.reply(3)).xid, 2)
    }))

  it("does not read from a client that does not take its answers", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      session!.isHelpful = false
      raw.socket.pause()
      const { conn } = session!.all("Connect")[0]!
      const bytes = new Uint8Array(8 * 2 ** 20)
      Buffer.from(bytes.buffer).writeInt32BE(bytes.length - 4, 0)
      raw.send(raw.requestFrame(1, OpCode.getData))
      await session!.first("Requests")
      session!.link!.send({ _tag: "Replies", replies: [{ conn, bytes, answers: 1 }] })
      // The big answer is taken before anything that follows: the pause is over once it has left.
      raw.send(raw.requestFrame(2, OpCode.getData))
      raw.socket.resume()
      const second = await session!.first("Requests", 2)
      session!.answer(1, second)
      assert.strictEqual((await raw.reply(3)).xid, 2)
    }))

  it("disconnects a client that lets more pile up than it may", () =>
    withFrontend({ maxUnsentBytes: 2 ** 20 }, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      raw.socket.pause()
      const { conn } = session!.all("Connect")[0]!
      for (let i = 0; i < 20; i++) {
        const bytes = new Uint8Array(2 ** 20)
        session!.link!.send({ _tag: "Replies", replies: [{ conn, bytes, answers: 0 }] })
      }
      await session!.first("Disconnected")
    }))
})

describe("the end of a frontend", () => {
  it("takes nobody any more and lets go of those who are there", () => {
    const left: Array<RawClient> = []
    return withFrontend(
      {},
      async ({ client }) => {
        const raw = client()
        left.push(raw)
        await raw.open()
      },
      async ({ client }) => {
        await left[0]!.closed()
        const late = client()
        await late.closed()
        assert.lengthOf(late.frames, 0)
      }
    )
  })
})
