import {
  CreateMode,
  ErrorCode,
  EventType,
  type MultiWrite,
  OpCode,
  writeMultiHeader,
  writeMultiRequest
} from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { OPEN_ACL } from "../src/index.ts"
import { text, World } from "./world.ts"

const create = (path: string, flags: number = CreateMode.PERSISTENT): MultiWrite => ({
  op: OpCode.create,
  path,
  data: text("d"),
  acl: [...OPEN_ACL],
  flags
})
const remove = (path: string, version = -1): MultiWrite => ({ op: OpCode.delete, path, version })
const check = (path: string, version = -1): MultiWrite => ({ op: OpCode.check, path, version })
const setData = (path: string, version = -1): MultiWrite => ({ op: OpCode.setData, path, data: text("new"), version })

describe("a multi that succeeds (§6.2, §6.4)", () => {
  it("does everything in one transaction, and every operation sees those before it", () => {
    const world = new World()
    const client = world.client()
    const before = world.tree.zxid
    const results = client.multi([
      create("/a"),
      { ...create("/a/b"), op: OpCode.create2 } as MultiWrite,
      setData("/a", 0),
      check("/a", 1),
      remove("/a/b"),
      { ...create("/c"), op: OpCode.createContainer } as MultiWrite
    ])
    assert.equal(world.tree.zxid, before + 1)
    assert.deepEqual(
      results.map((result) => result.type),
      [OpCode.create, OpCode.create2, OpCode.setData, OpCode.check, OpCode.delete, OpCode.create2]
    )
    const [a, b, set] = results
    assert(a?.type === OpCode.create && b?.type === OpCode.create2 && set?.type === OpCode.setData)
    assert.equal(a.path, "/a")
    assert.equal(b.path, "/a/b")
    assert.equal(b.stat.czxid, before + 1)
    // As of the operation, not of the end: the child is deleted only later.
    assert.equal(set.stat.numChildren, 1)
    assert.equal(set.stat.version, 1)
    assert.equal(client.stat("/a").numChildren, 0)
    assert.equal(client.stat("/a").czxid, client.stat("/a").mzxid)
  })
  it("may be empty", () => {
    const world = new World()
    const client = world.client()
    const before = world.tree.zxid
    assert.deepEqual(client.multi([]), [])
    assert.equal(world.tree.zxid, before + 1)
  })
  it("fires for every operation, in order", () => {
    const client = new World().client()
    const { txn } = client.run(OpCode.multi, (w) => writeMultiRequest(w, [create("/a"), setData("/a"), remove("/a")]))
    assert.deepEqual(
      txn.events?.map((event) => event.type),
      [EventType.NodeCreated, EventType.NodeDataChanged, EventType.NodeDeleted]
    )
    assert.equal(client.exists("/a"), false)
  })
  it("takes container flags on create for createContainer", () => {
    const world = new World()
    const [result] = world.client().multi([create("/c", CreateMode.CONTAINER)])
    assert.equal(result?.type, OpCode.create2)
    assert.equal(world.tree.sweepable.size, 1)
  })
})

describe("a multi that fails (§6.3)", () => {
  it("says which operation failed, and that the others did not run", () => {
    const world = new World()
    const client = world.client()
    const before = world.tree.zxid
    const results = client.multi([create("/a"), create("/none/x"), create("/b")])
    assert.deepEqual(results, [
      { type: OpCode.error, err: ErrorCode.OK },
      { type: OpCode.error, err: ErrorCode.NONODE },
      { type: OpCode.error, err: ErrorCode.RUNTIMEINCONSISTENCY }
    ])
    assert.equal(world.tree.zxid, before + 1)
    assert.isFalse(client.exists("/a"))
  })
  it("is taken back whole, the parents' counters included", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/q")
    client.sendCreate("/q/n", { flags: CreateMode.PERSISTENT_SEQUENTIAL })
    client.send(OpCode.multi, (w) =>
      writeMultiRequest(w, [
        create("/q/n", CreateMode.PERSISTENT_SEQUENTIAL),
        remove("/q/n0000000000"),
        remove("/none")
      ])
    )
    client.sendCreate("/q/n", { flags: CreateMode.PERSISTENT_SEQUENTIAL })
    client.send(OpCode.delete, (w) => {
      w.ustring("/q")
      w.int(-1)
    })
    const types = world.apply().map((txn) => txn.type)
    assert.deepEqual(types, [OpCode.create, OpCode.multi, OpCode.create, OpCode.error])
    assert.deepEqual(client.children("/q"), ["n0000000000", "n0000000001"])
    assert.equal(client.stat("/q").cversion, 2)
  })
  it("gives back ephemerals that it had taken or made", () => {
    const world = new World()
    const client = world.client()
    client.sendCreate("/mine", { flags: CreateMode.EPHEMERAL })
    client.send(OpCode.multi, (w) =>
      writeMultiRequest(w, [remove("/mine"), create("/mine"), create("/e", CreateMode.EPHEMERAL), check("/none")])
    )
    client.send(OpCode.closeSession, () => {})
    const closing = world.apply().at(-1)
    assert.deepEqual(closing?.events, [{ type: EventType.NodeDeleted, path: "/mine" }])
  })
})

describe("a multi that cannot be decoded (§6.1)", () => {
  it("fails as a whole, without a body", () => {
    const client = new World().client()
    const err = (ops: ReadonlyArray<unknown>) =>
      client.run(OpCode.multi, (w) => writeMultiRequest(w, ops as ReadonlyArray<MultiWrite>)).err
    assert.equal(err([create("/a"), { ...create("/b"), flags: 9 }]), ErrorCode.MARSHALLINGERROR)
    assert.equal(err([{ ...create("/b"), acl: null }]), ErrorCode.MARSHALLINGERROR)
    assert.equal(err([{ ...create("/b"), flags: CreateMode.PERSISTENT_WITH_TTL }]), ErrorCode.MARSHALLINGERROR)
    const withRead = client.run(OpCode.multi, (w) => {
      writeMultiHeader(w, OpCode.getData, false, -1)
      w.ustring("/")
      w.bool(false)
      writeMultiHeader(w, -1, true, -1)
    })
    assert.equal(withRead.err, ErrorCode.MARSHALLINGERROR)
    assert.isFalse(client.exists("/a"))
  })
})
