import { EventType } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Harness } from "./harness.ts"

const { NodeCreated: CREATED, NodeDeleted: DELETED, NodeDataChanged: CHANGED } = EventType

const watching = (
  h: Harness,
  conn: number,
  mode: "data" | "child" | "persistent" | "persistentRecursive",
  path: string
) => {
  h.ask(conn, "get 1")
  h.answerReads([{ index: 0, mode, path }])
  h.got(conn)
}

describe("watches", () => {
  it("fires once, in order, before the reply of the change and before newer reads", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "get 1", "set 2", "get 3")
    h.answerReads([{ index: 0, mode: "data", path: "/a" }])
    h.apply([{ type: CHANGED, path: "/a" }])
    h.answerAfter(session, 1)
    h.changed({ type: CHANGED, path: "/a" })
    assert.deepStrictEqual(h.got(1), ["1@101", "event 3 /a @102", "2@102", "3@102"])
  })

  it("tells data and child watchers what each waits for", () => {
    const h = new Harness().started()
    for (const [conn, mode] of [
      [1, "data"],
      [2, "child"],
      [3, "persistent"],
      [4, "persistentRecursive"]
    ] as const) {
      h.client(conn)
      watching(h, conn, mode, "/p")
    }
    h.changed({ type: CREATED, path: "/p/c" })
    h.changed({ type: CHANGED, path: "/p/c" })
    h.changed({ type: DELETED, path: "/p/c" })
    h.changed({ type: CHANGED, path: "/p" })
    h.changed({ type: DELETED, path: "/p" })
    h.changed({ type: CREATED, path: "/p" })
    assert.deepStrictEqual(h.got(1), ["event 3 /p @108"])
    assert.deepStrictEqual(h.got(2), ["event 4 /p @105"])
    assert.deepStrictEqual(h.got(3), [
      "event 4 /p @105",
      "event 4 /p @107",
      "event 3 /p @108",
      "event 2 /p @109",
      "event 1 /p @110"
    ])
    assert.deepStrictEqual(h.got(4), [
      "event 1 /p/c @105",
      "event 3 /p/c @106",
      "event 2 /p/c @107",
      "event 3 /p @108",
      "event 2 /p @109",
      "event 1 /p @110"
    ])
  })

  it("tells of a deletion once, though both the data and the children were watched", () => {
    const h = new Harness().started()
    h.client(1)
    watching(h, 1, "data", "/a")
    watching(h, 1, "child", "/a")
    h.changed({ type: DELETED, path: "/a" })
    assert.deepStrictEqual(h.got(1), ["event 2 /a @102"])
    assert.strictEqual(h.core.watchers.table.count, 0)
  })

  it("writes a notification once, however many it goes to", () => {
    const h = new Harness().started()
    for (const conn of [1, 2, 3]) {
      h.client(conn)
      watching(h, conn, "data", "/a")
    }
    h.changed({ type: CHANGED, path: "/a" })
    const message = h.messages.at(-1)!
    assert(message._tag === "Replies")
    assert.deepStrictEqual(
      message.replies.map(({ conn, answers }) => [conn, answers]),
      [
        [3, 0],
        [2, 0],
        [1, 0]
      ]
    )
    assert.strictEqual(new Set(message.replies.map(({ bytes }) => bytes)).size, 1)
  })

  it("does not tell those who may not read the node, but uses their one-shot watch up", () => {
    const acl = [{ perms: 1, id: { scheme: "digest", id: "u:p" } }]
    const h = new Harness({ mayRead: (wanted) => wanted !== acl }).started()
    h.client(1)
    watching(h, 1, "data", "/a")
    h.changed({ type: CHANGED, path: "/a", acl })
    assert.deepStrictEqual(h.got(1), [])
    assert.strictEqual(h.core.watchers.table.count, 0)
    watching(h, 1, "child", "/")
    h.changed({ type: CREATED, path: "/a", acl, parentAcl: [] })
    assert.deepStrictEqual(h.got(1), ["event 4 / @103"])
  })

  it("registers a watch only as its answer passes by, so that nothing fires before the answer", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "get 1")
    h.changed({ type: CHANGED, path: "/a" })
    h.answerReads([{ index: 0, mode: "data", path: "/a" }])
    h.changed({ type: CHANGED, path: "/a" })
    assert.deepStrictEqual(h.got(1), ["1@102", "event 3 /a @103"])
  })

  it("removes and checks in the request's place in the order", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    h.ask(1, "check 1 /a 2", "get 2", "check 3 /a 2", "remove 4 /a 2", "remove 5 /a 2", "get 6", "check 7 /a 9")
    h.ask(2, "get 1")
    h.answerReads([{ index: 1, mode: "data", path: "/a" }])
    assert.deepStrictEqual(h.got(1), ["1!-121", "2@102", "3@102", "4@102", "5!-121", "6@102", "7!-5"])
    assert.deepStrictEqual(h.got(2), ["1@102"])
    h.changed({ type: CHANGED, path: "/a" })
    assert.deepStrictEqual(h.got(1), [])
  })

  it("registers, removes and checks between two writes as well", () => {
    const h = new Harness().started()
    const session = h.client(1)
    h.ask(1, "set 1", "check 2 /a 2", "get 3", "check 4 /a 2", "remove 5 /a 2", "get 6", "set 7")
    h.apply()
    h.answerAfter(session, 1, [
      { index: 1, mode: "data", path: "/a" },
      { index: 4, mode: "child", path: "/b" }
    ])
    h.apply()
    assert.deepStrictEqual(h.got(1), ["1@102", "2!-121", "3@102", "4@102", "5@102", "6@102", "7@103"])
    assert.strictEqual(h.core.watchers.table.count, 1)
  })

  it("drops a connection's watches with it, and nobody else's", () => {
    const h = new Harness().started()
    h.client(1)
    h.client(2)
    for (const conn of [1, 2]) for (const path of ["/a", "/b"]) watching(h, conn, "data", path)
    h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Disconnected", conn: 1 }] })
    assert.strictEqual(h.core.watchers.table.count, 2)
    h.changed({ type: CHANGED, path: "/a" })
    assert.deepStrictEqual([h.got(1), h.got(2)], [[], ["event 3 /a @103"]])
  })

  it("does not register a watch for a client that has gone before the answer", () => {
    const h = new Harness().started()
    h.client(1)
    h.ask(1, "get 1")
    h.step({ _tag: "FrontendBroken", link: "f" })
    h.answerReads([{ index: 0, mode: "data", path: "/a" }])
    assert.strictEqual(h.core.watchers.table.count, 0)
  })
})

describe("questions", () => {
  it("answers with the znode's numbers and its own", () => {
    const h = new Harness().started()
    h.client(1)
    watching(h, 1, "data", "/a")
    const query = (name: "stats" | "watches" | "sessions", id: number) =>
      h.step({ _tag: "FromFrontend", link: "f", messages: [{ _tag: "Query", id, name }] })
    query("stats", 5)
    h.step({ _tag: "FromZnode", messages: [{ _tag: "Answer", id: h.queries[0]!, stats: { znode_count: 9 } }] })
    assert.deepInclude(h.messages.at(-1), { _tag: "Answer", id: 5 })
    const { stats } = h.messages.at(-1) as { stats: object }
    assert.deepInclude(stats, { znode_count: 9, watch_count: 1, global_sessions: 1, role: "following" })
    query("watches", 6)
    assert.deepInclude(h.messages.at(-1), {
      id: 6,
      stats: { connections: 1, paths: 1, watches: 1, sessions: [{ session: "0x100000065", paths: ["/a"] }] }
    })
    query("stats", 7)
    h.step({ _tag: "StreamBroken" })
    assert.isTrue(h.messages.some((message) => message._tag === "Answer" && message.id === 7))
  })
})
