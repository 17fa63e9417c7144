import type { ChangeEvent, Identity } from "@zkmesh/messages"
import { EventType, JuteReader, JuteWriter, Perms } from "@zkmesh/protocol"
import { describe, expect, it } from "vitest"
import { catchUp, RecentEvents } from "../src/recentEvents.ts"

const NOBODY: Identity = []
const NOTHING = { data: [], exist: [], child: [], persistent: [], persistentRecursive: [] }
const {
  NodeCreated: CREATED,
  NodeDeleted: DELETED,
  NodeDataChanged: CHANGED,
  NodeChildrenChanged: CHILDREN
} = EventType
const PRIVATE = [{ perms: Perms.ALL, id: { scheme: "digest", id: "owner:hash" } }]

type Watches = Partial<Record<keyof typeof NOTHING, ReadonlyArray<string>>>

/** What a client with these watches is told of what came after `since`, and what is registered for it. */
const told = (recent: RecentEvents, since: number, watches: Watches, identity = NOBODY) => {
  const out = new JuteWriter()
  const registered: Array<string> = []
  catchUp(recent, { relativeZxid: since, ...NOTHING, ...watches }, identity, false, out, (mode, path) => {
    registered.push(`${mode} ${path}`)
  })
  const bytes = out.take()
  const reader = new JuteReader(bytes)
  const events: Array<[zxid: number, type: number, path: string]> = []
  for (let at = 0; at < bytes.length; ) {
    at += 4 + reader.int()
    reader.int()
    const zxid = reader.long()
    reader.int()
    const type = reader.int()
    reader.int()
    events.push([zxid, type, reader.string()])
  }
  return { events, registered }
}

const recorded = (
  all: ReadonlyArray<readonly [zxid: number, ...events: ReadonlyArray<ChangeEvent>]>,
  capacity = 100
) => {
  const recent = new RecentEvents(capacity, 10)
  for (const [zxid, ...events] of all) recent.add(zxid, events)
  return recent
}

describe("what a client that has moved is told", () => {
  const recent = recorded([
    [11, { type: CREATED, path: "/a/b" }],
    [12, { type: CHANGED, path: "/a" }, { type: CHANGED, path: "/a/b" }],
    [14, { type: DELETED, path: "/a/b" }],
    [15, { type: CHANGED, path: "/a" }]
  ])

  it("is every single event of what lasts, from where it was on", () => {
    expect(told(recent, 11, { persistent: ["/a"] })).toEqual({
      events: [
        [12, CHANGED, "/a"],
        [14, CHILDREN, "/a"],
        [15, CHANGED, "/a"]
      ],
      registered: ["persistent /a"]
    })
    expect(told(recent, 10, { persistentRecursive: ["/"] }).events).toEqual([
      [11, CREATED, "/a/b"],
      [12, CHANGED, "/a"],
      [12, CHANGED, "/a/b"],
      [14, DELETED, "/a/b"],
      [15, CHANGED, "/a"]
    ])
    expect(told(recent, 15, { persistentRecursive: ["/a"] })).toEqual({
      events: [],
      registered: ["persistentRecursive /a"]
    })
  })

  it("is the first event of what fires once, and what has not fired stays", () => {
    expect(told(recent, 10, { data: ["/a", "/z"], exist: ["/a/b", "/y"], child: ["/a", "/x"] })).toEqual({
      events: [
        [11, CREATED, "/a/b"],
        [11, CHILDREN, "/a"],
        [12, CHANGED, "/a"]
      ],
      registered: ["data /z", "data /y", "child /x"]
    })
  })

  it("is one event, though several of its watches see it", () => {
    const watches = { data: ["/a/b"], child: ["/a/b"], persistent: ["/a/b"], persistentRecursive: ["/a", "/"] }
    expect(told(recent, 12, watches).events).toEqual([
      [14, DELETED, "/a/b"],
      [15, CHANGED, "/a"]
    ])
  })

  it("is nothing that it may not read; the watch is used up all the same", () => {
    const secret = recorded([[11, { type: CHANGED, path: "/s", acl: PRIVATE }]])
    expect(told(secret, 10, { data: ["/s"] })).toEqual({ events: [], registered: [] })
    const owner = [{ scheme: "digest", id: "owner:hash" }]
    expect(told(secret, 10, { data: ["/s"] }, owner).events).toEqual([[11, CHANGED, "/s"]])
  })
})

describe("recent events", () => {
  it("know how far back they reach", () => {
    const recent = recorded([], 3)
    expect([recent.reaches(9), recent.reaches(10)]).toEqual([false, true])
    for (let zxid = 11; zxid <= 20; zxid++) recent.add(zxid, [{ type: CHANGED, path: `/${zxid}` }])
    expect([recent.reaches(16), recent.reaches(17), recent.reaches(30)]).toEqual([false, true, true])
    expect(told(recent, 17, { persistentRecursive: ["/"] }).events.map(([zxid]) => zxid)).toEqual([18, 19, 20])
    expect(told(recent, 19, { persistentRecursive: ["/"] }).events.map(([zxid]) => zxid)).toEqual([20])
  })
})
