/** The whole way, from a socket through every service and back. */
import {
  CreateMode,
  JuteReader,
  OpCode,
  readGetDataResponse,
  readReplyHeader,
  readStat,
  readWatcherEvent,
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
const read = (path: string, watch = false) => bodyOf((writer) => writeWatchedPathRequest(writer, { path, watch }))

interface Answer {
  readonly xid: number
  readonly zxid: number
  readonly err: number
  readonly reader: JuteReader
}
/** Frame `n` of a client, the ConnectResponse being the first. */
const answer = async (client: RawClient, n: number): Promise<Answer> => {
  const reader = new JuteReader(await client.frame(n))
  return { ...readReplyHeader(reader), reader }
}

let ensemble: Ensemble | undefined
afterEach(async () => {
  await ensemble?.stop()
  ensemble = undefined
})

describe("one peer", () => {
  it("keeps a pipelined client's own order: each read sees the write before it and not the one after", async () => {
    ensemble = await Ensemble.start(1)
    const { client } = await ensemble.session(await ensemble.door(1))
    const total = 600
    const frames: Array<Uint8Array> = [client.requestFrame(1, OpCode.create, create("/n"))]
    for (let i = 1; i <= total; i++) {
      frames.push(client.requestFrame(10 * i, OpCode.setData, set("/n", i)))
      if (i % 3 !== 0) frames.push(client.requestFrame(10 * i + 1, OpCode.getData, read("/n")))
      if (i % 5 === 0) frames.push(client.requestFrame(-2, OpCode.ping))
    }
    for (let at = 0; at < frames.length; at += 37) {
      client.send(...frames.slice(at, at + 37))
      await new Promise(setImmediate)
    }
    let lastZxid = 0
    let expected = 0
    for (let n = 2; n <= frames.length + 1; n++) {
      const { xid, zxid, err, reader } = await answer(client, n)
      assert.strictEqual(err, 0)
      assert.isAtLeast(zxid, lastZxid, "zxids never go back")
      lastZxid = zxid
      if (xid % 10 === 1 && xid > 1) {
        assert.strictEqual(xid, 10 * expected + 1)
        assert.strictEqual(Buffer.from(readGetDataResponse(reader).data!).toString(), String(expected))
      } else if (xid > 1) assert.strictEqual(xid, 10 * ++expected)
    }
    assert.strictEqual(expected, total)
  })

  it("tells a watcher of each change before it can read it, while another client writes", async () => {
    ensemble = await Ensemble.start(1)
    const port = await ensemble.door(1)
    const { client: writer } = await ensemble.session(port)
    writer.send(writer.requestFrame(1, OpCode.create, create("/n")))
    await writer.frame(2)
    const { client: watcher } = await ensemble.session(port)
    for (let i = 1; i <= 300; i++) writer.send(writer.requestFrame(i, OpCode.setData, set("/n", i)))
    // Keeps reading with a watch: between two reads with different versions there is an event.
    let seen = -1
    let isWatched = false
    watcher.send(watcher.requestFrame(1, OpCode.getData, read("/n", true)))
    for (let n = 2; seen < 300; n++) {
      const { xid, reader } = await answer(watcher, n)
      if (xid === -1) {
        assert.deepInclude(readWatcherEvent(reader), { type: 3, path: "/n" })
        assert.isTrue(isWatched, "one event per watch")
        isWatched = false
        continue
      }
      reader.buffer()
      const { version } = readStat(reader)
      assert.isFalse(version !== seen && isWatched, `version ${version} is read before its event`)
      seen = version
      isWatched = true
      watcher.send(watcher.requestFrame(n, OpCode.getData, read("/n", true)))
    }
  })

  it("ends a silent client's session, and its ephemeral nodes with it", async () => {
    ensemble = await Ensemble.start(1)
    const port = await ensemble.door(1)
    const { client: watcher } = await ensemble.session(port)
    const { client, sessionId, password } = await ensemble.session(port, { timeoutMs: 250 })
    client.send(client.requestFrame(1, OpCode.create, create("/e", CreateMode.EPHEMERAL)))
    await client.frame(2)
    const id = Buffer.from(sessionId).readBigUInt64BE().toString(16)
    assert.include(await ensemble.word(port, "dump"), `Sessions with Ephemerals (1):\n0x${id}:\n\t/e\n`)
    watcher.send(watcher.requestFrame(1, OpCode.exists, read("/e", true)))
    assert.strictEqual((await answer(watcher, 2)).err, 0)
    const event = await answer(watcher, 3)
    assert.deepInclude(readWatcherEvent(event.reader), { type: 2, path: "/e" })
    const again = await ensemble.session(port, { sessionId, password })
    assert.strictEqual(again.timeoutMs, 0, "expired")
  })
})

describe("three peers", () => {
  const start = async () => {
    ensemble = await Ensemble.start(3)
    const doors = new Map<number, number>()
    for (const sid of [1, 2, 3]) doors.set(sid, await ensemble.door(sid))
    const leader = await ensemble.leader(doors)
    const follower = [1, 2, 3].find((sid) => sid !== leader)!
    return { ensemble, doors, leader, follower }
  }

  it("lets a session move from peer to peer, with what it has written", async () => {
    const { ensemble, doors, leader, follower } = await start()
    const { client, sessionId, password } = await ensemble.session(doors.get(follower)!)
    client.send(client.requestFrame(1, OpCode.create, create("/e", CreateMode.EPHEMERAL)))
    const { zxid } = await answer(client, 2)
    const moved = await ensemble.session(doors.get(leader)!, { sessionId, password, lastZxidSeen: zxid })
    assert.deepStrictEqual(moved.sessionId, sessionId)
    moved.client.send(moved.client.requestFrame(1, OpCode.exists, read("/e")))
    assert.strictEqual((await answer(moved.client, 2)).err, 0)
    // Whatever the old connection asks for now is refused by closing it.
    client.send(client.requestFrame(2, OpCode.exists, read("/e")))
    await client.closed()
    assert.lengthOf(client.frames, 2)
  })

  it("does every write exactly once and in order across the loss of the leader", async () => {
    const { ensemble, doors, leader, follower } = await start()
    const { client } = await ensemble.session(doors.get(follower)!)
    client.send(client.requestFrame(1, OpCode.create, create("/n")))
    await client.frame(2)
    const total = 400
    for (let i = 1; i <= total; i++) {
      client.send(client.requestFrame(i, OpCode.setData, set("/n", i)))
      if (i % 4 === 0) client.send(client.requestFrame(-2, OpCode.ping))
      if (i === total / 2) await ensemble.kill(leader)
      if (i % 10 === 0) await new Promise(setImmediate)
    }
    let lastZxid = 0
    let written = 0
    for (let n = 3; n < 3 + total + total / 4; n++) {
      const { xid, zxid, err, reader } = await answer(client, n)
      assert.strictEqual(err, 0)
      assert.isAtLeast(zxid, lastZxid)
      lastZxid = zxid
      if (xid === -2) continue
      assert.strictEqual(xid, ++written)
      assert.strictEqual(readStat(reader).version, written, "no write is lost, none is done twice")
    }
  })

  it("serves again with a peer that was lost and came back", async () => {
    const { ensemble, doors, leader, follower } = await start()
    await ensemble.kill(follower)
    const { client } = await ensemble.session(doors.get(leader)!)
    client.send(client.requestFrame(1, OpCode.create, create("/n")))
    const { zxid } = await answer(client, 2)
    await ensemble.run(follower)
    const back = await ensemble.session(doors.get(follower)!, { lastZxidSeen: zxid })
    back.client.send(back.client.requestFrame(1, OpCode.exists, read("/n")))
    assert.strictEqual((await answer(back.client, 2)).err, 0)
  })
})
