import { assert, describe, it } from "@effect/vitest"
import {
  CreateMode,
  ErrorCode,
  JuteError,
  JuteReader,
  JuteWriter,
  type MultiResult,
  type MultiWrite,
  OpCode,
  readMultiReadRequest,
  readMultiRequest,
  readMultiResponse,
  writeMultiEnd,
  writeMultiHeader,
  writeMultiReadRequest,
  writeMultiRequest,
  writeMultiResponse
} from "@zkmesh/protocol"

const written = (write: (writer: JuteWriter) => void): Uint8Array => {
  const writer = new JuteWriter()
  write(writer)
  return writer.take()
}
const data = Buffer.from("x")
const acl = [{ perms: 31, id: { scheme: "world", id: "anyone" } }]
const ops: Array<MultiWrite> = [
  { op: OpCode.create, path: "/a", data, acl, flags: CreateMode.EPHEMERAL_SEQUENTIAL },
  { op: OpCode.create2, path: "/b", data: null, acl, flags: 0 },
  { op: OpCode.createContainer, path: "/c", data, acl, flags: CreateMode.CONTAINER },
  { op: OpCode.createTTL, path: "/t", data, acl, flags: CreateMode.PERSISTENT_WITH_TTL, ttl: 1000 },
  { op: OpCode.delete, path: "/a", version: 3 },
  { op: OpCode.setData, path: "/b", data, version: -1 },
  { op: OpCode.check, path: "/b", version: 0 }
]
const stat = {
  czxid: 1,
  mzxid: 2,
  ctime: 3,
  mtime: 4,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 0,
  dataLength: 8,
  numChildren: 9,
  pzxid: 10
}
const results: Array<MultiResult> = [
  { type: OpCode.create, path: "/a0000000001" },
  { type: OpCode.create2, path: "/b", stat },
  { type: OpCode.delete },
  { type: OpCode.setData, stat },
  { type: OpCode.check },
  { type: OpCode.getChildren, children: ["a", "b"] },
  { type: OpCode.getData, data, stat },
  { type: OpCode.error, err: ErrorCode.RUNTIMEINCONSISTENCY }
]
const reading = (ops: ReadonlyArray<MultiWrite>) =>
  readMultiRequest(new JuteReader(written((w) => writeMultiRequest(w, ops))))

describe("multi", () => {
  it("comes back as it went", () => {
    assert.deepStrictEqual(reading(ops), ops)
    assert.deepStrictEqual(reading([]), [])
  })

  it("is this frame when empty, and this one with a delete", () => {
    const hex = (list: ReadonlyArray<MultiWrite>) =>
      Buffer.from(written((w) => writeMultiRequest(w, list))).toString("hex")
    assert.strictEqual(hex([]), "ffffffff01ffffffff")
    assert.strictEqual(
      hex([{ op: OpCode.delete, path: "/a", version: 3 }]),
      "0000000200ffffffff" + "000000022f61" + "00000003" + "ffffffff01ffffffff"
    )
  })

  it("reads container and TTL creates as ZooKeeper does", () => {
    const create = { path: "/a", data: null, acl }
    const opOf = (op: MultiWrite) => reading([op])[0]!.op
    assert.strictEqual(opOf({ op: OpCode.create, ...create, flags: CreateMode.CONTAINER }), OpCode.createContainer)
    assert.strictEqual(opOf({ op: OpCode.create2, ...create, flags: CreateMode.CONTAINER }), OpCode.createContainer)
    const plain = reading([{ op: OpCode.createTTL, ...create, flags: CreateMode.EPHEMERAL, ttl: 5 }])[0]!
    assert.strictEqual(plain.op, OpCode.create)
  })

  it("refuses as a whole what does not belong", () => {
    const create = { path: "/a", data: null, acl }
    for (const op of [
      { op: OpCode.create, ...create, flags: 7 },
      { op: OpCode.create, ...create, flags: -1 },
      { op: OpCode.create, ...create, flags: CreateMode.PERSISTENT_WITH_TTL },
      { op: OpCode.create2, ...create, acl: null, flags: 0 }
    ] as const) {
      assert.throws(() => reading([op]), JuteError)
    }
    const foreign = (op: number) =>
      written((w) => {
        writeMultiHeader(w, op, false, -1)
        w.ustring("/a")
        w.int(0)
        writeMultiEnd(w)
      })
    for (const op of [OpCode.getData, OpCode.getChildren, OpCode.setACL, OpCode.multi, 0, 999]) {
      assert.throws(() => readMultiRequest(new JuteReader(foreign(op))), JuteError)
    }
    for (const op of [OpCode.delete, OpCode.create, OpCode.exists]) {
      assert.throws(() => readMultiReadRequest(new JuteReader(foreign(op))), JuteError)
    }
  })

  it("throws when it is cut anywhere", () => {
    const bytes = written((w) => writeMultiRequest(w, ops))
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => readMultiRequest(new JuteReader(bytes, 0, length)), JuteError)
    }
  })
})

it("multiRead comes back as it went, and is cut short nowhere", () => {
  const reads = [
    { op: OpCode.getData, path: "/a" },
    { op: OpCode.getChildren, path: "/b" }
  ] as const
  const bytes = written((w) => writeMultiReadRequest(w, reads))
  assert.deepStrictEqual(readMultiReadRequest(new JuteReader(bytes)), [...reads])
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readMultiReadRequest(new JuteReader(bytes, 0, length)), JuteError)
  }
})

it("a response comes back as it went, and is cut short nowhere", () => {
  const bytes = written((w) => writeMultiResponse(w, results))
  const received = results.map((result) =>
    "stat" in result ? { ...result, stat: { ...stat, ephemeralOwner: "0x0" } } : result
  )
  assert.deepStrictEqual(readMultiResponse(new JuteReader(bytes)), received as never)
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readMultiResponse(new JuteReader(bytes, 0, length)), JuteError)
  }
  const failed = written((w) => writeMultiResponse(w, [{ type: OpCode.error, err: ErrorCode.NONODE }]))
  assert.strictEqual(Buffer.from(failed).toString("hex"), "ffffffff00ffffff9b" + "ffffff9b" + "ffffffff01ffffffff")
})
