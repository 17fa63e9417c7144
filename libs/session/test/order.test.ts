import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Harness } from "./harness.ts"

const requests = (...all: ReadonlyArray<ReturnType<Harness["request"]>>) =>
  ({ _tag: "Requests", requests: all }) as const

describe("order within a session", () => {
  it("sends reads on at once, all of a batch in one message, and answers in their order", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "get 1", "get 2", "ping -2", "get 3")
    assert.deepStrictEqual(h.sent().reads, [1, 2, -2, 3])
    h.answerReads()
    assert.deepStrictEqual(h.got(1), ["1@101", "2@101", "-2@101", "3@101"])
  })

  it("hands neighbouring answers on as one piece of the znode's buffer, and counts what they answer", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    h.send("f", h.request(1, 1, 4), h.request(1, 2, 4), h.request(2, 1, 4), h.request(2, 2, 4), h.request(1, 3, 4))
    h.answerReads()
    assert.deepStrictEqual([h.replies, h.answers], [3, 5])
    assert.deepStrictEqual(h.got(1), ["1@102", "2@102", "3@102"])
    assert.deepStrictEqual(h.got(2), ["1@102", "2@102"])
  })

  it("has writes that follow each other under way together, numbered without holes", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "set 2", "set 3")
    assert.deepStrictEqual(h.sent().writes, ["1#1", "2#2", "3#3"])
    h.apply()
    h.apply()
    h.apply()
    assert.deepStrictEqual(h.got(1), ["1@102", "2@103", "3@104"])
  })

  it("has a read done after the write before it and before the write after it, with all of them under way", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "set 1", "get 2", "set 3", "set 4", "get 5")
    assert.deepStrictEqual(h.sent(), { reads: [], after: ["2 after #1", "5 after #3"], writes: ["1#1", "3#2", "4#3"] })
    h.apply()
    h.answerAfter(session, 1)
    h.apply()
    h.apply()
    h.answerAfter(session, 3)
    assert.deepStrictEqual(h.got(1), ["1@102", "2@102", "3@103", "4@104", "5@104"])
  })

  it("hands over what follows a write before what follows nothing: of one client it is the older", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1")
    const order: Array<string> = []
    h.core.step({ _tag: "FromFrontend", link: "f", messages: [requests(h.request(1, 2, OpCode.getData))] }, 0)
    h.counter++
    const txn = { zxid: h.zxid, session: h.core.attached.keys().next().value!, seq: 1, type: OpCode.setData }
    const applied = { ...txn, reply: undefined, events: undefined, sessionChange: undefined }
    h.core.step({ _tag: "FromZnode", messages: [{ _tag: "Applied", zxid: h.zxid, txns: [applied] }] }, 0)
    h.core.step({ _tag: "FromFrontend", link: "f", messages: [requests(h.request(1, 3, OpCode.getData))] }, 0)
    for (const message of h.core.takeOutput()!.toZnode) order.push(message._tag)
    assert.deepStrictEqual(order, ["ReadsAfter", "Reads"])
  })

  it("keeps pings in the order too", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "ping -2")
    assert.deepStrictEqual(h.sent(), { reads: [], after: ["-2 after #1"], writes: ["1#1"] })
    h.apply()
    h.ask(1, "ping -2")
    assert.deepStrictEqual(h.sent().reads, [-2])
  })

  it("does not let one session wait for another's write", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    h.ask(1, "set 1")
    h.ask(2, "get 1")
    assert.deepStrictEqual(h.sent().reads, [1])
  })

  it("takes a request as who its sender was when it came", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "get 2")
    const identity = [{ scheme: "digest", id: "u:p" }]
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Identify", conn: 1, identity }] })
    h.ask(1, "get 3", "set 4")
    assert.deepStrictEqual(
      h.after.map((read) => read.identity[0]!.scheme),
      ["ip", "digest"]
    )
    assert.deepStrictEqual(
      h.writes.map((write) => write.identity[0]!.scheme),
      ["ip", "digest"]
    )
  })

  it("answers closeSession, then closes", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "close 2")
    h.apply()
    h.apply()
    assert.deepStrictEqual(h.got(1), ["1@102", "2@103", "Close the session is closed"])
  })

  it("hears nothing behind closeSession, so that the replies before it still come", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "close 2", "set 3", "get 4")
    assert.deepStrictEqual(h.sent().writes, ["1#1", "2#2"])
    h.apply()
    h.apply()
    assert.deepStrictEqual(h.got(1), ["1@102", "2@103", "Close the session is closed"])
  })

  it("finishes the writes of a client that has gone, and drops answers for it", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "set 1", "get 2", "close 3")
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    h.step({ _tag: "PrepareBroken" })
    h.writes.length = 0
    h.step({ _tag: "PrepareOpened" })
    assert.deepStrictEqual(h.sent().writes, ["1#1", "3#2"])
    h.apply()
    h.answerAfter(session, 1, [{ index: 0, mode: "data", path: "/a" }])
    h.apply()
    assert.deepStrictEqual(h.got(1), [])
    assert.strictEqual(h.core.attached.size, 0)
    assert.strictEqual(h.core.watchers.table.count, 0)
  })

  it("drops answers for a connection that its session has left", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "set 1", "get 2")
    const [read] = h.after
    h.connect(2, session)
    h.opened()
    h.got(2)
    h.after.push(read!)
    h.answerAfter(session, 1)
    assert.deepStrictEqual(h.got(2), [])
  })

  it("closes a connection whose request has no place here", () => {
    const h = new Harness().started()
    h.client(1)
    h.send("f", h.request(1, 1, OpCode.check), h.request(1, 2, OpCode.getData))
    assert.deepStrictEqual(h.got(1), ["Close request 13 out of place"])
    assert.deepStrictEqual(h.sent().reads, [])
  })

  it("drops answers for a connection that has ended meanwhile", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    h.send("f", h.request(1, 1, 4), h.request(2, 1, 4), h.request(1, 2, 4))
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    h.answerReads()
    assert.deepStrictEqual([h.got(1), h.got(2)], [[], ["1@102"]])
  })
})
