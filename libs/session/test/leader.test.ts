import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Harness, SID, TICK } from "./harness.ts"

describe("opening a session", () => {
  it("asks the leader with the timeout clamped, and is there when the transaction passes by", () => {
    const h = new Harness().started()
    h.connect(1, 0, "f", 5)
    h.connect(2, 0, "f", 1e9)
    assert.deepStrictEqual(
      h.opens.map((open) => open.timeoutMs),
      [2 * TICK, 20 * TICK]
    )
    assert.notStrictEqual(h.opens[0]!.token, h.opens[1]!.token)
    const { id } = h.opened()
    assert.deepStrictEqual(h.got(1), ["Connected"])
    const connected = h.messages.find((message) => message._tag === "Connected")
    assert.deepInclude(connected, { conn: 1, sessionId: id, timeoutMs: 2 * TICK, readOnly: false })
    assert.deepStrictEqual(h.got(2), [])
  })

  it("passes on why it was refused", () => {
    const h = new Harness().started()
    for (const [conn, reason] of [
      [1, "expired"],
      [2, "ahead"],
      [3, "malformed"]
    ] as const) {
      h.connect(conn, 5)
      const { token } = h.opens.pop()!
      const rejected = { _tag: "Rejected", token, session: 0, connection: 0, seq: 0, reason } as const
      h.step({ _tag: "FromPrepare", messages: [rejected] })
    }
    assert.deepStrictEqual(
      [h.got(1), h.got(2), h.got(3)],
      [["Refused expired"], ["Refused ahead"], ["Refused notServing"]]
    )
  })

  describe.each([SID, SID + 1])("when another connection takes the session over, at peer %i", (peer) => {
    const moved = (...asked: Array<string>) => {
      const h = new Harness().started()
      h.connect(1)
      const record = h.opened()
      h.got(1)
      if (asked.length > 0) h.ask(1, ...asked)
      h.sessionChanged({ kind: "attached", record: { ...record, peer, connection: h.zxid, token: 99 } })
      return { h, id: record.id, timeoutMs: record.timeoutMs }
    }

    it("closes a connection whose read after a write has no answer yet: it may come too late for one", () => {
      const h = new Harness().started()
      h.connect(1)
      const record = h.opened()
      h.got(1)
      h.ask(1, "set 1", "get 2")
      h.apply()
      h.sessionChanged({ kind: "attached", record: { ...record, peer, connection: h.zxid, token: 99 } })
      assert.deepStrictEqual(h.got(1), ["1@102", "Close moved"])
    })

    it("closes a connection that waits for an answer", () => {
      assert.deepStrictEqual(moved("set 1").h.got(1), ["Close moved"])
    })

    it("closes one that does not at the next thing that it asks for", () => {
      const { h } = moved()
      assert.deepStrictEqual(h.got(1), [])
      h.ask(1, "get 1")
      assert.deepStrictEqual(h.got(1), ["Close moved"])
      assert.strictEqual(h.core.stranded.size, 0)
    })

    it("closes it with the session", () => {
      const { h, id } = moved()
      h.sessionChanged({ kind: "closed", id })
      assert.deepStrictEqual(h.got(1), ["Close the session is closed"])
    })

    it("closes it when it has been silent for as long as a session may be", () => {
      const { h, timeoutMs } = moved()
      h.now += timeoutMs - 1
      h.step({ _tag: "Tick" })
      assert.deepStrictEqual(h.got(1), [])
      h.now++
      h.step({ _tag: "Tick" })
      assert.deepStrictEqual(h.got(1), ["Close moved"])
    })
  })

  it("numbers the requests of each connection from one", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "set 1", "set 2")
    h.connect(2, session)
    const { connection } = h.opened()
    h.writes.length = 0
    h.ask(2, "set 1")
    assert.deepInclude(h.writes[0], { session, connection, seq: 1 })
  })

  it("closes a connection whose request was refused, but not its successor", () => {
    const h = new Harness().started()
    const session = h.client(1)
    const { connection } = h.core.attached.get(session)!
    const rejected = { _tag: "Rejected", token: 0, session, connection, seq: 1, reason: "moved" } as const
    h.connect(2, session)
    h.opened()
    h.got(1)
    h.step({ _tag: "FromPrepare", messages: [rejected] })
    assert.deepStrictEqual(h.got(2), ["Connected"])
    h.step({ _tag: "FromPrepare", messages: [{ ...rejected, connection: h.zxid }] })
    assert.deepStrictEqual(h.got(2), ["Close moved"])
  })

  it("forgets a client that does not wait for its session", () => {
    const h = new Harness().started()
    h.connect(1)
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    h.opened()
    assert.deepStrictEqual(h.got(1), [])
    assert.strictEqual(h.core.attached.size, 0)
  })
})

describe("a change of leader", () => {
  it("sends again what has not passed by, in order, and nothing else", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    h.ask(1, "set 1", "set 2")
    h.ask(2, "set 1", "get 2")
    h.connect(3)
    h.apply()
    h.role("looking")
    h.writes.length = 0
    h.opens.length = 0
    h.ask(1, "set 3")
    assert.deepStrictEqual(h.sent().writes, [], "held")
    h.role("following", 2, 3)
    assert.deepStrictEqual(h.core.standing.leader, { sid: 3, epoch: 2 })
    assert.deepStrictEqual(h.sent().writes, [], "no way yet")
    h.step({ _tag: "PrepareOpened" })
    assert.deepStrictEqual(h.sent().writes, ["2#2", "3#3", "1#1"])
    assert.strictEqual(h.opens.length, 1)
    h.ask(1, "set 4")
    assert.deepStrictEqual(h.sent().writes, ["2#2", "3#3", "1#1", "4#4"])
  })

  it("sends again after a broken link to the same leader", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1")
    h.step({ _tag: "PrepareBroken" })
    h.writes.length = 0
    h.ask(1, "set 2")
    h.step({ _tag: "PrepareOpened" })
    assert.deepStrictEqual(h.sent().writes, ["1#1", "2#2"])
  })

  it("wants a new way even if the same leader comes back in the same breath", () => {
    const h = new Harness().started()
    const before = h.core.standing.leader
    h.role("looking")
    assert.isUndefined(h.core.standing.leader)
    h.role("following")
    assert.deepStrictEqual(h.core.standing.leader, before)
    assert.notStrictEqual(h.core.standing.leader, before)
  })

  it("goes on serving reads without a leader, and gives up when that lasts", () => {
    const h = new Harness().started()
    h.client(1)
    h.now = 10_000
    h.role("looking")
    h.ask(1, "get 1")
    h.answerReads()
    h.ask(1, "set 2")
    h.tick(14_999)
    assert.deepStrictEqual(h.got(1), ["1@101"])
    h.connect(2)
    h.tick(15_000)
    assert.deepStrictEqual([h.got(1), h.got(2)], [["Close no leader"], ["Refused notServing"]])
    assert.deepInclude(h.messages.at(-2), { _tag: "Status", serving: false, role: "looking" })
    h.connect(3)
    assert.deepStrictEqual(h.got(3), ["Refused notServing"])
    h.role("following", 2)
    assert.deepInclude(h.messages.at(-1), { _tag: "Status", serving: true, role: "following", epoch: 2 })
    h.step({ _tag: "PrepareOpened" })
    assert.deepStrictEqual(h.sent().writes, [], "what was given up is not written after all")
  })
})

describe("a peer that is only to lead while it leads", () => {
  it("says so as long as it leads, and serves as any other when it follows", () => {
    const h = new Harness({ leaderServes: false }).started()
    h.role("leading", 2, 2)
    assert.deepInclude(h.messages.at(-1), { _tag: "Status", serving: true, role: "leading", leadsOnly: true })
    h.role("following", 3)
    assert.notProperty(h.messages.at(-1), "leadsOnly")
    const other = new Harness().started()
    other.role("leading", 2, 2)
    assert.notProperty(other.messages.at(-1), "leadsOnly")
  })
})

describe("the stream's end", () => {
  it("ends every connection, since order and watches are lost, and starts afresh from the next Hello", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "get 1", "set 2")
    h.connect(2)
    h.step({ _tag: "StreamBroken" })
    assert.deepStrictEqual([h.got(1), h.got(2)], [["Close the peer's znode was lost"], ["Refused notServing"]])
    h.reads.length = 0
    h.started()
    h.client(3)
    h.ask(3, "get 1")
    h.answerReads()
    assert.lengthOf(h.got(3), 1)
  })
})

describe("expiry", () => {
  const record = (id: number, timeoutMs: number) =>
    ({ id, timeoutMs, password: new Uint8Array(16), peer: 1, connection: id, seq: 0, token: 1 }) as const

  it("gives every session a full timeout when its peer becomes the leader, and closes the silent ones once", () => {
    const h = new Harness().started("following", [record(11, 4 * TICK), record(12, 8 * TICK)])
    h.tick(100 * TICK)
    h.role("leading", 2, SID)
    h.step({ _tag: "PrepareOpened" })
    h.tick(104 * TICK)
    assert.deepStrictEqual(h.sent().writes, [])
    h.tick(105 * TICK)
    assert.deepInclude(h.writes[0], { session: 11, connection: 0, seq: 0, op: OpCode.closeSession })
    h.tick(106 * TICK)
    assert.strictEqual(h.writes.length, 1)
  })

  it("asks again for the end of a session if the way to prepare was lost", () => {
    const h = new Harness().started("leading", [record(11, 4 * TICK)])
    h.step({ _tag: "PrepareBroken" })
    h.tick(5 * TICK)
    assert.strictEqual(h.writes.length, 0)
    h.step({ _tag: "PrepareOpened" })
    assert.strictEqual(h.writes.length, 1)
    h.sessionChanged({ kind: "closed", id: 11 })
    h.step({ _tag: "PrepareOpened" })
    assert.strictEqual(h.writes.length, 1)
  })

  it("keeps sessions that are heard from, by own connections or by other peers", () => {
    const h = new Harness().started("leading", [record(11, 4 * TICK)])
    const own = h.client(1)
    h.tick(3 * TICK)
    h.step({ _tag: "Touched", sessions: [11] })
    h.tick(7 * TICK)
    assert.deepStrictEqual(h.sent().writes, [])
    h.ask(1, "ping -2")
    h.tick(8 * TICK)
    assert.deepStrictEqual(
      h.writes.map((write) => write.session),
      [11]
    )
    h.tick(17.5 * TICK)
    assert.strictEqual(h.writes.length, 1)
    h.tick(19 * TICK)
    assert.strictEqual(h.writes[1]!.session, own)
  })

  it("closes the connection of a session that has expired", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.sessionChanged({ kind: "closed", id: session })
    assert.deepStrictEqual(h.got(1), ["Close the session is closed"])
  })

  it("tells the leader whom it has heard from, each once per half tick", () => {
    const h = new Harness().started()
    const one = h.client(1)
    const two = h.client(2)
    h.ask(1, "get 1")
    h.ask(1, "get 2")
    h.ask(2, "ping -2")
    h.tick(500)
    assert.deepStrictEqual(h.touched, [], "no way yet: kept")
    h.step({ _tag: "ExpiryLink", open: true })
    h.tick(1000)
    h.tick(1500)
    h.ask(2, "ping -2")
    h.tick(2000)
    assert.deepStrictEqual(h.touched, [[one, two], [two]])
  })
})
