import { isLocalId } from "@zkmesh/numbers"
import { CreateMode, JuteWriter, OpCode, Perms, writeCreateRequest } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Harness, TICK } from "./harness.ts"

const OPEN = [{ perms: Perms.ALL, id: { scheme: "world", id: "anyone" } }]
const ephemeral = (): Uint8Array => {
  const writer = new JuteWriter()
  writeCreateRequest(writer, { path: "/e", data: null, acl: OPEN, flags: CreateMode.EPHEMERAL })
  return writer.take()
}

/** A client with a local session; returns the session's id. */
const local = (h: Harness, conn: number): number => {
  h.connect(conn)
  assert.deepStrictEqual(h.got(conn), ["Connected"])
  const told = h.messages.findLast((message) => message._tag === "Connected" && message.conn === conn)
  if (told?._tag !== "Connected") throw new Error("nobody was told")
  assert.isTrue(isLocalId(told.sessionId))
  return told.sessionId
}

const started = (options: ConstructorParameters<typeof Harness>[0] = {}) =>
  new Harness({ localSessions: true, housePassword: new Uint8Array(16).fill(9), ...options }).started()

describe("local sessions", () => {
  it("write in the name of one session of the service's own, each in its own order", () => {
    const h = started()
    local(h, 1)
    local(h, 2)
    assert.lengthOf(h.opens, 0)
    h.ask(1, "set 1", "get 2", "set 3")
    h.ask(2, "set 1")
    assert.deepStrictEqual(h.sent(), { reads: [], after: [], writes: [] })
    const house = h.opened()
    assert.deepStrictEqual(h.sent().writes, ["1#1", "1#2"])
    assert.isTrue(h.writes.every(({ session }) => session === house.id))
    h.apply()
    assert.deepStrictEqual([h.got(1), h.sent().reads, h.sent().writes], [["1@102"], [2], ["1#2", "3#3"]])
    h.answerReads()
    h.apply()
    assert.deepStrictEqual([h.got(1), h.got(2)], [["2@102"], ["1@103"]])
    h.apply()
    assert.deepStrictEqual(h.got(1), ["3@104"])
  })

  it("lose no write, and carry none out twice, when the leader changes", () => {
    const h = started()
    local(h, 1)
    h.ask(1, "set 1")
    h.opened()
    h.ask(1, "set 2", "get 3")
    assert.deepStrictEqual(h.sent().writes, ["1#1", "2#2"])
    h.role("looking")
    h.writes.length = 0
    h.role("following", 2, 3)
    h.step({ _tag: "PrepareOpened" })
    assert.deepStrictEqual(h.sent().writes, ["1#1", "2#2"])
    h.apply()
    h.apply()
    h.answerReads()
    assert.deepStrictEqual(h.got(1), ["1@102", "2@103", "3@103"])
  })

  it("end with a write whose fate nobody knows, and only those", () => {
    const h = started()
    local(h, 1)
    local(h, 2)
    h.ask(1, "set 1")
    const house = h.opened()
    h.sessionChanged({ kind: "closed", id: house.id })
    assert.deepStrictEqual(h.got(1), ["Close what it has written may be lost"])
    h.writes.length = 0
    h.ask(2, "set 1")
    assert.lengthOf(h.opens, 1)
    h.opened()
    h.apply()
    assert.deepStrictEqual(h.got(2), ["1@103"])
  })

  it("that become the ensemble's do so before what they wait for, and with the same id", () => {
    const h = started({ localSessionsUpgrading: true })
    const id = local(h, 1)
    h.send("f", h.request(1, 1, OpCode.create, ephemeral()), h.request(1, 2, OpCode.getData))
    assert.deepStrictEqual([h.opens.map(({ session, isUpgrade }) => [session, isUpgrade])], [[[id, true]]])
    assert.deepStrictEqual(h.sent(), { reads: [], after: [], writes: [] })
    h.opened()
    assert.deepStrictEqual(h.sent(), { reads: [], after: ["2 after #1"], writes: ["1#1"] })
    assert.strictEqual(h.writes[0]!.session, id)
    h.apply()
    assert.deepStrictEqual(h.got(1), ["1@102"])
    // It is known to everybody now: a client that comes back is attached like any other.
    h.connect(2, id)
    assert.deepStrictEqual(
      h.opens.map(({ session, isUpgrade }) => [session, isUpgrade]),
      [[id, undefined]]
    )
  })

  it("that became the ensemble's while their client was away are attached when it comes back", () => {
    const h = started({ localSessionsUpgrading: true })
    const id = local(h, 1)
    h.send("f", h.request(1, 1, OpCode.create, ephemeral()))
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    h.opened()
    assert.strictEqual(h.core.standalone.size, 0)
    h.connect(2, id)
    assert.strictEqual(h.opened().id, id)
    assert.deepStrictEqual(h.got(2), ["Connected"])
  })

  it("expire when they have been silent, and are not kept from it by others", () => {
    const h = started()
    local(h, 1)
    local(h, 2)
    for (let now = TICK; now <= 12 * TICK; now += TICK) {
      h.now = now
      h.ask(1, "ping -2")
      h.tick(now)
    }
    assert.deepStrictEqual(h.got(2), ["Close the session has expired"])
    assert.deepStrictEqual([h.core.standalone.size, h.core.standalone.expiredCount], [1, 1])
    h.answerReads()
    assert.lengthOf(h.got(1), 12)
    h.ask(1, "close 5")
    h.answerReads()
    assert.deepStrictEqual(h.got(1), ["5@100", "Close the session is closed"])
    assert.strictEqual(h.core.standalone.size, 0)
  })
})

describe("without a leader", () => {
  it("clients are sent away before readers are let in, and readers before there is one again", () => {
    const h = started({ localSessions: false, readOnlyAfterMs: 2 * TICK })
    h.client(1)
    h.role("looking")
    h.tick(TICK)
    assert.deepStrictEqual(h.got(1), [])
    h.tick(2 * TICK)
    assert.deepStrictEqual(h.got(1), ["Close no leader"])
    const told = () => h.messages.findLast((message) => message._tag === "Status")
    assert.deepInclude(told(), { serving: true, readOnly: true, role: "looking" })
    h.connect(2)
    assert.deepStrictEqual(h.got(2), ["Refused readOnly"])
    h.role("following", 2, 1)
    assert.notProperty(told(), "readOnly")
    h.step({ _tag: "PrepareOpened" })
    h.connect(3)
    assert.lengthOf(h.opens, 1)
  })
})
