import { Writer } from "../recorder/wire.ts"
import type { Random } from "./random.ts"

/** Every opcode that ZooKeeper 3.9 has on the wire, and some that it has not: those between our own services among them. */
const OPS = [
  0,
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  11,
  12,
  13,
  14,
  15,
  16,
  17,
  18,
  19,
  20,
  21,
  22,
  100,
  101,
  102,
  103,
  104,
  105,
  106,
  107,
  120,
  121,
  122,
  123,
  124,
  -1,
  -10,
  -11,
  10,
  23,
  99,
  127,
  1000,
  2 ** 31 - 1,
  -(2 ** 31)
]

/** Lengths, counts and versions at which code goes wrong. */
const EDGES = [
  0, 1, -1, -2, 2, 3, 4, 7, 8, 15, 16, 31, 127, 128, 255, 256, 1024, 65_535, 65_536, 0xf_fffe, 0xf_ffff, 0x10_0000,
  0x1f_fffe, 0x1f_ffff, 0x7fff_ffff, -0x8000_0000, -0x7fff_ffff
]

const ZXIDS = [-1n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]

const NAMES = ["a", "b", "c", "s-", "ünï", "日本", "x".repeat(300), "e", "deep/er/est", ".", "..", "", "a\0b", "a//b"]

/** What a client that proves itself by DIGEST-MD5 says, and what it might say. */
const TOKENS = [
  "",
  'username="user",realm="zk-sasl-md5",nonce="x",nc=00000001,cnonce="y",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=0123456789abcdef0123456789abcdef,qop=auth,authzid="user"',
  'username="user',
  'username="us\\"er",username="again",,=,charset=utf-8'
]

/** A path below the fuzz's own root, or one that no client may use. */
const pathOf = (random: Random, root: string): string => {
  if (random.chance(4))
    return random.pick(["", "/", "relative", "//", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"])
  return random.chance(10) ? root : `${root}/${random.pick(NAMES)}`
}

const aclOf = (random: Random, writer: Writer): Writer => {
  if (random.chance(70)) return writer.openAcl()
  if (random.chance(30)) return writer.int(random.pick([-1, 0]))
  const id = random.pick(["world", "auth", "digest", "ip", "x509", "sasl", "super", "nothing", ""])
  return writer
    .int(1)
    .int(random.pick([0, 1, 31, 32, -1]))
    .text(id)
    .text(random.pick(["anyone", "", "u:p", "127.0.0.1", "10/8"]))
}

type Body = (random: Random, writer: Writer, root: string) => Writer

const versioned: Body = (random, w, root) => w.text(pathOf(random, root)).int(random.pick([-1, -1, -1, 0, 1, 7]))
const watched: Body = (random, w, root) => w.text(pathOf(random, root)).bool(random.chance(50))
const onePath: Body = (random, w, root) => w.text(pathOf(random, root))
const created: Body = (random, w, root) =>
  aclOf(random, w.text(pathOf(random, root)).buffer(random.bytes(random.below(64)))).int(random.below(9) - 1)
const withTTL: Body = (random, w, root) => created(random, w, root).long(BigInt(random.pick([-1, 0, 1, 1000, 2 ** 40])))
const stored: Body = (random, w, root) =>
  w
    .text(pathOf(random, root))
    .buffer(random.bytes(random.below(64)))
    .int(random.pick([-1, -1, 0, 1]))
const paths = (random: Random, w: Writer, root: string): Writer =>
  w.texts(Array.from({ length: random.below(5) }, () => pathOf(random, root)))

/** What follows the header of each kind of request, as a client means it. */
const BODIES: ReadonlyMap<number, Body> = new Map<number, Body>([
  [1, created],
  [2, versioned],
  [3, watched],
  [4, watched],
  [5, stored],
  [6, onePath],
  [7, (random, w, root) => aclOf(random, w.text(pathOf(random, root))).int(-1)],
  [8, watched],
  [9, onePath],
  [11, (_, w) => w],
  [12, watched],
  [13, versioned],
  [14, (random, w, root) => parts(random, w, root, [1, 2, 5, 13, 15, 19, 21])],
  [15, created],
  [
    16,
    (random, w) =>
      w
        .text("server.9=127.0.0.1:1:2;3")
        .text("1")
        .text("")
        .long(BigInt(random.below(9)))
  ],
  [17, (random, w, root) => onePath(random, w, root).int(random.below(6))],
  [18, (random, w, root) => onePath(random, w, root).int(random.below(6))],
  [19, created],
  [20, onePath],
  [21, withTTL],
  [22, (random, w, root) => parts(random, w, root, [4, 8])],
  [
    100,
    (random, w) =>
      w
        .int(0)
        .text(random.pick(["digest", "ip", "x509", "sasl", "none", ""]))
        .text("user:secret")
  ],
  [101, (random, w, root) => paths(random, paths(random, paths(random, w.long(0n), root), root), root)],
  [102, (random, w) => w.buffer(random.chance(50) ? Buffer.from(random.pick(TOKENS)) : random.bytes(random.below(40)))],
  [103, onePath],
  [104, onePath],
  [
    105,
    (random, w, root) => {
      w.long(random.chance(80) ? BigInt(random.below(1000)) : random.pick(ZXIDS))
      // One vector too few or too many now and then, or one that is not as long as it says.
      for (let left = random.chance(85) ? 5 : random.below(8); left > 0; left--) paths(random, w, root)
      return random.chance(90) ? w : w.int(random.pick(EDGES)).text(pathOf(random, root))
    }
  ],
  [106, (random, w, root) => onePath(random, w, root).int(random.below(4) - 1)],
  [107, (_, w) => w],
  [-11, (_, w) => w]
])

/** The parts of a multi: mostly what may be one, but also another multi, anybody's request, or bytes that are no part. */
function parts(random: Random, writer: Writer, root: string, ops: ReadonlyArray<number>, depth = 0): Writer {
  for (let left = random.below(6); left > 0; left--) {
    const op = random.chance(90) ? random.pick(ops) : random.pick(OPS)
    writer
      .int(op)
      .bool(random.chance(3))
      .int(random.chance(95) ? -1 : random.pick(EDGES))
    if (random.chance(5)) for (let words = random.below(8); words > 0; words--) writer.int(random.pick(EDGES))
    else if (op === 14 || op === 22) {
      if (depth < MAX_DEPTH) parts(random, writer, root, random.chance(50) ? ops : [14, 22, 1], depth + 1)
    } else BODIES.get(op)?.(random, writer, root)
  }
  // One that nobody ends.
  return random.chance(3) ? writer : writer.int(-1).bool(true).int(-1)
}
const MAX_DEPTH = 20

/** A token of a SASL exchange, as a request. */
export const saslRequest = (xid: number, token: Uint8Array): Buffer =>
  new Writer().int(xid).int(102).buffer(Buffer.from(token)).frame()

/** How TLS begins, and then anything: half a record, a version that is none, a length that lies. */
export const brokenTls = (random: Random): Buffer => {
  const body = random.bytes(random.below(300))
  const record = Buffer.alloc(5)
  record.writeUInt8(random.chance(80) ? 0x16 : random.below(256), 0)
  record.writeUInt16BE(random.chance(80) ? 0x0301 : random.below(65_536), 1)
  record.writeUInt16BE(random.chance(60) ? body.length : random.below(65_536), 3)
  // A ClientHello by its type, the rest is noise.
  if (body.length > 0 && random.chance(60)) body[0] = 1
  return Buffer.concat([record, body])
}

/** A ConnectRequest for a new session that ends soon. */
export const hello = (random: Random): Buffer => {
  const writer = new Writer()
    .int(0)
    .long(0n)
    .int(random.pick([1, 500, 1000, 0, -1]))
  writer.long(0n).buffer(Buffer.alloc(16))
  return (random.chance(80) ? writer.bool(random.chance(20)) : writer).frame()
}

/** A request that makes sense: a known opcode with its own body. Its xid is its client's, or one with a meaning. */
export const request = (random: Random, root: string, xid: number): Buffer => {
  // closeSession ends the fun: it is rare.
  const op = random.chance(99) ? random.pick([...BODIES.keys()].slice(0, -1)) : -11
  const ownXid = op === 11 ? -2 : op === 100 ? -4 : op === 101 || op === 105 ? -8 : xid
  const writer = new Writer().int(random.chance(95) ? ownXid : random.pick(EDGES)).int(op)
  return BODIES.get(op)!(random, writer, root).frame()
}

/** A header of any kind before any bytes. */
export const garbage = (random: Random, xid: number): Buffer => {
  if (random.chance(40)) return random.bytes(1 + random.below(200))
  if (random.chance(10))
    return Buffer.from(random.pick(["ruok", "srvr", "mntr", "cons", "dump", "wchs", "GET / HTTP/1.1\r\n\r\n"]))
  const body = random.bytes(random.below(random.chance(5) ? 100_000 : 100))
  const frame = Buffer.alloc(12 + body.length)
  frame.writeInt32BE(random.chance(90) ? 8 + body.length : random.pick(EDGES), 0)
  frame.writeInt32BE(random.chance(70) ? xid : random.pick(EDGES), 4)
  frame.writeInt32BE(random.pick(OPS), 8)
  body.copy(frame, 12)
  return frame
}

/** A frame gone wrong in one to four ways; mostly its length is put right again, so that the inside is what is wrong. */
export const mutated = (random: Random, original: Buffer): Buffer => {
  let frame: Buffer = Buffer.from(original)
  for (let left = 1 + random.below(4); left > 0; left--) frame = mutation(random, frame)
  if (frame.length >= 4 && random.chance(85)) frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

function mutation(random: Random, frame: Buffer): Buffer {
  const at = random.below(frame.length + 1)
  switch (random.below(7)) {
    case 0: {
      if (at < frame.length) frame[at] = frame[at]! ^ (1 << random.below(8))
      return frame
    }
    case 1: {
      if (at < frame.length) frame[at] = random.below(256)
      return frame
    }
    case 2: {
      // A length, a count or a version at its edge: all of them are whole ints.
      if (frame.length < 16) return frame
      frame.writeInt32BE(random.pick(EDGES), 12 + random.below(frame.length - 15))
      return frame
    }
    case 3:
      return frame.subarray(0, at)
    case 4:
      return Buffer.concat([frame.subarray(0, at), random.bytes(1 + random.below(16)), frame.subarray(at)])
    case 5: {
      const end = Math.min(frame.length, at + random.below(32))
      return Buffer.concat([frame.subarray(0, end), frame.subarray(at)])
    }
    default: {
      const end = Math.min(frame.length, at + random.below(32))
      return Buffer.concat([frame.subarray(0, at), frame.subarray(end)])
    }
  }
}
