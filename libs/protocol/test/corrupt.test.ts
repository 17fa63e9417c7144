import { assert, it } from "@effect/vitest"
import * as protocol from "@zkmesh/protocol"
import { FrameSplitter, JuteError, JuteReader, JuteWriter, OpCode } from "@zkmesh/protocol"
import { Schema } from "effect"

/** Every reader of a record that the package exports, by name: a new one is tested from its first day. */
const readers = Object.entries(protocol).flatMap(([name, value]) =>
  typeof value === "function" && /^read[A-Z]/.test(name)
    ? [[name, value as unknown as (reader: JuteReader) => unknown] as const]
    : []
)

const EDGES = [0, 1, -1, -2, 5, 255, 65_536, 0xf_ffff, 0x1f_ffff, 0x7fff_ffff, -0x8000_0000]

/** Records of many shapes, one after another: whichever reader comes finds some of what it looks for. */
const plausible = (): Buffer => {
  const writer = new JuteWriter()
  protocol.writeMultiRequest(writer, [
    {
      op: OpCode.create,
      path: "/a",
      data: Buffer.from("x"),
      acl: [{ perms: 31, id: { scheme: "world", id: "anyone" } }],
      flags: 0
    },
    { op: OpCode.check, path: "/a", version: 3 }
  ])
  protocol.writeSetWatches2Request(writer, {
    relativeZxid: 7,
    data: ["/a"],
    exist: [],
    child: ["/b"],
    persistent: ["/c"],
    persistentRecursive: []
  })
  return Buffer.from(writer.take())
}

const Change = Schema.Struct({
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 120 })),
  kind: Schema.Literals(["byte", "edge", "cut", "insert"]),
  value: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
})

const changed = (bytes: Buffer, { at, kind, value }: typeof Change.Type): Buffer => {
  const out = Buffer.from(bytes)
  if (kind === "cut") return out.subarray(0, at)
  if (kind === "insert") return Buffer.concat([out.subarray(0, at), Buffer.of(value), out.subarray(at)])
  if (kind === "byte" && at < out.length) out[at] = value
  if (kind === "edge" && at + 4 <= out.length) out.writeInt32BE(EDGES[value % EDGES.length]!, at)
  return out
}

it("all readers are known", () => {
  assert.isAbove(readers.length, 30)
})

it.prop(
  "bytes that are no record are a JuteError, whoever reads them",
  [Schema.Array(Change), Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))],
  ([changes, start]) => {
    const bytes = changes.reduce(changed, plausible())
    for (const [name, read] of readers) {
      try {
        read(new JuteReader(bytes, Math.min(start, bytes.length)))
      } catch (error) {
        assert.instanceOf(error, JuteError, name)
      }
    }
  },
  { arbitrary: { runs: 500 } }
)

it.prop(
  "a stream of any bytes in any pieces is frames, more to come, or a length that is refused",
  [Schema.Array(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))))],
  ([chunks]) => {
    const splitter = new FrameSplitter(1000)
    let bytes = 0
    let framed = 0
    for (const chunk of chunks) {
      bytes += chunk.length
      splitter.push(Uint8Array.from(chunk))
      let found = splitter.next()
      for (; found === "frame"; found = splitter.next()) {
        assert.isAtMost(splitter.end, splitter.buffer.length)
        framed += 4 + splitter.end - splitter.start
        assert.isAtMost(framed, bytes)
      }
      if (found === "badLength") {
        assert.isTrue(splitter.length < 0 || splitter.length > 1000)
        return
      }
    }
  }
)
