/** `leaderServes=no`: whoever leads does nothing besides, as long as others can serve. */
import {
  CreateMode,
  JuteReader,
  OpCode,
  readReplyHeader,
  readStat,
  writeCreateRequest,
  writeSetDataRequest
} from "@zkmesh/protocol"
import { afterEach, assert, describe, it } from "vitest"
import { bodyOf, OPEN, type PlayedSession, type RawClient, withFrontend } from "./harness.ts"
import { Ensemble } from "./peers.ts"

const create = (path: string) =>
  bodyOf((writer) =>
    writeCreateRequest(writer, { path, data: Buffer.from("0"), acl: OPEN, flags: CreateMode.PERSISTENT })
  )
const set = (path: string, value: number) =>
  bodyOf((writer) => writeSetDataRequest(writer, { path, data: Buffer.from(String(value)), version: -1 }))

const leads = (session: PlayedSession, epoch = 2) =>
  session.link!.send({ _tag: "Status", serving: true, role: "leading", epoch, zxid: 77, leadsOnly: true })
const follows = (session: PlayedSession, epoch = 2) =>
  session.link!.send({ _tag: "Status", serving: true, role: "following", epoch, zxid: 77 })

describe("a frontend whose first peer only leads", () => {
  it("sends new clients to another one, and to the leader if there is no other", () =>
    withFrontend({ peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions as [PlayedSession, PlayedSession]
      leads(first)
      follows(second)
      await client().open()
      assert.lengthOf(second.all("Connect"), 1)
      second.status(false)
      await client().open()
      assert.lengthOf(first.all("Connect"), 1)
    }))

  it("carries clients that are there to another one as soon as one follows, each when it has its answers", () =>
    withFrontend({ peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions as [PlayedSession, PlayedSession]
      const [quiet, busy] = [client(), client()]
      await quiet.open()
      await busy.open()
      assert.lengthOf(first.all("Connect"), 2)
      first.isHelpful = false
      busy.send(busy.requestFrame(7, OpCode.ping))
      const asked = await first.first("Requests")
      leads(first)
      follows(second)
      await second.first("Connect")
      // What it asks for now waits for its new peer.
      busy.send(busy.requestFrame(8, OpCode.ping))
      first.answer(1, asked)
      assert.strictEqual((await busy.reply(2)).xid, 7)
      assert.strictEqual((await busy.reply(3)).xid, 8)
      assert.deepStrictEqual([first.requests.map(({ xid }) => xid), second.requests.map(({ xid }) => xid)], [[7], [8]])
      assert.lengthOf(first.all("Disconnected"), 2)
      assert.isTrue(second.all("Connect").every(({ resume }) => resume !== undefined))
      quiet.send(quiet.requestFrame(9, OpCode.ping))
      assert.strictEqual((await quiet.reply(2)).xid, 9)
    }))

  it("waits for answers a second, and asks again elsewhere for what has none", () =>
    withFrontend({ peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions as [PlayedSession, PlayedSession]
      const one = client()
      await one.open()
      first.isHelpful = false
      one.send(one.requestFrame(7, OpCode.ping))
      await first.first("Requests")
      leads(first)
      follows(second)
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.deepStrictEqual(
        second.requests.map(({ xid }) => xid),
        [7]
      )
    }))

  it("ends the connection of a session that is its peer's alone: as in ZooKeeper it ends with its server's role", () =>
    withFrontend({ peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions as [PlayedSession, PlayedSession]
      first.isHelpful = false
      const local = client()
      const opened = local.open()
      const { conn, password } = await first.first("Connect")
      const id = 2 ** 52 + 1
      const connected = { conn, sessionId: id, password, timeoutMs: 30_000, readOnly: false, connection: 0 }
      first.link!.send({ _tag: "Connected", ...connected })
      await opened
      leads(first)
      follows(second)
      await local.closed()
      assert.lengthOf(second.all("Connect"), 0)
    }))

  it("keeps them as long as the others are of an earlier epoch, or look", () =>
    withFrontend({ peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions as [PlayedSession, PlayedSession]
      const one = client()
      await one.open()
      follows(second, 1)
      leads(first)
      one.send(one.requestFrame(7, OpCode.ping))
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.lengthOf(first.requests, 1)
      assert.lengthOf(second.all("Connect"), 0)
    }))
})

describe("an ensemble whose leader only leads", () => {
  let ensemble: Ensemble | undefined
  afterEach(async () => {
    await ensemble?.stop()
    ensemble = undefined
  })

  /** What the peer whose own door this is says of itself; undefined while it serves nobody. */
  const attached = async (port: number): Promise<number | undefined> => {
    const said = /^zk_attached_sessions\t(\d+)$/m.exec(await ensemble!.word(port, "mntr"))
    return said === null ? undefined : Number(said[1])
  }

  it("serves the clients of every port by followers, through the loss of its leader", async () => {
    ensemble = await Ensemble.start(3, { leaderServes: false })
    const doors = new Map<number, number>()
    for (const sid of [1, 2, 3]) doors.set(sid, await ensemble.door(sid, ...[1, 2, 3].filter((other) => other !== sid)))
    // The doors above speak for another peer while their own looks for a leader: these do not.
    const own = new Map<number, number>()
    for (const sid of doors.keys()) own.set(sid, await ensemble.door(sid))
    const leader = await ensemble.leader(own)
    const clients = new Map<number, RawClient>()
    for (const [sid, port] of doors) {
      const { client } = await ensemble.session(port)
      clients.set(sid, client)
      client.send(client.requestFrame(1, OpCode.create, create(`/n${sid}`)))
      await client.frame(2)
    }
    assert.strictEqual(await attached(own.get(leader)!), 0)
    const total = 400
    for (let i = 1; i <= total; i++) {
      for (const [sid, client] of clients) client.send(client.requestFrame(i, OpCode.setData, set(`/n${sid}`, i)))
      if (i === total / 2) await ensemble.kill(leader)
      if (i % 10 === 0) await new Promise(setImmediate)
    }
    for (const client of clients.values()) {
      for (let n = 3; n < 3 + total; n++) {
        const reader = new JuteReader(await client.frame(n))
        const { xid, err } = readReplyHeader(reader)
        assert.deepStrictEqual([xid, err], [n - 2, 0])
        assert.strictEqual(readStat(reader).version, n - 2, "no write is lost, none is done twice")
      }
    }
    own.delete(leader)
    const next = own.get(await ensemble.leader(own))!
    while ((await attached(next)) !== 0) await new Promise(setImmediate)
    for (const client of clients.values()) {
      client.send(client.requestFrame(-2, OpCode.ping))
      assert.strictEqual(readReplyHeader(new JuteReader(await client.frame(3 + total))).err, 0)
      assert.isFalse(client.isClosed)
    }
    assert.strictEqual(await attached(next), 0)
  })
})
