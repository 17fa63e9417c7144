/** Sessions that the ensemble does not know, on real peers: local ones, and readers of a peer without a leader. */
import {
  CreateMode,
  ErrorCode,
  hexOf,
  JuteReader,
  OpCode,
  readGetDataResponse,
  readReplyHeader,
  readStat,
  writeCreateRequest,
  writeSetDataRequest,
  writeWatchedPathRequest
} from "@zkmesh/protocol"
import { afterEach, assert, describe, it } from "vitest"
import { bodyOf, OPEN, type RawClient } from "./harness.ts"
import { Ensemble } from "./peers.ts"

const create = (path: string, flags: number = CreateMode.PERSISTENT) =>
  bodyOf((writer) => writeCreateRequest(writer, { path, data: Buffer.from("0"), acl: OPEN, flags }))
const set = (path: string, value: number) =>
  bodyOf((writer) => writeSetDataRequest(writer, { path, data: Buffer.from(String(value)), version: -1 }))
const path = (name: string) => bodyOf((writer) => writeWatchedPathRequest(writer, { path: name, watch: false }))

const answer = async (client: RawClient, n: number) => {
  const reader = new JuteReader(await client.frame(n))
  return { ...readReplyHeader(reader), reader }
}
/** Local ids lie from 2^52 on. */
const isLocal = (sessionId: Uint8Array): boolean => sessionId[0] === 0 && sessionId[1]! >= 0x10

let ensemble: Ensemble | undefined
afterEach(async () => {
  await ensemble?.stop()
  ensemble = undefined
})

describe("a local session", () => {
  it("begins without a transaction, and keeps its client's own order", async () => {
    ensemble = await Ensemble.start(1, { localSessions: true })
    const port = await ensemble.door(1)
    const { client, sessionId } = await ensemble.session(port)
    assert.isTrue(isLocal(sessionId))
    const before = /Zxid: (0x\w+)/.exec(await ensemble.word(port, "srvr"))![1]!
    await ensemble.session(port)
    assert.include(await ensemble.word(port, "srvr"), `Zxid: ${before}\n`)
    const total = 200
    const frames: Array<Uint8Array> = [client.requestFrame(1, OpCode.create, create("/n"))]
    for (let i = 1; i <= total; i++) {
      frames.push(client.requestFrame(10 * i, OpCode.setData, set("/n", i)))
      if (i % 3 !== 0) frames.push(client.requestFrame(10 * i + 1, OpCode.getData, path("/n")))
      if (i % 5 === 0) frames.push(client.requestFrame(-2, OpCode.ping))
    }
    client.send(...frames)
    let expected = 0
    for (let n = 2; n <= frames.length + 1; n++) {
      const { xid, err, reader } = await answer(client, n)
      assert.strictEqual(err, 0)
      if (xid % 10 === 1 && xid > 1) {
        assert.strictEqual(Buffer.from(readGetDataResponse(reader).data!).toString(), String(expected))
      } else if (xid > 1) assert.strictEqual(xid, 10 * ++expected)
    }
    assert.strictEqual(expected, total)
    client.send(client.requestFrame(7, OpCode.closeSession))
    assert.deepInclude(await answer(client, frames.length + 2), { xid: 7, err: 0 })
    await client.closed()
  })

  it("owns no ephemeral node, unless it may become the ensemble's", async () => {
    ensemble = await Ensemble.start(1, { localSessions: true })
    const { client } = await ensemble.session(await ensemble.door(1))
    client.send(
      client.requestFrame(1, OpCode.create, create("/p")),
      client.requestFrame(2, OpCode.create, create("/e", CreateMode.EPHEMERAL)),
      client.requestFrame(3, OpCode.exists, path("/e"))
    )
    assert.deepInclude(await answer(client, 2), { xid: 1, err: 0 })
    assert.deepInclude(await answer(client, 3), { xid: 2, err: ErrorCode.EPHEMERALONLOCALSESSION })
    assert.deepInclude(await answer(client, 4), { xid: 3, err: ErrorCode.NONODE })
  })

  it("becomes the ensemble's with its first ephemeral node, and can go anywhere from then on", async () => {
    ensemble = await Ensemble.start(3, { localSessions: true, localSessionsUpgrading: true })
    const doors = [await ensemble.door(1), await ensemble.door(2)]
    const { client, sessionId, password } = await ensemble.session(doors[0]!)
    assert.isTrue(isLocal(sessionId))
    client.send(
      client.requestFrame(1, OpCode.create, create("/p")),
      client.requestFrame(2, OpCode.create2, create("/p/e", CreateMode.EPHEMERAL)),
      client.requestFrame(3, OpCode.setData, set("/p/e", 1)),
      client.requestFrame(4, OpCode.exists, path("/p/e")),
      client.requestFrame(5, OpCode.create, create("/p/f", CreateMode.EPHEMERAL_SEQUENTIAL))
    )
    for (let n = 2; n <= 6; n++) assert.deepInclude(await answer(client, n), { xid: n - 1, err: 0 })
    const { reader } = await answer(client, 5)
    assert.strictEqual(readStat(reader).ephemeralOwner, hexOf(sessionId), "it has kept its id")
    client.socket.destroy()
    const elsewhere = await ensemble.session(doors[1]!, { sessionId, password })
    assert.deepStrictEqual(elsewhere.sessionId, sessionId)
    elsewhere.client.send(
      elsewhere.client.requestFrame(1, OpCode.create, create("/p/g", CreateMode.EPHEMERAL)),
      elsewhere.client.requestFrame(2, OpCode.closeSession)
    )
    assert.deepInclude(await answer(elsewhere.client, 3), { xid: 2, err: 0 })
    const witness = await ensemble.session(doors[0]!)
    witness.client.send(witness.client.requestFrame(1, OpCode.sync, path("/")))
    witness.client.send(witness.client.requestFrame(2, OpCode.exists, path("/p/g")))
    assert.deepInclude(await answer(witness.client, 3), { xid: 2, err: ErrorCode.NONODE })
  })

  it("comes back to its own peer, and is expired at any other, with a wrong password, and when it was away too long", async () => {
    ensemble = await Ensemble.start(3, { localSessions: true })
    const doors = [await ensemble.door(1), await ensemble.door(2)]
    const { client, sessionId, password } = await ensemble.session(doors[0]!, { timeoutMs: 400 })
    client.socket.destroy()
    const back = await ensemble.session(doors[0]!, { sessionId, password, timeoutMs: 400 })
    assert.deepStrictEqual(back.sessionId, sessionId)
    // Taken over while it is there: the earlier connection ends.
    const third = await ensemble.session(doors[0]!, { sessionId, password, timeoutMs: 400 })
    await back.client.closed()
    assert.strictEqual((await ensemble.session(doors[1]!, { sessionId, password })).timeoutMs, 0)
    const wrong = await ensemble.session(doors[0]!, { sessionId, password: new Uint8Array(16) })
    assert.strictEqual(wrong.timeoutMs, 0)
    await third.client.closed()
    for (;;) {
      // Nothing tells that it has expired, and whoever asks in time keeps it alive.
      await new Promise((resolve) => setTimeout(resolve, 600))
      const late = await ensemble.session(doors[0]!, { sessionId, password, timeoutMs: 400 })
      if (late.timeoutMs === 0) break
      late.client.socket.destroy()
    }
  })
})

describe("a peer without a leader", () => {
  it("serves who is content with reading, and nobody else, until there is a leader again", async () => {
    ensemble = await Ensemble.start(3, { readOnlyMode: true })
    const door = await ensemble.door(1)
    const known = await ensemble.session(door, { readOnly: true, timeoutMs: 10_000 })
    known.client.send(known.client.requestFrame(1, OpCode.create, create("/n")))
    assert.strictEqual((await answer(known.client, 2)).err, 0)
    await ensemble.kill(2)
    await ensemble.kill(3)
    await known.client.closed()
    while ((await ensemble.word(door, "isro")) !== "ro") assert.isDefined(ensemble)
    assert.match(
      await ensemble.word(door, "srvr"),
      /^Zookeeper.*\nREAD-ONLY mode; serving only read-only clients\n[\s\S]*Mode: read-only\n/
    )
    // A session of the ensemble's goes on, a new one begins: both read.
    const { sessionId, password } = known
    const again = await ensemble.session(door, { readOnly: true, sessionId, password })
    assert.deepStrictEqual(again.sessionId, sessionId)
    assert.isTrue(again.client.connectResponse().readOnly)
    const fresh = await ensemble.session(door, { readOnly: true })
    assert.isTrue(isLocal(fresh.sessionId))
    for (const { client } of [again, fresh]) {
      client.send(
        client.requestFrame(1, OpCode.getData, path("/n")),
        client.requestFrame(2, OpCode.setData, set("/n", 1)),
        client.requestFrame(3, OpCode.sync, path("/n")),
        client.requestFrame(4, OpCode.create, create("/e", CreateMode.EPHEMERAL)),
        client.requestFrame(5, OpCode.exists, path("/n"))
      )
      const errors = [0, ErrorCode.NOTREADONLY, ErrorCode.NOTREADONLY, ErrorCode.NOTREADONLY, 0]
      for (const [i, err] of errors.entries()) assert.deepInclude(await answer(client, i + 2), { xid: i + 1, err })
    }
    const refused = ensemble.client(door)
    refused.send(refused.connectFrame({ readOnly: false }))
    await refused.closed()
    assert.lengthOf(refused.frames, 0)
    const stranger = await ensemble.session(door, { readOnly: true, sessionId, password: new Uint8Array(16) })
    assert.strictEqual(stranger.timeoutMs, 0)
    // With a quorum everybody is sent away, and the session of the ensemble's can write again.
    await ensemble.run(2)
    await again.client.closed()
    await fresh.client.closed()
    const back = await ensemble.session(door, { readOnly: true, sessionId, password })
    assert.deepStrictEqual([back.sessionId, back.client.connectResponse().readOnly], [sessionId, false])
    back.client.send(back.client.requestFrame(1, OpCode.setData, set("/n", 2)))
    assert.strictEqual((await answer(back.client, 2)).err, 0)
    assert.strictEqual(await ensemble.word(door, "isro"), "rw")
  })
})
