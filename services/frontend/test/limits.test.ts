import { ErrorCode, JuteReader, JuteWriter, OpCode, readReplyHeader, writeEmptyReply } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { ConnectionThrottle } from "../src/limits/connectionThrottle.ts"
import { DEFAULT_LIMITS } from "../src/limits/options.ts"
import { type PlayedSession, type RawClient, withFrontend } from "./harness.ts"

const throttled = (options: Partial<(typeof DEFAULT_LIMITS)["requestThrottle"]>) => ({
  requestThrottle: { ...DEFAULT_LIMITS.requestThrottle, ...options }
})

/** Answers everything as it comes, `at` most once per call of the returned function's promise. */
const answerAll = async (session: PlayedSession, total: number): Promise<number> => {
  let answered = 0
  let most = 0
  while (answered < total) {
    await session.until(() => session.requests.length > answered)
    const requests = session.requests.slice(answered)
    most = Math.max(most, requests.length)
    answered += requests.length
    session.answer(requests.length, { _tag: "Requests", requests })
  }
  return most
}

const xids = (raw: RawClient): ReadonlyArray<number> =>
  raw.frames.slice(1).map((frame) => readReplyHeader(new JuteReader(frame)).xid)

describe("the limit of requests in all", () => {
  it("lets every client have its turn, loses no reply and keeps each client's order", () =>
    withFrontend(throttled({ maxRequests: 4 }), async ({ client, sessions: [session] }) => {
      const clients = [client(), client(), client()]
      for (const raw of clients) await raw.open()
      session!.isHelpful = false
      const each = 100
      for (const raw of clients) {
        raw.send(...Array.from({ length: each }, (_, i) => raw.requestFrame(i + 1, OpCode.getData)))
      }
      assert.isAtMost(await answerAll(session!, clients.length * each), 4)
      for (const raw of clients) {
        await raw.frame(each + 1)
        assert.deepStrictEqual(
          xids(raw),
          Array.from({ length: each }, (_, i) => i + 1)
        )
      }
    }))

  it("is a server's part of the ensemble's, by whichever of its doors they come", () => {
    // Three voters: two parts of four.
    const limit = { maxOutstanding: 8, voters: 3 }
    const each = 50
    return withFrontend(limit, (one) =>
      withFrontend({ ...limit, name: "other" }, async (two) => {
        const doors = []
        for (const { client, sessions } of [one, two]) {
          const raw = client()
          await raw.open()
          const session = sessions[0]!
          session.isHelpful = false
          raw.send(...Array.from({ length: each }, (_, i) => raw.requestFrame(i + 1, OpCode.getData)))
          doors.push({ raw, session, answered: 0 })
        }
        let most = 0
        while (doors.some(({ answered }) => answered < each)) {
          const open = doors.filter(({ answered }) => answered < each)
          await Promise.race(
            open.map(({ session, answered }) => session.until(() => session.requests.length > answered))
          )
          const under = doors.map(({ session, answered }) => session.requests.length - answered)
          most = Math.max(most, under[0]! + under[1]!)
          for (const door of doors) {
            const requests = door.session.requests.slice(door.answered)
            door.answered += requests.length
            if (requests.length > 0) door.session.answer(requests.length, { _tag: "Requests", requests })
          }
        }
        assert.strictEqual(most, 4)
        for (const { raw } of doors) await raw.frame(each + 1)
      })
    )
  })

  it("answers what has waited for too long with THROTTLEDOP, in its place, but never a ping or the end of a session", () =>
    withFrontend(throttled({ maxRequests: 1, throttledOpWaitMs: 1 }), async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      session!.isHelpful = false
      raw.send(
        ...[OpCode.getData, OpCode.setData, OpCode.ping, OpCode.closeSession].map((op, i) => raw.requestFrame(i, op))
      )
      await session!.until(() => session!.requests.length === 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
      await answerAll(session!, 4)
      assert.deepStrictEqual(
        session!.requests.map(({ op }) => op),
        [OpCode.getData, OpCode.throttled, OpCode.ping, OpCode.closeSession]
      )
    }))

  it("closes a connection whose requests have waited for longer than its session may be silent", () =>
    withFrontend(throttled({ maxRequests: 1, dropsStale: true }), async ({ client, sessions: [session] }) => {
      session!.timeoutMs = 20
      const raw = client()
      await raw.open()
      session!.isHelpful = false
      raw.send(raw.requestFrame(1, OpCode.getData), raw.requestFrame(2, OpCode.getData))
      await session!.until(() => session!.requests.length === 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
      session!.answer(1, { _tag: "Requests", requests: session!.requests })
      await raw.closed()
      assert.lengthOf(session!.requests, 1)
    }))

  it("lets no client send what stands for a request that has waited", () =>
    withFrontend({}, async ({ client }) => {
      const raw = client()
      await raw.open()
      raw.send(raw.requestFrame(1, OpCode.throttled))
      assert.strictEqual((await raw.reply(2)).err, ErrorCode.UNIMPLEMENTED)
    }))
})

describe("replies", () => {
  it("that are large make fewer requests go at once, so that memory has a bound", () =>
    withFrontend({ replyBytesPerConnection: 2 ** 18 }, async ({ client, sessions: [session] }) => {
      const raw = client()
      await raw.open()
      session!.isHelpful = false
      const { conn } = session!.all("Connect")[0]!
      const total = 500
      raw.send(...Array.from({ length: total }, (_, i) => raw.requestFrame(i + 1, OpCode.getData)))
      let answered = 0
      const under: Array<number> = []
      const writer = new JuteWriter()
      while (answered < total) {
        await session!.until(() => session!.requests.length > answered)
        const requests = session!.requests.slice(answered)
        under.push(requests.length)
        answered += requests.length
        const replies = requests.map(({ xid }) => {
          const at = writer.beginReply(xid, 1, 0)
          writer.buffer(new Uint8Array(25_000))
          writer.endFrame(at)
          return { conn, bytes: writer.take(), answers: 1 }
        })
        session!.link!.send({ _tag: "Replies", replies })
      }
      await raw.frame(total + 1)
      assert.strictEqual(xids(raw).at(-1), total)
      assert.isAtMost(under[0]!, 256)
      assert.isAtMost(Math.max(...under.slice(10)), 11, "about a quarter of a megabyte")
    }))

  it("that nobody takes end the connection only after a while", () =>
    withFrontend({ maxUnsentBytes: 2 ** 20 }, async ({ client, sessions: [session] }) => {
      session!.timeoutMs = 1000
      const raw = client()
      await raw.open()
      raw.socket.pause()
      session!.isHelpful = false
      const { conn } = session!.all("Connect")[0]!
      const writer = new JuteWriter()
      const big = (xid: number) => {
        const at = writer.beginReply(xid, 1, 0)
        writer.buffer(new Uint8Array(2 ** 20))
        writer.endFrame(at)
        return { conn, bytes: writer.take(), answers: 0 }
      }
      const replies = Array.from({ length: 6 }, (_, i) => big(i))
      session!.link!.send({ _tag: "Replies", replies: replies.slice(0, 3) })
      // It was only slow.
      raw.socket.resume()
      await raw.frame(4)
      raw.socket.pause()
      for (let i = 0; i < 2; i++) session!.link!.send({ _tag: "Replies", replies: replies.slice(2, 5) })
      await session!.first("Disconnected")
    }))
})

describe("large requests", () => {
  it("are let in up to so many bytes at a time, and the next one ends its connection", () =>
    withFrontend(
      { largeRequestThreshold: 1000, largeRequestMaxBytes: 3000 },
      async ({ client, sessions: [session] }) => {
        const raw = client()
        await raw.open()
        const other = client()
        await other.open()
        session!.isHelpful = false
        const large = new Uint8Array(1200)
        raw.send(raw.requestFrame(1, OpCode.setData, large), raw.requestFrame(2, OpCode.setData, large))
        await session!.until(() => session!.requests.length === 2)
        session!.answer(1, { _tag: "Requests", requests: session!.requests })
        await raw.frame(2)
        raw.send(raw.requestFrame(3, OpCode.setData, large))
        await session!.until(() => session!.requests.length === 3)
        other.send(other.requestFrame(1, OpCode.setData, new Uint8Array(900)))
        await session!.until(() => session!.requests.length === 4)
        other.send(other.requestFrame(2, OpCode.setData, large))
        await other.closed()
        assert.lengthOf(session!.requests, 4)
        // What the other had under way was no large request: only this one's answers make room.
        session!.answer(2, { _tag: "Requests", requests: session!.requests.slice(1, 3) })
        await raw.frame(4)
        raw.send(raw.requestFrame(4, OpCode.setData, large), raw.requestFrame(5, OpCode.setData, large))
        await session!.until(() => session!.requests.length === 6)
      }
    ))
})

describe("connections", () => {
  it("are limited in all", () =>
    withFrontend({ maxCnxns: 2 }, async ({ client }) => {
      const first = client()
      await first.open()
      await client().open()
      await client().closed()
      first.socket.destroy()
      await first.closed()
      for (;;) {
        const next = client()
        next.send(next.connectFrame())
        await next.frame(1)
        if (!next.isClosed) return
      }
    }))

  it("that ask for sessions too fast are closed without a word", () =>
    withFrontend(
      { connectionThrottle: { ...DEFAULT_LIMITS.connectionThrottle, tokens: 3, fillMs: 3_600_000 } },
      async ({ client, sessions: [session] }) => {
        for (let i = 0; i < 3; i++) await client().open()
        const fourth = client()
        fourth.send(fourth.connectFrame())
        await fourth.closed()
        assert.lengthOf(fourth.frames, 0)
        assert.lengthOf(session!.all("Connect"), 3)
      }
    ))
})

describe("the bucket of connections", () => {
  const options = { ...DEFAULT_LIMITS.connectionThrottle, tokens: 10, fillMs: 100, fillCount: 2 }
  const weights = { global: 3, local: 1, renew: 2 }

  it("fills with time, up to its size", () => {
    const bucket = new ConnectionThrottle(options, 0, () => 1)
    const taken = (now: number) => Array.from({ length: 20 }, () => bucket.admits("global", now)).filter(Boolean).length
    assert.strictEqual(taken(0), 10)
    assert.strictEqual(taken(99), 0)
    assert.strictEqual(taken(250), 5)
    assert.strictEqual(taken(100_000), 10)
  })

  it("takes by weight", () => {
    const bucket = new ConnectionThrottle({ ...options, weights }, 0, () => 1)
    assert.deepStrictEqual(
      (["global", "global", "renew", "local", "renew", "local"] as const).map((kind) => bucket.admits(kind, 0)),
      [true, true, true, true, false, true]
    )
  })

  it("turns away by chance while it is empty, and less so when it has filled", () => {
    const chance = { ...options, freezeMs: 10, dropIncrease: 0.5, dropDecrease: 0.25, decreaseRatio: 0.5 }
    const bucket = new ConnectionThrottle(chance, 0, () => 0.4)
    for (let i = 0; i < 10; i++) assert.isTrue(bucket.admits("global", 0))
    assert.isFalse(bucket.admits("global", 50))
    assert.strictEqual(bucket.dropProbability, 0.5)
    assert.isFalse(bucket.admits("global", 55), "unlucky")
    assert.isTrue(bucket.admits("global", 10_000), "the bucket is full: 0.25 now")
    assert.strictEqual(bucket.dropProbability, 0.25)
  })
})

describe("an empty reply", () => {
  it("is written as the session service writes it", () => {
    const writer = new JuteWriter()
    writeEmptyReply(writer, 7, 99, ErrorCode.THROTTLEDOP)
    assert.deepStrictEqual(readReplyHeader(new JuteReader(writer.take().subarray(4))), {
      xid: 7,
      zxid: 99,
      err: ErrorCode.THROTTLEDOP
    })
  })
})
