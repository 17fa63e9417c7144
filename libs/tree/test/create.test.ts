import { CreateMode, ErrorCode, OpCode, readStat } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Client, type CreateOptions, text, World, writeCreate } from "./world.ts"

const { EPHEMERAL, PERSISTENT_SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, PERSISTENT_WITH_TTL } = CreateMode

describe("create: the checks in their order (client-protocol.md §5.4)", () => {
  const failing = (path: string, options: CreateOptions = {}): number => {
    const client = new World({ extendedTypes: false }).client()
    client.createOk("/a")
    client.createOk("/e", { flags: EPHEMERAL })
    return client.create(path, options)
  }

  it("refuses flags that are no mode, before anything else", () => {
    assert.equal(failing("no slash", { flags: 7 }), ErrorCode.BADARGUMENTS)
    assert.equal(failing("no slash", { flags: -1 }), ErrorCode.BADARGUMENTS)
  })
  it("knows no TTL nodes unless they are switched on", () => {
    assert.equal(failing("no slash", { flags: PERSISTENT_WITH_TTL }), ErrorCode.UNIMPLEMENTED)
    assert.equal(failing("/x", { op: OpCode.createTTL, flags: PERSISTENT_WITH_TTL, ttl: 5 }), ErrorCode.UNIMPLEMENTED)
  })
  it("refuses a path without a slash or with NUL, before it looks at the ACL", () => {
    assert.equal(failing("a", { acl: [] }), ErrorCode.BADARGUMENTS)
    assert.equal(failing("/a\u0000b", { acl: [] }), ErrorCode.BADARGUMENTS)
  })
  it("refuses an ACL that is null or empty, before it looks for the parent", () => {
    assert.equal(failing("/none/x", { acl: null }), ErrorCode.INVALIDACL)
    assert.equal(failing("/none/x", { acl: [] }), ErrorCode.INVALIDACL)
  })
  it("misses the parent, before it validates the path", () => {
    assert.equal(failing("/none/../x"), ErrorCode.NONODE)
  })
  it("asks for CREATE on the parent, before it validates the path", () => {
    const client = new World().client()
    client.createOk("/locked", { acl: [{ perms: 1, id: { scheme: "world", id: "anyone" } }] })
    assert.equal(client.create("/locked/.."), ErrorCode.NOAUTH)
  })
  it("validates the whole path", () => {
    for (const path of [
      "/a/",
      "//x",
      "/a/.",
      "/a/..",
      "/a/\u0001",
      "/a/\u007f",
      "/a/\ud800",
      "/a/\ue000",
      "/a/\ufffd"
    ]) {
      assert.equal(failing(path), ErrorCode.BADARGUMENTS, JSON.stringify(path))
    }
  })
  it("refuses what exists, before it looks at the parent's kind", () => {
    assert.equal(failing("/a"), ErrorCode.NODEEXISTS)
    assert.equal(failing("/"), ErrorCode.NODEEXISTS)
  })
  it("puts nothing under an ephemeral", () => {
    assert.equal(failing("/e/x"), ErrorCode.NOCHILDRENFOREPHEMERALS)
  })
  it("takes names that only look forbidden", () => {
    const client = new World().client()
    for (const path of ["/...", "/a.b", "/ä", "/日本", "/ "]) assert.equal(client.createOk(path), path)
    assert.isTrue(client.exists("/日本"))
  })
})

describe("create: what comes of it (§7.1, §7.2)", () => {
  it("starts with every counter at zero and all zxids equal", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a", { data: text("hello") })
    const { ephemeralOwner, ...stat } = client.stat("/a")
    const zxid = world.tree.zxid
    assert.equal(ephemeralOwner, "0x0")
    assert.deepEqual(stat, {
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: world.now,
      mtime: world.now,
      version: 0,
      cversion: 0,
      aversion: 0,
      dataLength: 5,
      numChildren: 0
    })
  })
  it("counts creations and deletions in the parent's cversion, and moves its pzxid", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    client.createOk("/a/x")
    client.createOk("/a/y")
    assert.equal(client.delete("/a/x"), 0)
    const stat = client.stat("/a")
    assert.equal(stat.cversion, 3)
    assert.equal(stat.numChildren, 1)
    assert.equal(stat.pzxid, world.tree.zxid)
    assert.equal(stat.mzxid, stat.czxid)
  })
  it("finds a fresh tree as ZooKeeper has it", () => {
    const client = new World().client()
    assert.equal(client.stat("/").cversion, -1)
    assert.equal(client.stat("/").numChildren, 1)
    assert.equal(client.stat("/zookeeper").cversion, -2)
    assert.equal(client.stat("/zookeeper").numChildren, 2)
    assert.equal(client.stat("/zookeeper/quota").cversion, 0)
    assert.equal(client.stat("/zookeeper/config").version, -1)
    assert.deepEqual(client.children("/zookeeper"), ["config", "quota"])
  })
  it("answers create with the path, create2 and createContainer with the Stat as well", () => {
    const client = new World().client()
    const plain = client.run(OpCode.create, writeCreate("/a", {}))
    assert.equal(plain.body.string(), "/a")
    assert.equal(plain.body.remaining, 0)
    for (const op of [OpCode.create2, OpCode.createContainer]) {
      const reply = client.run(op, writeCreate(`/b${op}`, { op, data: text("xy") }))
      assert.equal(reply.body.string(), `/b${op}`)
      const stat = readStat(reply.body)
      assert.equal(stat.dataLength, 2)
      assert.equal(stat.czxid, reply.zxid)
      assert.equal(reply.body.remaining, 0)
    }
  })
  it("keeps null and empty data apart", () => {
    const client = new World().client()
    client.createOk("/null", { data: null })
    client.createOk("/empty", { data: text("") })
    const data = (path: string) =>
      client
        .read(OpCode.getData, (w) => {
          w.ustring(path)
          w.bool(false)
        })
        .body.buffer()
    assert.isNull(data("/null"))
    assert.equal(data("/empty")?.length, 0)
  })
  it("gives ephemerals an owner, and hides that of containers", () => {
    const client = new World().client()
    client.createOk("/e", { flags: EPHEMERAL })
    client.run(OpCode.createContainer, writeCreate("/c", { flags: CONTAINER }))
    assert.equal(client.stat("/e").ephemeralOwner, `0x${client.id.toString(16)}`)
    assert.equal(client.stat("/c").ephemeralOwner, "0x0")
    client.createOk("/c/child")
  })
  it("lets the opcode decide on containers, not the flags", () => {
    const world = new World()
    world.client().createOk("/plain", { flags: CONTAINER })
    assert.equal(world.tree.sweepable.size, 0)
    world.client().createOk("/container", { flags: 0, op: OpCode.createContainer })
    assert.equal(world.tree.sweepable.size, 1)
  })
  it("accepts TTL nodes where they are switched on, within their range", () => {
    const client = new World({ extendedTypes: true }).client()
    const ttl = (flags: number, ttl: number) => client.create(`/t${ttl}`, { op: OpCode.createTTL, flags, ttl })
    assert.equal(ttl(PERSISTENT_WITH_TTL, 1000), 0)
    assert.equal(ttl(PERSISTENT_WITH_TTL, 0xff_ffff_ffff), 0)
    assert.equal(ttl(PERSISTENT_WITH_TTL, 0), ErrorCode.BADARGUMENTS)
    assert.equal(ttl(PERSISTENT_WITH_TTL, -1), ErrorCode.BADARGUMENTS)
    assert.equal(ttl(PERSISTENT_WITH_TTL, 0x100_0000_0000), ErrorCode.BADARGUMENTS)
    assert.equal(ttl(0, 5), ErrorCode.BADARGUMENTS)
    assert.equal(ttl(0, -5), ErrorCode.BADARGUMENTS)
    assert.equal(client.create("/x", { flags: PERSISTENT_WITH_TTL }), ErrorCode.BADARGUMENTS)
    assert.equal(client.stat("/t1000").ephemeralOwner, "0x0")
  })
})

describe("sequence numbers (§8.1)", () => {
  it("come from the count of creations, sequential or not, and not from deletions", () => {
    const client = new World().client()
    client.createOk("/q")
    assert.equal(client.createOk("/q/n-", { flags: PERSISTENT_SEQUENTIAL }), "/q/n-0000000000")
    client.createOk("/q/plain")
    client.delete("/q/plain")
    assert.equal(client.createOk("/q/n-", { flags: EPHEMERAL_SEQUENTIAL }), "/q/n-0000000002")
    assert.equal(client.create("/q/n-0000000002"), ErrorCode.NODEEXISTS)
    assert.equal(client.createOk("/q/", { flags: PERSISTENT_SEQUENTIAL }), "/q/0000000003")
  })
  it("count in the root from what was created, not from what is built in", () => {
    const client = new World().client()
    assert.equal(client.createOk("/s", { flags: PERSISTENT_SEQUENTIAL }), "/s0000000000")
  })
  it("see creates that are still in flight", () => {
    const world = new World()
    const client = world.client()
    for (let i = 0; i < 3; i++) client.sendCreate("/s", { flags: PERSISTENT_SEQUENTIAL })
    world.apply()
    assert.includeMembers(client.children("/"), ["s0000000000", "s0000000001", "s0000000002"])
  })
  it("go on below zero when the counter wraps, the sign within the width", async () => {
    const { sequenceSuffix } = await import("../src/nodeops.ts")
    assert.equal(sequenceSuffix(7), "0000000007")
    assert.equal(sequenceSuffix(-5), "-000000005")
    assert.equal(sequenceSuffix(-2147483648), "-2147483648")
  })
})

it("answers an undecodable body with MARSHALLINGERROR, and spends a zxid on it", () => {
  const world = new World()
  const client = world.client()
  const before = world.tree.zxid
  const reply = client.run(OpCode.create, (w) => w.int(1000))
  assert.equal(reply.err, ErrorCode.MARSHALLINGERROR)
  assert.equal(reply.zxid, before + 1)
  assert.equal(client.run(OpCode.create, (w) => w.ustring(null)).err, ErrorCode.MARSHALLINGERROR)
})

it("refuses from clients what only the ensemble may ask for", () => {
  const client = new World().client()
  client.createOk("/c")
  assert.equal(client.run(OpCode.check, (w) => w.ustring("/c")).err, ErrorCode.UNIMPLEMENTED)
  assert.equal(client.run(OpCode.createSession, (w) => w.int(1)).err, ErrorCode.UNIMPLEMENTED)
  assert.isTrue(client.exists("/c"))
})

it("deletes containers and ttl nodes at a client's wish, and only if it may", () => {
  const client = new World({ extendedTypes: true }).client()
  const remove = (path: string) => client.run(OpCode.deleteContainer, (w) => w.ustring(path)).err
  client.createOk("/c", { op: OpCode.createContainer })
  client.createOk("/c/child")
  assert.equal(remove("/zookeeper/quota"), ErrorCode.BADARGUMENTS)
  assert.equal(remove("/missing"), ErrorCode.NONODE)
  assert.equal(remove("/c"), ErrorCode.NOTEMPTY)
  assert.equal(remove("/c/child"), ErrorCode.BADVERSION, "neither kind")
  assert.equal(client.delete("/c/child"), 0)
  assert.equal(remove("/c"), 0)
  assert.isFalse(client.exists("/c"))
})

it("answers only the sessions of this peer", () => {
  const world = new World()
  const remote = world.open({ peer: 2 })
  world.apply()
  remote.sendCreate("/a")
  const [txn] = world.apply()
  assert.isUndefined(txn?.reply)
  assert.equal(txn?.events?.[0]?.path, "/a")
  assert.instanceOf(remote, Client)
})
