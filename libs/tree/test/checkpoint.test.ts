import type { SessionRecord } from "@zkmesh/messages"
import { CreateMode, OpCode } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"
import { assert, describe, it } from "vitest"
import { Applier, Tree, TreeCorrupt, TreeLoader } from "../src/index.ts"
import { applyBatch, type Client, PEER, text, World } from "./world.ts"

/** What a database makes of checkpoints. */
class Disk {
  readonly nodes = new Map<string, StoredNode>()
  readonly sessions = new Map<number, SessionRecord>()
  zxid = 0
  digest = 0

  /** Returns how many znodes were written. */
  write(world: World, duringReadOut: () => void = () => {}): number {
    const { changes, sessions } = world.tree
    const nodes = changes.capture()
    const table = sessions.capture()
    this.zxid = world.tree.zxid
    this.digest = world.tree.digest()
    for (const path of nodes.deleted) assert.isTrue(this.nodes.delete(path), `${path} had been stored`)
    let written = 0
    for (const node of nodes.upserted) {
      if (written++ === 0) duringReadOut()
      this.nodes.set(node.path, node)
    }
    for (const record of table.changed) this.sessions.set(record.id, record)
    for (const id of table.closed) this.sessions.delete(id)
    changes.release()
    return written
  }

  load(nodes: Iterable<StoredNode> = this.nodes.values()): Tree {
    const loader = new TreeLoader(99)
    loader.add(nodes)
    return loader.finish(this.zxid, this.digest, this.sessions.values())
  }
}

const contents = (tree: Tree): Array<StoredNode> => {
  const nodes: Array<StoredNode> = []
  const visit = (path: string): void => {
    const slot = tree.nodes.findPath(path)
    nodes.push(tree.stored(slot))
    const { rows } = tree.nodes
    const children: Array<string> = []
    for (let child = rows.get(slot, 19); child !== 0; child = rows.get(child, 20)) children.push(tree.nodes.path(child))
    for (const child of children.sort()) visit(child)
  }
  visit("/")
  return nodes
}

const fill = (client: Client): void => {
  client.createOk("/a", { data: text("one") })
  client.createOk("/a/b", { data: null })
  client.createOk("/a/b/c", { acl: [{ perms: 1, id: { scheme: "digest", id: "u:h" } }] })
  client.createOk("/e", { flags: CreateMode.EPHEMERAL })
  client.createOk("/c", { op: OpCode.createContainer })
  client.setData("/a", text("two"))
  client.createOk("/q")
  client.createOk("/q/n", { flags: CreateMode.PERSISTENT_SEQUENTIAL })
  client.delete("/q/n0000000000")
}

describe("a checkpoint", () => {
  it("brings the very tree back, in whatever order its rows come", () => {
    const world = new World()
    fill(world.client())
    const disk = new Disk()
    disk.write(world)
    for (const order of [[...disk.nodes.values()], [...disk.nodes.values()].reverse()]) {
      const tree = disk.load(order)
      assert.deepEqual(contents(tree), contents(world.tree))
      assert.equal(tree.digest(), world.tree.digest())
      assert.equal(tree.zxid, world.tree.zxid)
      assert.equal(tree.nodes.dataSize, world.tree.nodes.dataSize)
      assert.equal(tree.ephemeralCount, 1)
      assert.equal(tree.sweepable.size, 1)
      assert.deepEqual(tree.sessions.copies(), world.tree.sessions.copies())
      assert.equal(tree.changes.pending, 0, "what has been loaded is no change")
      assert.isFalse(tree.sessions.hasChanges)
    }
  })
  it("goes on like the tree that it was taken of", () => {
    const world = new World()
    const client = world.client()
    fill(client)
    const disk = new Disk()
    disk.write(world)
    const loaded = disk.load()
    client.createOk("/q/n", { flags: CreateMode.PERSISTENT_SEQUENTIAL })
    client.run(OpCode.closeSession, () => {})
    const applier = new Applier(loaded, PEER)
    for (const batch of world.batches) applyBatch(applier, batch)
    assert.deepEqual(contents(loaded), contents(world.tree))
    assert.equal(loaded.digest(), world.tree.digest())
  })
  it("costs what has changed, not what is there", () => {
    const world = new World()
    const client = world.client()
    for (let i = 0; i < 300; i++) client.createOk(`/n${i}`)
    const disk = new Disk()
    disk.write(world)
    client.setData("/n5", text("x"))
    client.setData("/n5", text("y"))
    assert.equal(disk.write(world), 1)
    client.createOk("/n5/child")
    assert.equal(disk.write(world), 2, "the child and its parent")
    client.createOk("/n6/passing")
    client.delete("/n6/passing")
    assert.equal(disk.write(world), 1, "what came and went is nobody's business")
    assert.deepEqual(contents(disk.load()), contents(world.tree))
  })
  it("deletes what is gone, and not what has come again", () => {
    const world = new World()
    const client = world.client()
    for (const path of ["/gone", "/again"]) client.createOk(path)
    const disk = new Disk()
    disk.write(world)
    for (const path of ["/gone", "/again"]) client.delete(path)
    client.createOk("/again", { data: text("new") })
    disk.write(world)
    assert.isFalse(disk.nodes.has("/gone"))
    assert.deepEqual(contents(disk.load()), contents(world.tree))
    client.delete("/again")
    disk.write(world)
    assert.deepEqual(contents(disk.load()), contents(world.tree))
  })
  it("is the tree as of its zxid, whatever happens while it is read out", () => {
    const world = new World()
    const client = world.client()
    fill(client)
    for (const path of ["/x1", "/x2", "/x3"]) client.createOk(path, { data: text(path) })
    const disk = new Disk()
    const expected = contents(world.tree)
    const { digest } = { digest: world.tree.digest() }
    disk.write(world, () => {
      client.setData("/x1", text("changed"))
      client.delete("/x2")
      client.createOk("/x2", { data: text("another") })
      client.delete("/x3")
      client.createOk("/reusesTheRow")
      client.createOk("/x1/child")
    })
    const loaded = disk.load()
    assert.deepEqual(contents(loaded), expected)
    assert.equal(loaded.digest(), digest)
    disk.write(world)
    assert.deepEqual(contents(disk.load()), contents(world.tree), "and the next one has the rest")
  })
  it("is not begun while another is being read out", () => {
    const world = new World()
    world.tree.changes.capture()
    assert.throws(() => world.tree.changes.capture(), /another/)
  })
  it("is refused if it is not what was stored", () => {
    const world = new World()
    fill(world.client())
    const disk = new Disk()
    disk.write(world)
    const { nodes } = disk
    const a = nodes.get("/a")!
    nodes.set("/a", { ...a, data: text("tampered") })
    assert.throws(() => disk.load(), TreeCorrupt)
    nodes.set("/a", a)
    nodes.delete("/a/b")
    assert.throws(() => disk.load(), /children of \/a\/b/)
  })
})

describe("the digest", () => {
  it("is the same whichever way a tree has come about", () => {
    const world = new World()
    const client = world.client()
    const digests = new Set<number>()
    const sameFromScratch = () => {
      const disk = new Disk()
      const loader = new TreeLoader(1)
      loader.add(contents(world.tree))
      const digest = world.tree.digest()
      assert.isTrue(Number.isSafeInteger(digest) && digest >= 0)
      loader.finish(world.tree.zxid, digest, disk.sessions.values())
      digests.add(digest)
    }
    fill(client)
    sameFromScratch()
    client.setAcl("/a", [{ perms: 31, id: { scheme: "ip", id: "127.0.0.1" } }])
    sameFromScratch()
    client.delete("/a/b/c")
    client.run(OpCode.closeSession, () => {})
    sameFromScratch()
    assert.equal(digests.size, 3)
  })
  it("tells every field apart", () => {
    const digestOf = (change: (client: Client) => void): number => {
      const world = new World()
      const client = world.client()
      client.createOk("/a", { data: text("abc") })
      change(client)
      return world.tree.digest()
    }
    const digests = [
      digestOf(() => {}),
      digestOf((client) => client.setData("/a", text("abd"))),
      digestOf((client) => client.setData("/a", text("abc"))),
      digestOf((client) => client.setData("/a", null)),
      digestOf((client) => client.setData("/a", text(""))),
      digestOf((client) => client.createOk("/b")),
      digestOf((client) => client.createOk("/b", { flags: CreateMode.EPHEMERAL })),
      digestOf((client) => client.createOk("/b", { op: OpCode.createContainer })),
      digestOf((client) => client.delete("/a"))
    ]
    assert.equal(new Set(digests).size, digests.length)
  })
  it("does not count the configuration, which is each peer's own", () => {
    const [plain, configured] = [new Tree(), new Tree()]
    configured.setConfig("server.1=here:1:2:participant\nversion=0")
    assert.equal(plain.digest(), configured.digest())
  })
})

describe("replay", () => {
  it("does nothing a second time", () => {
    const world = new World()
    const client = world.client()
    fill(client)
    client.create("/none/x")
    const before = contents(world.tree)
    const digest = world.tree.digest()
    for (const batch of world.batches) assert.deepEqual(applyBatch(world.applier, batch), [])
    assert.deepEqual(contents(world.tree), before)
    assert.equal(world.tree.digest(), digest)
  })
  it("gives every peer the same tree, and the same answers to whom they concern", () => {
    const world = new World()
    fill(world.client())
    const other = new Applier(new Tree(5), 2)
    for (const batch of world.batches) {
      for (const txn of applyBatch(other, batch)) assert.isUndefined(txn.reply, "its sessions are another peer's")
    }
    assert.equal((other as unknown as { tree: Tree }).tree.digest(), world.tree.digest())
  })
  it("stops at a hole", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    client.createOk("/b")
    const applier = new Applier(new Tree(), PEER)
    applyBatch(applier, world.batches[0]!)
    assert.throws(() => applyBatch(applier, world.batches[2]!), TreeCorrupt)
  })
})
