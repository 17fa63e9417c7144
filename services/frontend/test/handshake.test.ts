import { ErrorCode, JuteReader, JuteWriter, OpCode, readConnectResponse, writeAuthRequest } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { DEFAULT_AUTHENTICATION } from "../src/index.ts"
import { withFrontend } from "./harness.ts"

const superUser = { ...DEFAULT_AUTHENTICATION, superDigest: "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=" }

describe("the first frame", () => {
  it("opens a session with a password drawn here, and answers in the client's form", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const old = client()
      const response = await old.open()
      assert.strictEqual(response.timeoutMs, 30_000)
      assert.strictEqual(old.frames[0]!.length, 36, "no readOnly asked, none answered")
      const { password, sessionId, timeoutMs, identity } = await session!.first("Connect")
      assert.deepStrictEqual([sessionId, timeoutMs, identity], [0, 10_000, [{ scheme: "ip", id: "127.0.0.1" }]])
      assert.strictEqual(password.length, 16)
      assert.isTrue(password.some((byte) => byte !== 0))
      assert.deepStrictEqual([...response.password], [...password])

      const modern = client()
      await modern.open({ readOnly: true })
      assert.strictEqual(modern.frames[0]!.length, 37)
    }))

  it("passes on what a returning client presents", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      const sessionId = new Uint8Array([0, 0, 0, 5, 0, 0, 0, 9])
      const password = new Uint8Array(16).fill(7)
      await client().open({ sessionId, password, lastZxidSeen: 42 })
      const connect = await session!.first("Connect")
      assert.deepInclude(connect, { sessionId: 5 * 2 ** 32 + 9, lastZxidSeen: 42 })
      assert.deepStrictEqual([...connect.password], [...password])
    }))

  it("calls a session that can be none of ours expired, without asking anybody", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      for (const first of [0x7f, 0xff]) {
        const raw = client()
        const response = await raw.open({ sessionId: new Uint8Array(8).fill(first) })
        assert.deepStrictEqual([response.timeoutMs, [...response.sessionId]], [0, [0, 0, 0, 0, 0, 0, 0, 0]])
        await raw.closed()
      }
      assert.lengthOf(session!.all("Connect"), 0)
    }))

  it("tells an expired client so, and the other refused ones nothing", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      session!.isHelpful = false
      for (const reason of ["expired", "ahead", "notServing", "readOnly"] as const) {
        const raw = client()
        raw.send(raw.connectFrame({ readOnly: false }))
        const { conn } = await session!.first("Connect", session!.all("Connect").length + 1)
        session!.link!.send({ _tag: "Refused", conn, reason })
        await raw.closed()
        if (reason === "expired") {
          const { timeoutMs, password } = readConnectResponse(new JuteReader(raw.frames[0]!))
          assert.deepStrictEqual([timeoutMs, [...password]], [0, new Array(16).fill(0)])
          assert.strictEqual(raw.frames[0]!.length, 37)
        } else assert.lengthOf(raw.frames, 0)
      }
    }))

  it("keeps what comes right behind the ConnectRequest until the session is there", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      session!.isHelpful = false
      const raw = client()
      raw.send(raw.connectFrame(), raw.requestFrame(1, OpCode.getData), raw.requestFrame(2, OpCode.getData))
      const connect = await session!.first("Connect")
      assert.lengthOf(session!.requests, 0)
      session!.isHelpful = true
      session!.accept(connect)
      assert.strictEqual((await raw.reply(3)).xid, 2)
    }))

  it("turns clients away as long as no peer serves", () =>
    withFrontend({}, async ({ client, sessions: [session] }) => {
      session!.status(false)
      const raw = client()
      raw.send(raw.connectFrame())
      await raw.closed()
      assert.lengthOf(raw.frames, 0)
      assert.lengthOf(session!.all("Connect"), 0)
    }))

  it("goes to the first peer that serves, and ends the clients of a lost one that nobody else takes in time", () =>
    withFrontend({ peers: [1, 2] }, async ({ client, sessions: [one, two] }) => {
      two!.timeoutMs = 300
      const first = client()
      await first.open()
      assert.lengthOf(one!.all("Connect"), 1)
      one!.status(false)
      const second = client()
      await second.open()
      assert.lengthOf(two!.all("Connect"), 1)
      assert.isFalse(first.isClosed, "it is the peer that says when its clients end")
      one!.status(true)
      await client().open()
      assert.lengthOf(one!.all("Connect"), 2, "new clients go back to the preferred peer")
      one!.status(false)
      two!.link!.break("test")
      await second.closed()
    }))

  it("closes connections that never ask for a session", () =>
    withFrontend({ sessionlessTimeoutMs: 50 }, async ({ client }) => {
      const silent = client()
      const half = client()
      half.send(half.connectFrame().subarray(0, 20))
      await Promise.all([silent.closed(), half.closed()])
    }))

  it("lets one address have so many connections and no more", () =>
    withFrontend({ maxClientCnxns: 2 }, async ({ client }) => {
      const first = client()
      await first.open()
      await client().open()
      const third = client()
      await third.closed()
      first.socket.destroy()
      // The place is free once the frontend has seen the end; until then a newcomer is turned away.
      for (let open = false; !open; ) {
        const raw = client()
        raw.send(raw.connectFrame())
        await raw.frame(1)
        open = raw.frames.length > 0
      }
    }))
})

describe("auth packets", () => {
  const auth = (scheme: string, credentials: string): Uint8Array => {
    const writer = new JuteWriter()
    writeAuthRequest(writer, { scheme, auth: Buffer.from(credentials) })
    return writer.take()
  }

  it("adds what a client proves, for what it asks afterwards", () =>
    withFrontend({ authentication: superUser }, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      raw.send(
        raw.requestFrame(1, OpCode.getData),
        raw.requestFrame(-4, OpCode.auth, auth("digest", "u:p")),
        raw.requestFrame(2, OpCode.getData),
        raw.requestFrame(-4, OpCode.auth, auth("digest", "super:admin")),
        raw.requestFrame(-4, OpCode.auth, auth("digest", "u:p"))
      )
      await raw.frame(6)
      const replies = await Promise.all([2, 3, 4, 5, 6].map((n) => raw.reply(n)))
      assert.deepStrictEqual(
        replies.filter(({ xid }) => xid === -4).map(({ zxid, err }) => [zxid, err]),
        [
          [0, 0],
          [0, 0],
          [0, 0]
        ]
      )
      const kinds = session!.messages.map((message) => message._tag)
      assert.deepStrictEqual(kinds, ["Connect", "Requests", "Identify", "Requests", "Identify"])
      assert.deepStrictEqual(
        session!.all("Identify")[1]!.identity,
        [
          { scheme: "ip", id: "127.0.0.1" },
          { scheme: "digest", id: "u:Sm+uFGtcOUOHpa9ynIYZkUE9bys=" },
          { scheme: "digest", id: "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=" },
          { scheme: "super", id: "" }
        ].map((id) => (id.id.startsWith("u:") ? session!.all("Identify")[0]!.identity[1]! : id))
      )
    }))

  it("ends a connection that proves nothing", () =>
    withFrontend({}, async ({ client }) => {
      const stranger = client()
      await stranger.open()
      const unknown = stranger.requestFrame(-4, OpCode.auth, auth("kerberos", "x"))
      stranger.send(unknown, stranger.requestFrame(1, OpCode.getData))
      assert.deepStrictEqual(await stranger.reply(2), { xid: -4, zxid: 0, err: ErrorCode.AUTHFAILED })
      await stranger.closed()
      assert.lengthOf(stranger.frames, 2)
      // A packet that is none is not even answered, as in ZooKeeper.
      const broken = client()
      await broken.open()
      broken.send(broken.requestFrame(-4, OpCode.auth, new Uint8Array(3)))
      await broken.closed()
      assert.lengthOf(broken.frames, 1)
      const sasl = client()
      await sasl.open()
      sasl.send(sasl.requestFrame(5, OpCode.sasl, new Uint8Array(4)))
      assert.deepStrictEqual(await sasl.reply(2), { xid: 5, zxid: 0, err: ErrorCode.OK })
      assert.strictEqual(sasl.frames[1]!.length, 20, "a null token follows: there is nobody to prove anything to")
    }))
})
