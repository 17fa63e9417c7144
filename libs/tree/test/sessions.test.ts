import { WriteRequest } from "@zkmesh/messages"
import { CreateMode, EventType, OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type Client, IP, PEER, World } from "./world.ts"

const attach = (
  world: World,
  client: Client,
  options: { token: number; password?: Uint8Array; lastZxidSeen?: number }
) =>
  world.preparer.open(
    {
      _tag: "Open",
      session: client.id,
      password: options.password ?? world.tree.sessions.get(client.id)?.password ?? new Uint8Array(16),
      timeoutMs: 9000,
      lastZxidSeen: options.lastZxidSeen ?? 0,
      peer: 2,
      token: options.token
    },
    world.now
  )
const expire = (world: World, client: Client) =>
  world.preparer.prepare(
    new WriteRequest(client.id, 0, 0, 0, OpCode.closeSession, [], new Uint8Array(0), 0, 0),
    world.now
  )

describe("a session", () => {
  it("is named by the transaction that creates it, and known to everyone by it", () => {
    const world = new World()
    const client = world.open({ timeoutMs: 12_000, token: 77 })
    const [txn] = world.apply()
    assert.equal(txn?.type, OpCode.createSession)
    assert.equal(txn?.session, txn?.zxid)
    assert(txn?.sessionChange?.kind === "created")
    assert.deepEqual(txn.sessionChange.record, {
      id: client.id,
      password: new Uint8Array(16).fill(77),
      timeoutMs: 12_000,
      peer: PEER,
      connection: client.id,
      seq: 0,
      token: 77
    })
    assert.isUndefined(txn.reply)
  })
  it("is created once, however often the same connection asks", () => {
    const world = new World()
    world.open({ token: 5 })
    const again = () =>
      world.preparer.open(
        { _tag: "Open", session: 0, password: new Uint8Array(16), timeoutMs: 1, lastZxidSeen: 0, peer: PEER, token: 5 },
        0
      )
    assert.equal(again(), "duplicate")
    world.apply()
    assert.equal(again(), "duplicate")
    assert.equal(world.tree.sessions.size, 1)
  })
  it("is refused to a client that has seen more than the ensemble has (§3.2)", () => {
    const world = new World()
    const verdict = world.preparer.open(
      {
        _tag: "Open",
        session: 0,
        password: new Uint8Array(16),
        timeoutMs: 1,
        lastZxidSeen: 2 ** 40,
        peer: 1,
        token: 1
      },
      0
    )
    assert.equal(verdict, "ahead")
  })
})

describe("attaching again", () => {
  it("takes the session over: a new connection, a new timeout, requests from 1 on", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a", { flags: CreateMode.EPHEMERAL })
    assert.equal(attach(world, client, { token: 900 }), "prepared")
    const [txn] = world.apply()
    assert(txn?.sessionChange?.kind === "attached")
    const { password: _, ...record } = txn.sessionChange.record
    assert.deepEqual(record, { id: client.id, timeoutMs: 9000, peer: 2, connection: txn.zxid, seq: 0, token: 900 })
    assert.isTrue(client.exists("/a"))
  })
  it("makes requests of the old connection moved, also while it is in flight", () => {
    const world = new World()
    const client = world.client()
    assert.equal(attach(world, client, { token: 900 }), "prepared")
    assert.equal(client.sendCreate("/a"), "moved")
    world.apply()
    assert.equal(client.sendCreate("/a"), "moved")
    client.connection = world.tree.sessions.get(client.id)!.connection
    client.seq = 0
    assert.equal(client.sendCreate("/a"), "prepared")
  })
  it("is done once, however often the same connection asks", () => {
    const world = new World()
    const client = world.client()
    attach(world, client, { token: 900 })
    assert.equal(attach(world, client, { token: 900 }), "duplicate")
    world.apply()
    assert.equal(attach(world, client, { token: 900 }), "duplicate")
  })
  it("needs the password, and a session", () => {
    const world = new World()
    const client = world.client()
    assert.equal(attach(world, client, { token: 1, password: new Uint8Array(16) }), "expired")
    assert.equal(attach(world, client, { token: 1, password: new Uint8Array(3) }), "expired")
    client.send(OpCode.closeSession, () => {})
    assert.equal(attach(world, client, { token: 1 }), "expired", "it is closing")
    world.apply()
    assert.equal(attach(world, client, { token: 1 }), "expired", "it is closed")
    assert.equal(attach(world, client, { token: 1, lastZxidSeen: 2 ** 40 }), "ahead")
  })
})

describe("exactly once", () => {
  it("drops what is in the log already, whether applied or in flight", () => {
    const world = new World()
    const client = world.client()
    client.sendCreate("/a")
    client.seq = 0
    assert.equal(client.sendCreate("/a"), "duplicate")
    world.apply()
    client.seq = 0
    assert.equal(client.sendCreate("/a"), "duplicate")
    assert.equal(client.sendCreate("/b"), "prepared")
  })
  it("notices a hole", () => {
    const client = new World().client()
    client.seq = 1
    assert.equal(client.sendCreate("/a"), "gap")
  })
  it("remembers across leaders what is in the tree", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    client.sendCreate("/lost")
    world.preparer.lead(2)
    client.seq = 0
    assert.equal(client.sendCreate("/a"), "duplicate")
    assert.equal(client.sendCreate("/lost"), "prepared")
    assert.equal(world.preparer.last, 2 * 2 ** 32 + 1)
  })
  it("counts failed requests as well", () => {
    const client = new World().client()
    client.create("/none/x")
    client.seq = 0
    assert.equal(client.sendCreate("/none/x"), "duplicate")
  })
})

describe("closing (§13.3)", () => {
  it("takes the ephemerals along: applied ones, those in flight, not those already deleted", () => {
    const world = new World()
    const client = world.client()
    const other = world.client()
    client.createOk("/dir")
    client.createOk("/dir/applied", { flags: CreateMode.EPHEMERAL })
    client.createOk("/deleted", { flags: CreateMode.EPHEMERAL })
    client.createOk("/again", { flags: CreateMode.EPHEMERAL })
    client.createOk("/others", { flags: CreateMode.EPHEMERAL })
    client.sendCreate("/inflight", { flags: CreateMode.EPHEMERAL })
    const remove = (path: string) =>
      client.send(OpCode.delete, (w) => {
        w.ustring(path)
        w.int(-1)
      })
    remove("/deleted")
    remove("/again")
    client.sendCreate("/again", { flags: CreateMode.EPHEMERAL })
    remove("/others")
    other.sendCreate("/others", { flags: CreateMode.EPHEMERAL })
    client.send(OpCode.closeSession, () => {})
    // What the close has taken is gone for whoever comes next, before it is applied.
    assert.equal(other.sendCreate("/inflight"), "prepared")
    const txns = world.apply()
    const closing = txns.find((txn) => txn.type === OpCode.closeSession)
    assert.deepEqual(closing?.events?.map((event) => event.path).sort(), ["/again", "/dir/applied", "/inflight"])
    assert.isTrue(closing?.events?.every((event) => event.type === EventType.NodeDeleted))
    assert.deepEqual(closing?.sessionChange, { kind: "closed", id: client.id })
    assert.isDefined(closing?.reply)
    assert.equal(txns.at(-1)?.type, OpCode.create)
    assert.deepEqual(other.children("/"), ["dir", "inflight", "others", "zookeeper"])
    assert.equal(other.stat("/dir").cversion, 2)
    assert.equal(other.stat("/dir").pzxid, closing?.zxid)
  })
  it("ends the session for its own later requests, which came too late", () => {
    const world = new World()
    const client = world.client()
    client.send(OpCode.closeSession, () => {})
    assert.equal(client.sendCreate("/a"), "expired")
    assert.equal(client.sendCreate("/b"), "expired")
    world.apply()
    assert.equal(client.sendCreate("/c"), "expired")
  })
  it("is recognised when it is asked for again while in flight", () => {
    const world = new World()
    const client = world.client()
    client.send(OpCode.closeSession, () => {})
    client.seq = 0
    assert.equal(
      client.send(OpCode.closeSession, () => {}),
      "duplicate"
    )
  })
  it("comes from the ensemble when a session has been silent: once, without a reply", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/e", { flags: CreateMode.EPHEMERAL })
    assert.equal(expire(world, client), "prepared")
    assert.equal(expire(world, client), "duplicate")
    const [txn] = world.apply()
    assert.isUndefined(txn?.reply)
    assert.equal(txn?.events?.[0]?.path, "/e")
    assert.equal(expire(world, client), "duplicate")
    assert.equal(client.sendCreate("/a"), "expired")
    assert.isUndefined(world.tree.ephemerals.get(client.id))
  })
  it("leaves nothing behind in the leader's memory", () => {
    const world = new World()
    for (let i = 0; i < 50; i++) {
      const client = world.open()
      client.sendCreate(`/e${i}`, { flags: CreateMode.EPHEMERAL })
      client.send(OpCode.closeSession, () => {})
      if (i % 7 === 0) world.apply()
    }
    world.apply()
    assert.equal(world.preparer.inFlight, 0)
    assert.equal(world.tree.sessions.size, 0)
    assert.equal(world.tree.ephemeralCount, 0)
    assert.deepEqual(IP.length, 1)
  })
})
