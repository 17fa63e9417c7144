import { CreateMode, ErrorCode, OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Applier, Tree, TreeLoader } from "../src/index.ts"
import { QuotaText } from "../src/quotas.ts"
import { applyBatch, type Client, PEER, text, World } from "./world.ts"

const QUOTA = "/zookeeper/quota"
const usage = (client: Client, path: string): string =>
  client.world.tree.nodes.text(client.world.tree.nodes.findPath(`${QUOTA}${path}/zookeeper_stats`))

/** As the command-line client sets a quota: the path below the quota's root, the limits, then the usage. */
const limit = (client: Client, path: string, limits: string): void => {
  let parent = QUOTA
  for (const name of path.slice(1).split("/")) {
    parent += `/${name}`
    if (!client.exists(parent)) client.createOk(parent)
  }
  client.createOk(`${parent}/zookeeper_limits`, { data: text(limits) })
  client.createOk(`${parent}/zookeeper_stats`, { data: text("count=-1,bytes=-1") })
}

it("reads and writes the text as ZooKeeper does (§17)", () => {
  for (const [given, expected] of [
    ["count=1,bytes=2", "count=1,bytes=2"],
    ["bytes=2", "count=-1,bytes=2"],
    ["", "count=-1,bytes=-1"],
    ["count=,bytes=5", "count=-1,bytes=5"],
    ["count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=5", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=5"],
    ["count=1,,;;bytes=2;z=3;a=4", "count=1,bytes=2=;a=4;z=3"],
    ["nonsense", "count=-1,bytes=-1=;nonsense=-1"],
    ["count=x", "count=-1,bytes=-1"]
  ] as const) {
    assert.equal(new QuotaText(given).toString(), expected, given)
  }
})

describe("usage", () => {
  it("is counted from scratch when its znode is created, and kept up from there", () => {
    const client = new World().client()
    client.createOk("/a", { data: text("12345") })
    client.createOk("/a/b", { data: text("123") })
    client.createOk("/ab", { data: text("another tree") })
    limit(client, "/a", "count=10,bytes=-1")
    assert.equal(usage(client, "/a"), "count=2,bytes=8")
    client.createOk("/a/c", { data: text("1") })
    client.setData("/a/b", text("12"))
    client.createOk("/a/e", { flags: CreateMode.EPHEMERAL, data: text("1234") })
    assert.equal(usage(client, "/a"), "count=4,bytes=12")
    client.delete("/a/c")
    client.run(OpCode.closeSession, () => {})
    assert.equal(usage(client, "/a"), "count=2,bytes=7")
  })
  it("belongs to the nearest limit", () => {
    const client = new World().client()
    client.createOk("/a")
    client.createOk("/a/b")
    limit(client, "/a", "count=10,bytes=-1")
    limit(client, "/a/b", "count=10,bytes=-1")
    client.createOk("/a/b/c", { data: text("1") })
    client.createOk("/a/d", { data: text("12") })
    assert.equal(usage(client, "/a/b"), "count=2,bytes=1")
    assert.equal(usage(client, "/a"), "count=3,bytes=2")
    client.delete(`${QUOTA}/a/b/zookeeper_limits`)
    client.createOk("/a/b/x")
    assert.equal(usage(client, "/a"), "count=4,bytes=2")
    assert.equal(usage(client, "/a/b"), "count=2,bytes=1")
  })
  it("changes no version, no zxid, no time, and fires no watch", () => {
    const client = new World().client()
    client.createOk("/a")
    limit(client, "/a", "count=10,bytes=-1")
    const path = `${QUOTA}/a/zookeeper_stats`
    const before = client.stat(path)
    client.createOk("/a/b")
    assert.deepEqual(client.stat(path), before)
  })
  it("is the same on whoever replays, and goes on from a checkpoint", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    limit(client, "/a", "count=10,bytes=-1")
    client.createOk("/a/b", { data: text("1") })
    const replayed = new Tree(3)
    const applier = new Applier(replayed, PEER)
    for (const batch of world.batches) applyBatch(applier, batch)
    assert.equal(replayed.digest(), world.tree.digest())
    const loader = new TreeLoader()
    loader.add(world.tree.changes.capture().upserted)
    const loaded = loader.finish(world.tree.zxid, world.tree.digest(), world.tree.sessions.copies())
    world.tree.changes.release()
    client.createOk("/a/c", { data: text("12") })
    applyBatch(new Applier(loaded, PEER), world.batches.at(-1)!)
    assert.equal(loaded.digest(), world.tree.digest())
    assert.equal(usage(client, "/a"), "count=3,bytes=3")
  })
  it("is added up by the first element of the paths, as monitoring shows it", () => {
    const client = new World().client()
    for (const path of ["/a", "/a/b", "/a/c", "/z"]) client.createOk(path, { data: text("123") })
    limit(client, "/a/b", "count=10,bytes=-1")
    limit(client, "/a/c", "count=5,bytes=100=;byteHardLimit=70;countHardLimit=-1")
    assert.deepEqual(client.world.tree.quotas.sums(), {
      countLimit: { a: 15 },
      bytesLimit: { a: 70 },
      countUsage: { a: 2 },
      bytesUsage: { a: 6 }
    })
  })

  it("survives whatever a client writes there", () => {
    const client = new World().client()
    client.createOk("/a")
    limit(client, "/a", "anything")
    client.setData(`${QUOTA}/a/zookeeper_stats`, text("count=many"))
    client.createOk("/a/b")
    assert.equal(usage(client, "/a"), "count=0,bytes=-1")
    client.delete(`${QUOTA}/a/zookeeper_stats`)
    client.createOk("/a/c")
  })
})

describe("hard limits", () => {
  const limited = (enforceQuota: boolean, limits: string): Client => {
    const client = new World({ enforceQuota }).client()
    client.createOk("/a", { data: text("12345") })
    limit(client, "/a", limits)
    return client
  }
  it("are kept if they are to be", () => {
    const client = limited(true, "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=2")
    assert.equal(client.create("/a/b", { data: text("123456") }), ErrorCode.QUOTAEXCEEDED)
    assert.equal(client.create("/a/b", { data: text("12345") }), 0)
    assert.equal(client.create("/a/c", { data: null }), ErrorCode.QUOTAEXCEEDED)
    assert.equal(client.setData("/a/b", text("123456"), 9).err, ErrorCode.QUOTAEXCEEDED)
    assert.equal(client.setData("/a/b", text("54321")).err, 0, "no more than there was")
    assert.equal(client.setData("/a/b", text("1"), 9).err, ErrorCode.BADVERSION)
  })
  it("are not, by default; nor are soft ones ever", () => {
    assert.equal(limited(false, "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1").create("/a/b"), 0)
    assert.equal(limited(true, "count=1,bytes=1").create("/a/b", { data: text("123") }), 0)
  })
})
