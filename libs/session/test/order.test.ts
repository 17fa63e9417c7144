import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Harness } from "./harness.ts"

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

  it("does a read after the write before it and before the write after it", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "get 2", "set 3", "set 4", "get 5")
    assert.deepStrictEqual(h.sent(), { reads: [], writes: ["1#1"] })
    h.apply()
    assert.deepStrictEqual(h.sent(), { reads: [2], writes: ["3#2", "4#3"] })
    h.answerReads()
    h.apply()
    assert.deepStrictEqual(h.sent().reads, [], "a later write is still on its way")
    h.apply()
    h.answerReads()
    assert.deepStrictEqual(h.got(1), ["1@102", "2@102", "3@103", "4@104", "5@104"])
  })

  it("keeps pings in the order too", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "ping -2")
    assert.deepStrictEqual(h.sent().reads, [])
    h.apply()
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
    h.ask(1, "get 3")
    h.apply()
    assert.deepStrictEqual(
      h.reads.map((read) => read.identity[0]!.scheme),
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

  it("finishes the writes of a client that has gone, and drops its reads", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "set 1", "get 2", "close 3")
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    assert.deepStrictEqual(h.sent(), { reads: [], writes: ["1#1", "3#2"] })
    h.apply()
    h.apply()
    assert.deepStrictEqual(h.got(1), [])
    assert.strictEqual(h.core.attached.size, 0)
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
