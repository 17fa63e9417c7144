import { ClientRequest } from "@zkmesh/messages"
import {
  AddWatchMode,
  CreateMode,
  ErrorCode,
  EventType,
  JuteReader,
  JuteWriter,
  OpCode,
  readMultiResponse,
  readStat,
  readWatcherEvent,
  readWhoAmIResponse,
  writeMultiReadRequest,
  writeSetWatches2Request,
  Xid
} from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { ReadBatch } from "../src/index.ts"
import { type Client, IP, readReply, slices, text, World } from "./world.ts"

const SECRET = [{ perms: 31, id: { scheme: "digest", id: "a:b" } }]
const get = (client: Client, op: number, path: string | null, watch = false) =>
  client.read(op, (w) => {
    w.ustring(path)
    w.bool(watch)
  })

describe("reads (§5.4)", () => {
  const client = new World().client()
  client.createOk("/a", { data: text("value") })
  client.createOk("/a/x")
  client.createOk("/a/y")
  client.createOk("/secret", { acl: SECRET })

  it("exists: the Stat, and a watch even on what is not there", () => {
    const there = get(client, OpCode.exists, "/a", true)
    assert.equal(readStat(there.body).dataLength, 5)
    assert.deepEqual(there.watches, [{ index: 0, mode: "data", path: "/a" }])
    const missing = get(client, OpCode.exists, "/none", true)
    assert.equal(missing.err, ErrorCode.NONODE)
    assert.deepEqual(missing.watches, [{ index: 0, mode: "data", path: "/none" }])
    assert.isUndefined(get(client, OpCode.exists, "/none").watches)
  })
  it("exists: no watch for who may not read, nor on what is no path", () => {
    const secret = get(client, OpCode.exists, "/secret", true)
    assert.equal(secret.err, ErrorCode.NOAUTH)
    assert.isUndefined(secret.watches)
    const bad = get(client, OpCode.exists, "/a\u0000", true)
    assert.equal(bad.err, ErrorCode.BADARGUMENTS)
    assert.isUndefined(bad.watches)
  })
  it("getData: the data and the Stat; a failed one watches nothing", () => {
    const reply = get(client, OpCode.getData, "/a", true)
    assert.equal(Buffer.from(reply.body.buffer()!).toString(), "value")
    assert.equal(readStat(reply.body).numChildren, 2)
    assert.equal(reply.body.remaining, 0)
    assert.deepEqual(reply.watches, [{ index: 0, mode: "data", path: "/a" }])
    assert.equal(get(client, OpCode.getData, "/none", true).err, ErrorCode.NONODE)
    assert.isUndefined(get(client, OpCode.getData, "/none", true).watches)
    assert.equal(get(client, OpCode.getData, "/secret", true).err, ErrorCode.NOAUTH)
  })
  it("getChildren and getChildren2: the names, and with the latter the Stat", () => {
    const names = get(client, OpCode.getChildren, "/a", true)
    assert.deepEqual(names.body.ustrings().sort(), ["x", "y"])
    assert.equal(names.body.remaining, 0)
    assert.deepEqual(names.watches, [{ index: 0, mode: "child", path: "/a" }])
    const both = get(client, OpCode.getChildren2, "/a")
    assert.equal(both.body.ustrings().length, 2)
    assert.equal(readStat(both.body).numChildren, 2)
    assert.equal(get(client, OpCode.getChildren, "/secret").err, ErrorCode.NOAUTH)
  })
  it("getAllChildrenNumber: all descendants, of the root with what is built in", () => {
    const count = (path: string) => client.read(OpCode.getAllChildrenNumber, (w) => w.ustring(path)).body.int()
    assert.equal(count("/a"), 2)
    assert.equal(count("/a/x"), 0)
    assert.equal(count("/"), client.world.tree.nodes.count - 1)
    assert.equal(count("/zookeeper"), 2)
  })
  it("do not validate paths: what is malformed is not there", () => {
    for (const path of ["a", "/a/", "//a", "/a/../a", "/a//x"]) {
      assert.equal(get(client, OpCode.getData, path).err, ErrorCode.NONODE, path)
    }
    assert.equal(get(client, OpCode.getData, null).err, ErrorCode.MARSHALLINGERROR)
    assert.equal(client.read(OpCode.getData, (w) => w.int(99)).err, ErrorCode.MARSHALLINGERROR)
  })
  it("ping: no body, the zxid, and its own xid", () => {
    const reply = client.read(OpCode.ping, () => {})
    assert.equal(reply.xid, Xid.ping)
    assert.equal(reply.zxid, client.world.tree.zxid)
    assert.equal(reply.body.remaining, 0)
  })
  it("an unknown operation: UNIMPLEMENTED without a zxid (§5.2)", () => {
    const reply = client.read(23, () => {})
    assert.equal(reply.err, ErrorCode.UNIMPLEMENTED)
    assert.equal(reply.zxid, -1)
  })
})

it("getEphemerals: of this session, by a prefix that is compared as a string", () => {
  const world = new World()
  const client = world.client()
  const other = world.client()
  client.createOk("/p")
  for (const path of ["/a", "/ab", "/p/c"]) client.createOk(path, { flags: CreateMode.EPHEMERAL })
  other.createOk("/other", { flags: CreateMode.EPHEMERAL })
  const ephemerals = (prefix: string | null) =>
    client
      .read(OpCode.getEphemerals, (w) => w.ustring(prefix))
      .body.ustrings()
      .sort()
  assert.deepEqual(ephemerals("/a"), ["/a", "/ab"])
  for (const all of [null, "", "  ", "/"]) assert.deepEqual(ephemerals(all), ["/a", "/ab", "/p/c"])
  assert.deepEqual(ephemerals("/x"), [])
})

it("whoAmI: every id, never a hash", () => {
  const client = new World().client()
  client.identity = [...IP, { scheme: "digest", id: "user:hash" }, { scheme: "super", id: "" }]
  assert.deepEqual(readWhoAmIResponse(client.read(OpCode.whoAmI, () => {}).body), [
    { authScheme: "ip", user: "127.0.0.1" },
    { authScheme: "digest", user: "user" },
    { authScheme: "super", user: "" }
  ])
})

it("multiRead: each operation by itself (§6.3)", () => {
  const client = new World().client()
  client.createOk("/a", { data: text("v") })
  client.createOk("/secret", { acl: SECRET })
  const reply = client.read(OpCode.multiRead, (w) =>
    writeMultiReadRequest(w, [
      { op: OpCode.getData, path: "/a" },
      { op: OpCode.getData, path: "/none" },
      { op: OpCode.getChildren, path: "/" },
      { op: OpCode.getChildren, path: "/secret" }
    ])
  )
  assert.equal(reply.err, 0)
  const results = readMultiResponse(reply.body)
  assert.deepEqual(
    results.map((result) => result.type),
    [OpCode.getData, OpCode.error, OpCode.getChildren, OpCode.error]
  )
  const [data, missing, , denied] = results
  assert(data?.type === OpCode.getData && missing?.type === OpCode.error && denied?.type === OpCode.error)
  assert.equal(Buffer.from(data.data!).toString(), "v")
  assert.equal(missing.err, ErrorCode.NONODE)
  assert.equal(denied.err, ErrorCode.NOAUTH)
})

describe("addWatch (§12.2)", () => {
  it("registers without looking, and answers with four bytes", () => {
    const client = new World().client()
    const add = (mode: number) =>
      client.read(OpCode.addWatch, (w) => {
        w.ustring("/none")
        w.int(mode)
      })
    const reply = add(AddWatchMode.PERSISTENT)
    assert.equal(reply.body.int(), 0)
    assert.equal(reply.body.remaining, 0)
    assert.deepEqual(reply.watches, [{ index: 0, mode: "persistent", path: "/none" }])
    assert.deepEqual(add(AddWatchMode.PERSISTENT_RECURSIVE).watches, [
      { index: 0, mode: "persistentRecursive", path: "/none" }
    ])
    assert.equal(add(2).err, ErrorCode.MARSHALLINGERROR)
  })
})

/** All frames of one answer. */
const frames = (bytes: Uint8Array): Array<Uint8Array> => {
  const found: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; ) {
    const length = new JuteReader(bytes, at).int() + 4
    found.push(bytes.subarray(at, at + length))
    at += length
  }
  return found
}

describe("setWatches (§12.6)", () => {
  const world = new World()
  const client = world.client()
  client.createOk("/old")
  client.createOk("/parent")
  const seen = world.tree.zxid
  client.createOk("/new")
  client.setData("/parent", text("x"))
  client.createOk("/parent/child")

  it("catches up with what was missed, and registers the rest", () => {
    const writer = new JuteWriter()
    writeSetWatches2Request(writer, {
      relativeZxid: seen,
      data: ["/old", "/parent", "/gone"],
      exist: ["/gone", "/new"],
      child: ["/old", "/parent", "/gone"],
      persistent: ["/p"],
      persistentRecursive: ["/r"]
    })
    const bytes = writer.take()
    const reads = new ReadBatch(world.tree)
    reads.read(new ClientRequest(1, Xid.setWatches, OpCode.setWatches2, bytes, 0, bytes.length), IP, client.id)
    const results = reads.take()
    assert.equal(results.ends.length, 1)
    const [...notifications] = frames(slices(results)[0]!).map(readReply)
    const reply = notifications.pop()!
    assert.equal(reply.xid, Xid.setWatches)
    assert.equal(reply.err, 0)
    assert.equal(reply.body.remaining, 0)
    assert.deepEqual(
      notifications.map((event) => {
        assert.equal(event.xid, Xid.notification)
        assert.equal(event.zxid, -1)
        return readWatcherEvent(event.body)
      }),
      [
        { type: EventType.NodeDataChanged, state: 3, path: "/parent" },
        { type: EventType.NodeDeleted, state: 3, path: "/gone" },
        { type: EventType.NodeCreated, state: 3, path: "/new" },
        { type: EventType.NodeChildrenChanged, state: 3, path: "/parent" },
        { type: EventType.NodeDeleted, state: 3, path: "/gone" }
      ]
    )
    assert.deepEqual(results.watches, [
      { index: 0, mode: "data", path: "/old" },
      { index: 0, mode: "data", path: "/gone" },
      { index: 0, mode: "child", path: "/old" },
      { index: 0, mode: "persistent", path: "/p" },
      { index: 0, mode: "persistentRecursive", path: "/r" }
    ])
  })
  it("leaves no half of an answer behind if it cannot be decoded", () => {
    const writer = new JuteWriter()
    writer.long(0)
    writer.ustrings(["/old"])
    const bytes = writer.take()
    const reads = new ReadBatch(world.tree)
    reads.read(new ClientRequest(1, -8, OpCode.setWatches, bytes, 0, bytes.length), IP, client.id)
    const results = reads.take()
    assert.isTrue(results.watches === undefined || results.watches.length === 0)
    assert.equal(readReply(results.buffer).err, ErrorCode.MARSHALLINGERROR)
  })
})

it("answers a batch into one buffer, each reply in its place", () => {
  const client = new World().client()
  client.createOk("/a", { data: Buffer.alloc(300_000, 1) })
  const writer = new JuteWriter()
  const requests: Array<ClientRequest> = []
  for (const [i, path] of ["/a", "/none", "/a", "/zookeeper"].entries()) {
    const start = writer.length
    writer.ustring(path)
    writer.bool(i === 2)
    requests.push(new ClientRequest(1, i, OpCode.getData, new Uint8Array(0), start, writer.length))
  }
  const bytes = writer.take()
  const reads = new ReadBatch(client.world.tree)
  for (const { xid, op, start, end } of requests) reads.read(new ClientRequest(1, xid, op, bytes, start, end), IP, 1)
  const results = reads.take()
  const replies = slices(results).map(readReply)
  assert.deepEqual(
    replies.map(({ xid, err }) => [xid, err]),
    [
      [0, 0],
      [1, ErrorCode.NONODE],
      [2, 0],
      [3, 0]
    ]
  )
  assert.deepEqual(results.watches, [{ index: 2, mode: "data", path: "/a" }])
  assert.equal(replies[2]!.body.buffer()!.length, 300_000)
})
