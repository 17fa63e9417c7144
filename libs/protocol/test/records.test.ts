import { assert, describe, it } from "@effect/vitest"
import {
  type ConnectRequest,
  CreateMode,
  ErrorCode,
  EventType,
  errorName,
  expiredResponse,
  isClientOp,
  JuteError,
  JuteReader,
  JuteWriter,
  OpCode,
  opName,
  Perms,
  readAddWatchRequest,
  readAuthRequest,
  readConnectRequest,
  readConnectResponse,
  readCreate2Response,
  readCreateRequest,
  readCreateTTLRequest,
  readErrorResponse,
  readGetACLResponse,
  readGetChildren2Response,
  readGetDataResponse,
  readMultiHeader,
  readNumberResponse,
  readOptionalPathRequest,
  readPathRequest,
  readPathResponse,
  readPathsResponse,
  readReconfigRequest,
  readReplyHeader,
  readRequestHeader,
  readSaslToken,
  readSetACLRequest,
  readSetDataRequest,
  readSetWatches2Request,
  readSetWatchesRequest,
  readStat,
  readVersionedPathRequest,
  readWatchedPathRequest,
  readWatcherEvent,
  readWatchTypeRequest,
  readWhoAmIResponse,
  STAT_BYTES,
  writeAddWatchRequest,
  writeAuthRequest,
  writeConnectRequest,
  writeConnectResponse,
  writeCreate2Response,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeEmptyReply,
  writeErrorResponse,
  writeGetACLResponse,
  writeGetChildren2Response,
  writeGetDataResponse,
  writeMultiHeader,
  writeNotification,
  writeNumberResponse,
  writeOptionalPathRequest,
  writePathRequest,
  writePathResponse,
  writePathsResponse,
  writeReconfigRequest,
  writeReplyHeader,
  writeRequestHeader,
  writeSaslToken,
  writeSetACLRequest,
  writeSetDataRequest,
  writeSetWatches2Request,
  writeSetWatchesRequest,
  writeStat,
  writeVersionedPathRequest,
  writeWatchedPathRequest,
  writeWatcherEvent,
  writeWatchTypeRequest,
  writeWhoAmIResponse
} from "@zkmesh/protocol"

const written = (write: (writer: JuteWriter) => void): Uint8Array => {
  const writer = new JuteWriter()
  write(writer)
  return writer.take()
}
const hexOf = (write: (writer: JuteWriter) => void): string => Buffer.from(written(write)).toString("hex")

const stat = {
  czxid: 0x1_0000_0001,
  mzxid: 0x2_0000_0002,
  ctime: 1_700_000_000_001,
  mtime: 1_700_000_000_002,
  version: 3,
  cversion: -1,
  aversion: 5,
  ephemeralOwner: 0x3_0000_0003,
  dataLength: 7,
  numChildren: 8,
  pzxid: 0x4_0000_0004
}
const received = { ...stat, ephemeralOwner: "0x300000003" }
const acl = [
  { perms: Perms.ALL, id: { scheme: "world", id: "anyone" } },
  { perms: Perms.READ, id: { scheme: "digest", id: "u:x" } }
]
const data = Buffer.from("data")
const session = Buffer.from("0100001234567000", "hex")
const connect: ConnectRequest = {
  lastZxidSeen: 0x1_0000_0009,
  timeoutMs: 30_000,
  sessionId: session,
  password: new Uint8Array(16).fill(9),
  readOnly: true
}

describe("the handshake", () => {
  it("has the sizes of the reference, with and without readOnly", () => {
    const { readOnly: _, ...rest } = connect
    assert.strictEqual(written((w) => writeConnectRequest(w, connect)).length, 45)
    assert.strictEqual(written((w) => writeConnectRequest(w, { ...rest, readOnly: undefined })).length, 44)
    const response = { timeoutMs: 4000, sessionId: 0x1_0000_0001, password: new Uint8Array(16), readOnly: false }
    assert.strictEqual(written((w) => writeConnectResponse(w, response)).length, 37)
    assert.strictEqual(written((w) => writeConnectResponse(w, { ...response, readOnly: undefined })).length, 36)
  })

  it("is these bytes", () => {
    assert.strictEqual(
      hexOf((w) => writeConnectRequest(w, connect)),
      `00000000${"0000000100000009"}00007530${"0100001234567000"}00000010${"09".repeat(16)}01`
    )
    assert.strictEqual(
      hexOf((w) => writeConnectResponse(w, expiredResponse(false))),
      `0000000000000000${"00".repeat(8)}00000010${"00".repeat(16)}00`
    )
  })

  it("tells a missing readOnly from a false one", () => {
    const read = (readOnly: boolean | undefined) =>
      readConnectRequest(new JuteReader(written((w) => writeConnectRequest(w, { ...connect, readOnly })))).readOnly
    assert.deepStrictEqual([read(true), read(false), read(undefined)], [true, false, undefined])
  })

  it("a session id of 64 bits is no safe integer, one of ours is exact", () => {
    const read = (sessionId: Uint8Array | undefined) =>
      readConnectRequest(new JuteReader(written((w) => writeConnectRequest(w, { ...connect, sessionId })))).sessionId
    assert.isFalse(Number.isSafeInteger(read(session)))
    assert.strictEqual(read(Buffer.from("0000000100000004", "hex")), 0x1_0000_0004)
    assert.strictEqual(read(undefined), 0)
  })

  it("the client reads what the server wrote", () => {
    const password = new Uint8Array(16).fill(3)
    const bytes = written((w) =>
      writeConnectResponse(w, { timeoutMs: 4000, sessionId: 0x1_0000_0001, password, readOnly: undefined })
    )
    const response = readConnectResponse(new JuteReader(bytes))
    assert.strictEqual(Buffer.from(response.sessionId).toString("hex"), "0000000100000001")
    assert.deepStrictEqual(
      [response.protocolVersion, response.timeoutMs, response.readOnly, response.password],
      [0, 4000, false, password]
    )
  })
})

describe("headers and notifications", () => {
  it("are these bytes", () => {
    assert.strictEqual(
      hexOf((w) => writeEmptyReply(w, 5, 0x1_0000_0002, ErrorCode.NONODE)),
      "0000001000000005" + "0000000100000002" + "ffffff9b"
    )
    assert.strictEqual(
      hexOf((w) => writeNotification(w, -1, EventType.NodeDeleted, "/a")),
      "0000001e" + "ffffffff" + "ffffffffffffffff" + "00000000" + "00000002" + "00000003" + "000000022f61"
    )
    assert.strictEqual(
      hexOf((w) => writeMultiHeader(w, -1, true, -1)),
      "ffffffff01ffffffff"
    )
  })

  it("beginReply writes what writeReplyHeader writes", () => {
    for (const zxid of [-1, 0, 7, 0x5_ffff_fffe]) {
      const framed = hexOf((w) => {
        const at = w.beginReply(-2, zxid, -4)
        w.int(77)
        w.endFrame(at)
      })
      assert.strictEqual(framed, `00000014${hexOf((w) => writeReplyHeader(w, -2, zxid, -4))}0000004d`)
    }
  })

  it("a Stat is 68 bytes in the order of the reference", () => {
    const bytes = hexOf((w) => writeStat(w, stat))
    assert.strictEqual(bytes.length, 2 * STAT_BYTES)
    assert.strictEqual(
      bytes,
      "0000000100000001" +
        "0000000200000002" +
        "0000018bcfe56801" +
        "0000018bcfe56802" +
        "00000003ffffffff00000005" +
        "0000000300000003" +
        "0000000700000008" +
        "0000000400000004"
    )
  })
})

/** Every record: how it is written, how it is read, what must come out. */
const records: Record<string, { write: (w: JuteWriter) => void; read: (r: JuteReader) => unknown; value: unknown }> = {
  requestHeader: {
    write: (w) => writeRequestHeader(w, 7, OpCode.getData),
    read: readRequestHeader,
    value: { xid: 7, type: 4 }
  },
  replyHeader: {
    write: (w) => writeReplyHeader(w, 7, 0x1_0000_0002, -101),
    read: readReplyHeader,
    value: { xid: 7, zxid: 0x1_0000_0002, err: -101 }
  },
  multiHeader: {
    write: (w) => writeMultiHeader(w, 5, false, -1),
    read: readMultiHeader,
    value: { type: 5, done: false, err: -1 }
  },
  watcherEvent: {
    write: (w) => writeWatcherEvent(w, { type: 3, state: 3, path: "/a" }),
    read: readWatcherEvent,
    value: { type: 3, state: 3, path: "/a" }
  },
  stat: { write: (w) => writeStat(w, stat), read: readStat, value: received },
  create: {
    write: (w) => writeCreateRequest(w, { path: "/a", data, acl, flags: CreateMode.EPHEMERAL }),
    read: readCreateRequest,
    value: { path: "/a", data, acl, flags: 1 }
  },
  createNulls: {
    write: (w) => writeCreateRequest(w, { path: "/a", data: null, acl: null, flags: 0 }),
    read: readCreateRequest,
    value: { path: "/a", data: null, acl: null, flags: 0 }
  },
  createTTL: {
    write: (w) => writeCreateTTLRequest(w, { path: "/a", data, acl, flags: 5, ttl: 0xff_ffff_ffff }),
    read: readCreateTTLRequest,
    value: { path: "/a", data, acl, flags: 5, ttl: 0xff_ffff_ffff }
  },
  versionedPath: {
    write: (w) => writeVersionedPathRequest(w, { path: "/a", version: -1 }),
    read: readVersionedPathRequest,
    value: { path: "/a", version: -1 }
  },
  watchedPath: {
    write: (w) => writeWatchedPathRequest(w, { path: "/a", watch: true }),
    read: readWatchedPathRequest,
    value: { path: "/a", watch: true }
  },
  setData: {
    write: (w) => writeSetDataRequest(w, { path: "/a", data, version: 2 }),
    read: readSetDataRequest,
    value: { path: "/a", data, version: 2 }
  },
  path: { write: (w) => writePathRequest(w, { path: "/a" }), read: readPathRequest, value: { path: "/a" } },
  optionalPath: {
    write: (w) => writeOptionalPathRequest(w, { path: null }),
    read: readOptionalPathRequest,
    value: { path: null }
  },
  setACL: {
    write: (w) => writeSetACLRequest(w, { path: "/a", acl, version: 1 }),
    read: readSetACLRequest,
    value: { path: "/a", acl, version: 1 }
  },
  reconfig: {
    write: (w) =>
      writeReconfigRequest(w, { joiningServers: "server.1=a", leavingServers: null, newMembers: "", curConfigId: -1 }),
    read: readReconfigRequest,
    value: { joiningServers: "server.1=a", leavingServers: null, newMembers: "", curConfigId: -1 }
  },
  watchType: {
    write: (w) => writeWatchTypeRequest(w, { path: "/a", type: 3 }),
    read: readWatchTypeRequest,
    value: { path: "/a", type: 3 }
  },
  addWatch: {
    write: (w) => writeAddWatchRequest(w, { path: "/a", mode: 1 }),
    read: readAddWatchRequest,
    value: { path: "/a", mode: 1 }
  },
  auth: {
    write: (w) => writeAuthRequest(w, { scheme: "digest", auth: data }),
    read: readAuthRequest,
    value: { scheme: "digest", auth: data }
  },
  setWatches: {
    write: (w) => writeSetWatchesRequest(w, { relativeZxid: 9, data: ["/a"], exist: [], child: ["/b", "/c"] }),
    read: readSetWatchesRequest,
    value: { relativeZxid: 9, data: ["/a"], exist: [], child: ["/b", "/c"] }
  },
  setWatches2: {
    write: (w) =>
      writeSetWatches2Request(w, {
        relativeZxid: 9,
        data: ["/a"],
        exist: ["/e"],
        child: [],
        persistent: ["/p"],
        persistentRecursive: ["/"]
      }),
    read: readSetWatches2Request,
    value: { relativeZxid: 9, data: ["/a"], exist: ["/e"], child: [], persistent: ["/p"], persistentRecursive: ["/"] }
  },
  sasl: { write: (w) => writeSaslToken(w, { token: data }), read: readSaslToken, value: { token: data } },
  pathResponse: { write: (w) => writePathResponse(w, "/a"), read: readPathResponse, value: "/a" },
  create2Response: {
    write: (w) => writeCreate2Response(w, "/a", stat),
    read: readCreate2Response,
    value: { path: "/a", stat: received }
  },
  getDataResponse: {
    write: (w) => writeGetDataResponse(w, data, stat),
    read: readGetDataResponse,
    value: { data, stat: received }
  },
  getACLResponse: {
    write: (w) => writeGetACLResponse(w, acl, stat),
    read: readGetACLResponse,
    value: { acl, stat: received }
  },
  pathsResponse: { write: (w) => writePathsResponse(w, ["a", "b"]), read: readPathsResponse, value: ["a", "b"] },
  getChildren2Response: {
    write: (w) => writeGetChildren2Response(w, ["a", "b"], stat),
    read: readGetChildren2Response,
    value: { children: ["a", "b"], stat: received }
  },
  numberResponse: { write: (w) => writeNumberResponse(w, 12), read: readNumberResponse, value: 12 },
  errorResponse: { write: (w) => writeErrorResponse(w, 0), read: readErrorResponse, value: 0 },
  whoAmIResponse: {
    write: (w) => writeWhoAmIResponse(w, [{ authScheme: "ip", user: "127.0.0.1" }]),
    read: readWhoAmIResponse,
    value: [{ authScheme: "ip", user: "127.0.0.1" }]
  }
}

describe.each(Object.entries(records))("%s", (_name, { write, read, value }) => {
  it("comes back as it went, and ignores what follows", () => {
    const bytes = written(write)
    const reader = new JuteReader(Buffer.concat([bytes, Buffer.from("trailing")]))
    assert.deepStrictEqual(read(reader), value)
    assert.strictEqual(reader.offset, bytes.length)
  })

  it("throws when it is cut anywhere", () => {
    const bytes = written(write)
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => read(new JuteReader(bytes, 0, length)), JuteError)
    }
  })

  it("never throws anything but a JuteError on other bytes", () => {
    const bytes = Buffer.from(written(write))
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
        const broken = Buffer.from(bytes)
        broken[at] = byte
        try {
          read(new JuteReader(broken))
        } catch (error) {
          assert.instanceOf(error, JuteError)
        }
      }
    }
  })
})

it("names", () => {
  assert.deepStrictEqual([errorName(-101), errorName(0), errorName(-999)], ["NONODE", "OK", "ERROR-999"])
  assert.deepStrictEqual([opName(4), opName(-11), opName(99)], ["getData", "closeSession", "op99"])
})

it("knows what a client may ask for", () => {
  const allowed = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 100, 101, 102, 103, 104, 105, 106, 107
  ]
  const actual: Array<number> = []
  for (let op = -20; op < 200; op++) if (isClientOp(op)) actual.push(op)
  assert.deepStrictEqual(actual, [-11, ...allowed])
})
