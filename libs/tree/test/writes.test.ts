import { CreateMode, ErrorCode, EventType, OpCode, readStat, writeSetDataRequest } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { text, World } from "./world.ts"

const READ_ONLY = [{ perms: 1, id: { scheme: "world", id: "anyone" } }]

describe("delete (§5.4)", () => {
  it("refuses the root, what is built in, and what is no path", () => {
    const client = new World().client()
    for (const path of ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "a", "", "/a\u0000"]) {
      assert.equal(client.delete(path), ErrorCode.BADARGUMENTS, path)
    }
  })
  it("misses the parent, then asks its permission, then misses the znode", () => {
    const client = new World().client()
    client.createOk("/ro")
    client.createOk("/ro/x")
    client.setAcl("/ro", READ_ONLY)
    assert.equal(client.delete("/none/x"), ErrorCode.NONODE)
    assert.equal(client.delete("/ro/none"), ErrorCode.NOAUTH)
    assert.equal(client.delete("/none"), ErrorCode.NONODE)
  })
  it("compares the version before it looks for children", () => {
    const client = new World().client()
    client.createOk("/a")
    client.createOk("/a/b")
    assert.equal(client.delete("/a", 3), ErrorCode.BADVERSION)
    assert.equal(client.delete("/a", 0), ErrorCode.NOTEMPTY)
    assert.equal(client.delete("/a/b", 0), 0)
    assert.equal(client.delete("/a"), 0)
    assert.isFalse(client.exists("/a"))
  })
  it("does not validate the path's form beyond that", () => {
    assert.equal(new World().client().delete("/a//b"), ErrorCode.NONODE)
  })
})

describe("setData (§5.4, §7.1)", () => {
  it("validates, misses, asks for WRITE, then compares the version", () => {
    const client = new World().client()
    client.createOk("/ro", { acl: READ_ONLY })
    client.createOk("/a")
    assert.equal(client.setData("/a/", text("x")).err, ErrorCode.BADARGUMENTS)
    assert.equal(client.setData("/none", text("x")).err, ErrorCode.NONODE)
    assert.equal(client.setData("/ro", text("x"), 9).err, ErrorCode.NOAUTH)
    assert.equal(client.setData("/a", text("x"), 1).err, ErrorCode.BADVERSION)
    assert.equal(client.run(OpCode.setData, (w) => w.ustring(null)).err, ErrorCode.MARSHALLINGERROR)
    const request = { path: null as unknown as string, data: null, version: -1 }
    assert.equal(client.run(OpCode.setData, (w) => writeSetDataRequest(w, request)).err, ErrorCode.BADARGUMENTS)
  })
  it("raises version, mzxid and mtime and leaves the rest alone", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a", { data: text("one") })
    const before = client.stat("/a")
    world.now += 500
    const reply = client.setData("/a", text("longer than before"), 0)
    const stat = readStat(reply.body)
    assert.deepEqual(stat, {
      ...before,
      mzxid: reply.zxid,
      mtime: before.mtime + 500,
      version: 1,
      dataLength: "longer than before".length
    })
    assert.deepEqual(client.stat("/a"), stat)
  })
  it("sees versions that are still in flight", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    const set = (version: number) =>
      client.send(OpCode.setData, (w) => writeSetDataRequest(w, { path: "/a", data: null, version }))
    set(0)
    set(1)
    set(1)
    assert.deepEqual(
      world.apply().map((txn) => txn.type),
      [OpCode.setData, OpCode.setData, OpCode.error]
    )
  })
  it("leaves the configuration alone, whoever asks", () => {
    const client = new World().client()
    assert.equal(client.setData("/zookeeper/config", text("x")).err, ErrorCode.NOAUTH)
    client.identity = [{ scheme: "super", id: "" }]
    assert.equal(client.setData("/zookeeper/config", text("x")).err, ErrorCode.BADARGUMENTS)
  })
  it("keeps values of every size, grown and shrunk", () => {
    const client = new World().client()
    client.createOk("/a")
    for (const size of [0, 1, 3, 4, 255, 256, 257, 300_000, 20, 16_384, 16_385, 1_000_000, 7, 0, 64]) {
      const data = Buffer.alloc(size, size % 251)
      assert.equal(client.setData("/a", data).err, 0)
      const reply = client.read(OpCode.getData, (w) => {
        w.ustring("/a")
        w.bool(false)
      })
      assert.isTrue(Buffer.from(reply.body.buffer()!).equals(data), `${size} bytes`)
      assert.equal(readStat(reply.body).dataLength, size)
      assert.equal(reply.body.remaining, 0)
    }
  })
})

describe("setACL (§5.4)", () => {
  it("validates, fixes the list, misses, asks for ADMIN, compares with aversion", () => {
    const client = new World().client()
    client.createOk("/ro", { acl: READ_ONLY })
    client.createOk("/a")
    assert.equal(client.setAcl("bad", READ_ONLY).err, ErrorCode.BADARGUMENTS)
    assert.equal(client.setAcl("/none", []).err, ErrorCode.INVALIDACL)
    assert.equal(client.setAcl("/none", READ_ONLY).err, ErrorCode.NONODE)
    assert.equal(client.setAcl("/ro", READ_ONLY, 7).err, ErrorCode.NOAUTH)
    assert.equal(client.setAcl("/a", READ_ONLY, 1).err, ErrorCode.BADVERSION)
    const reply = client.setAcl("/a", READ_ONLY, 0)
    const stat = readStat(reply.body)
    assert.equal(stat.aversion, 1)
    assert.equal(stat.version, 0)
    assert.equal(stat.mzxid, stat.czxid)
    assert.isUndefined((reply as { txn?: { events?: unknown } }).txn?.events)
  })
})

describe("events (§12.3)", () => {
  it("name what has been created, changed and deleted", () => {
    const client = new World().client()
    const events = (op: number, path: string) =>
      client.run(op, (w) => {
        w.ustring(path)
        if (op !== OpCode.delete) w.buffer(null)
        if (op === OpCode.create) {
          w.int(1)
          w.int(31)
          w.ustring("world")
          w.ustring("anyone")
          w.int(0)
        } else w.int(-1)
      }).txn.events
    assert.deepEqual(events(OpCode.create, "/a"), [{ type: EventType.NodeCreated, path: "/a" }])
    assert.deepEqual(events(OpCode.setData, "/a"), [{ type: EventType.NodeDataChanged, path: "/a" }])
    assert.deepEqual(events(OpCode.delete, "/a"), [{ type: EventType.NodeDeleted, path: "/a" }])
    assert.isUndefined(events(OpCode.delete, "/a"), "an error changes nothing")
  })
  it("carry the ACLs that decide who may be told, if not everyone may", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/secret", { acl: READ_ONLY })
    client.createOk("/open")
    client.setAcl("/open", READ_ONLY)
    client.identity = [{ scheme: "super", id: "" }]
    client.sendCreate("/open/x")
    client.send(OpCode.delete, (w) => {
      w.ustring("/secret")
      w.int(-1)
    })
    const [created, deleted] = world.apply().map((txn) => txn.events?.[0])
    assert.isUndefined(created?.acl)
    assert.deepEqual(created?.parentAcl, READ_ONLY)
    assert.deepEqual(deleted?.acl, READ_ONLY)
    assert.isUndefined(deleted?.parentAcl)
  })
})

it("counts every failed write as a transaction of its own (§5.3)", () => {
  const world = new World()
  const client = world.client()
  const before = world.tree.zxid
  client.sendCreate("/none/x")
  client.sendCreate("/a")
  client.sendCreate("/a")
  const txns = world.apply()
  assert.deepEqual(
    txns.map((txn) => [txn.zxid - before, txn.type, txn.seq]),
    [
      [1, OpCode.error, 1],
      [2, OpCode.create, 2],
      [3, OpCode.error, 3]
    ]
  )
})

it("answers sync with its path, whether it is there or not (§15)", () => {
  const world = new World()
  const client = world.client()
  const before = world.tree.zxid
  const reply = client.run(OpCode.sync, (w) => w.ustring("no path at all"))
  assert.equal(reply.err, 0)
  assert.equal(reply.body.string(), "no path at all")
  assert.equal(reply.zxid, before + 1)
})

describe("containers and ttl nodes (§8.2)", () => {
  const containerOf = (world: World) => {
    const client = world.client()
    client.createOk("/c", { op: OpCode.createContainer, flags: CreateMode.CONTAINER })
    return client
  }
  it("sweeps a container that has lost its last child, not one that never had any", () => {
    const world = new World()
    const client = containerOf(world)
    assert.equal(world.preparer.sweep(world.now, 10), 0)
    client.createOk("/c/x")
    assert.equal(world.preparer.sweep(world.now, 10), 0)
    client.delete("/c/x")
    assert.equal(world.preparer.sweep(world.now, 10), 1)
    assert.equal(world.preparer.sweep(world.now, 10), 0, "its deletion is in flight")
    const [txn] = world.apply()
    assert.equal(txn?.type, OpCode.deleteContainer)
    assert.equal(txn?.session, 0)
    assert.deepEqual(txn?.events, [{ type: EventType.NodeDeleted, path: "/c" }])
    assert.equal(world.tree.sweepable.size, 0)
  })
  it("sweeps a ttl node once it has been left alone for long enough", () => {
    const world = new World({ extendedTypes: true })
    const client = world.client()
    client.createOk("/t", { op: OpCode.createTTL, flags: CreateMode.PERSISTENT_WITH_TTL, ttl: 1000 })
    world.now += 1000
    assert.equal(world.preparer.sweep(world.now, 10), 0)
    client.setData("/t", text("again"))
    world.now += 1000
    assert.equal(world.preparer.sweep(world.now, 10), 0)
    client.createOk("/t/child")
    world.now += 1
    assert.equal(world.preparer.sweep(world.now, 10), 0, "children keep it")
    client.delete("/t/child")
    assert.equal(world.preparer.sweep(world.now, 10), 1)
  })
  it("sweeps a container that nobody has used, if it is told how long to wait", () => {
    const world = new World({ containerMaxNeverUsedMs: 1000 })
    world.client().createOk("/c", { op: OpCode.createContainer })
    world.now += 1000
    assert.equal(world.preparer.sweep(world.now, 10), 0)
    world.now += 1
    assert.equal(world.preparer.sweep(world.now, 10), 1)
  })
  it("sweeps no more than it is told to", () => {
    const world = new World()
    const client = world.client()
    for (const path of ["/c1", "/c2", "/c3"]) {
      client.createOk(path, { op: OpCode.createContainer })
      client.createOk(`${path}/x`)
      client.delete(`${path}/x`)
    }
    assert.equal(world.preparer.sweep(world.now, 2), 2)
    assert.equal(world.preparer.sweep(world.now, 2), 1)
    world.apply()
    assert.deepEqual(client.children("/"), ["zookeeper"])
  })
})
