import { CreateMode, ErrorCode, OpCode, writeMultiReadRequest } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import type { Traffic } from "../src/index.ts"
import { type Client, text, World } from "./world.ts"

const STAT = 68
const OPEN = [{ perms: 31, id: { scheme: "world", id: "anyone" } }]

/** Writes down what is told: what was done, to which path, how many bytes. */
class Heard implements Traffic {
  private said: Array<[string, string, number]> = []

  readonly read = (buffer: Uint8Array, start: number, end: number, bytes: number): void =>
    this.readPath(Buffer.from(buffer.subarray(start, end)).toString(), bytes)
  readonly readPath = (path: string, bytes: number): void => void this.said.push(["read", path, bytes])
  readonly wrote = (buffer: Uint8Array, start: number, end: number, bytes: number): void =>
    void this.said.push(["wrote", Buffer.from(buffer.subarray(start, end)).toString(), bytes])
  readonly exceededQuota = (path: string): void => void this.said.push(["exceeded", path, 0])

  /** Since the last call. */
  take(): ReadonlyArray<[string, string, number]> {
    const { said } = this
    this.said = []
    return said
  }
}

const start = (): { readonly heard: Heard; readonly client: Client } => {
  const heard = new Heard()
  return { heard, client: new World({ traffic: heard, enforceQuota: true }).client() }
}
const get = (client: Client, op: number, path: string) =>
  client.read(op, (w) => {
    w.ustring(path)
    w.bool(false)
  }).err

describe("whoever counts the traffic", () => {
  it("hears of every write once it is applied, those of a multi and of a session's end too", () => {
    const { heard, client } = start()
    client.createOk("/a", { data: text("12345") })
    client.createOk("/a/b", { data: null })
    client.setData("/a", text("123"))
    client.delete("/a/b")
    assert.deepEqual(heard.take(), [
      ["wrote", "/a", 5],
      ["wrote", "/a/b", 0],
      ["wrote", "/a", 3],
      ["wrote", "/a/b", 0]
    ])
    assert.equal(client.create("/a"), ErrorCode.NODEEXISTS)
    client.multi([
      { op: OpCode.create, path: "/a/m", data: text("1"), acl: OPEN, flags: 0 },
      { op: OpCode.delete, path: "/none", version: -1 }
    ])
    assert.deepEqual(heard.take(), [], "what has failed")
    client.multi([
      {
        op: OpCode.create,
        path: "/a/e",
        data: text("12"),
        acl: OPEN,
        flags: CreateMode.EPHEMERAL
      },
      { op: OpCode.setData, path: "/a", data: text("1234"), version: -1 }
    ])
    client.run(OpCode.closeSession, () => {})
    assert.deepEqual(heard.take(), [
      ["wrote", "/a/e", 2],
      ["wrote", "/a", 4],
      ["wrote", "/a/e", 0]
    ])
  })

  it("hears of the reads that ZooKeeper counts, with a Stat each", () => {
    const { heard, client } = start()
    client.createOk("/a", { data: text("12345") })
    client.createOk("/a/one")
    client.createOk("/a/three")
    heard.take()
    get(client, OpCode.getData, "/a")
    get(client, OpCode.exists, "/a/one")
    get(client, OpCode.getChildren, "/a")
    get(client, OpCode.getChildren2, "/a")
    get(client, OpCode.getChildren2, "/a/one")
    assert.deepEqual(heard.take(), [
      ["read", "/a", 5 + STAT],
      ["read", "/a/one", STAT],
      ["read", "/a", 8 + STAT],
      ["read", "/a", 8 + STAT],
      ["read", "/a/one", STAT]
    ])
    get(client, OpCode.exists, "/none")
    get(client, OpCode.getData, "/none")
    client.read(OpCode.getACL, (w) => w.ustring("/a"))
    client.read(OpCode.ping, () => {})
    assert.deepEqual(heard.take(), [])
    client.read(OpCode.multiRead, (w) =>
      writeMultiReadRequest(w, [
        { op: OpCode.getData, path: "/a" },
        { op: OpCode.getData, path: "/none" },
        { op: OpCode.getChildren, path: "/a" }
      ])
    )
    assert.deepEqual(heard.take(), [
      ["read", "/a", 5 + STAT],
      ["read", "/a", 8 + STAT]
    ])
  })

  it("hears of what a hard quota refuses", () => {
    const { heard, client } = start()
    client.createOk("/a", { data: text("12345") })
    client.createOk("/zookeeper/quota/a")
    client.createOk("/zookeeper/quota/a/zookeeper_limits", { data: text("count=-1,bytes=-1=;byteHardLimit=6") })
    client.createOk("/zookeeper/quota/a/zookeeper_stats", { data: text("count=-1,bytes=-1") })
    heard.take()
    assert.equal(client.create("/a/b", { data: text("12") }), ErrorCode.QUOTAEXCEEDED)
    assert.equal(client.setData("/a", text("1234567")).err, ErrorCode.QUOTAEXCEEDED)
    assert.equal(client.setData("/a", text("123456")).err, 0)
    assert.deepEqual(heard.take(), [
      ["exceeded", "/a/b", 0],
      ["exceeded", "/a", 0],
      ["wrote", "/a", 6]
    ])
  })
})
