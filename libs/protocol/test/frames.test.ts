import { assert, describe, it } from "@effect/vitest"
import { FrameSplitter, MAX_FRAME_BYTES } from "@zkmesh/protocol"
import { Schema } from "effect"

const frameOf = (body: Uint8Array): Buffer => {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeInt32BE(body.length)
  frame.set(body, 4)
  return frame
}
const body = (length: number, seed: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff))

/** Feeds the chunks, and gives what came out; "badLength" ends it. */
const split = (splitter: FrameSplitter, chunks: Iterable<Uint8Array>): Array<string> => {
  const out: Array<string> = []
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let result = splitter.next(); result !== "more"; result = splitter.next()) {
      if (result === "badLength") return [...out, result]
      out.push(Buffer.from(splitter.buffer.subarray(splitter.start, splitter.end)).toString("hex"))
    }
  }
  return out
}
const cut = (bytes: Uint8Array, sizes: ReadonlyArray<number>): Array<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length]!
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const Sizes = Schema.Array(Schema.Literals([0, 1, 2, 3, 4, 5, 7, 44, 300]))
const Cuts = Schema.Array(Schema.Literals([1, 2, 3, 4, 5, 8, 13, 64, 1000]))

describe("FrameSplitter", () => {
  it.prop("finds the same frames however the stream is cut", [Sizes, Cuts], ([sizes, cuts]) => {
    const bodies = sizes.map(body)
    const stream = Buffer.concat(bodies.map(frameOf))
    assert.deepStrictEqual(
      split(new FrameSplitter(), cut(stream, cuts)),
      bodies.map((b) => b.toString("hex"))
    )
  })

  it("copies nothing when a chunk holds whole frames", () => {
    const chunk = Buffer.concat([frameOf(body(3, 1)), frameOf(body(9, 2))])
    const splitter = new FrameSplitter()
    splitter.push(chunk)
    assert.strictEqual(splitter.next(), "frame")
    assert.deepStrictEqual([splitter.buffer === chunk, splitter.start, splitter.end], [true, 4, 7])
    assert.strictEqual(splitter.next(), "frame")
    assert.deepStrictEqual([splitter.buffer === chunk, splitter.start, splitter.end], [true, 11, 20])
    assert.strictEqual(splitter.next(), "more")
  })

  it("a frame that straddles keeps its memory for itself", () => {
    const splitter = new FrameSplitter()
    const [first, second] = [body(100, 1), body(100, 2)]
    const stream = Buffer.concat([frameOf(first), frameOf(second)])
    splitter.push(stream.subarray(0, 50))
    assert.strictEqual(splitter.next(), "more")
    splitter.push(stream.subarray(50, 150))
    assert.strictEqual(splitter.next(), "frame")
    const kept = splitter.buffer.subarray(splitter.start, splitter.end)
    assert.strictEqual(splitter.next(), "more")
    splitter.push(stream.subarray(150))
    assert.strictEqual(splitter.next(), "frame")
    assert.deepStrictEqual(Buffer.from(kept), first)
  })

  it("gathers a huge frame in one pass, with memory for what has come and no more", () => {
    const length = 64 * 1024 * 1024
    const splitter = new FrameSplitter(length)
    const header = Buffer.alloc(4)
    header.writeInt32BE(length)
    splitter.push(header)
    assert.strictEqual(splitter.next(), "more")
    const chunk = Buffer.alloc(64 * 1024, 5)
    for (let sent = chunk.length; sent < length; sent += chunk.length) {
      splitter.push(chunk)
      assert.strictEqual(splitter.next(), "more")
    }
    splitter.push(chunk)
    assert.strictEqual(splitter.next(), "frame")
    assert.strictEqual(splitter.end - splitter.start, length)
  })

  it("refuses a bad length for good, and shows it", () => {
    for (const bytes of ["ffffffff", "00100000", "7fffffff", "80000000"]) {
      for (const size of [1, 4]) {
        const splitter = new FrameSplitter()
        const chunks = [frameOf(body(2, 0)), ...cut(Buffer.from(bytes, "hex"), [size])]
        assert.deepStrictEqual(split(splitter, chunks), [body(2, 0).toString("hex"), "badLength"])
        assert.strictEqual(splitter.length, Buffer.from(bytes, "hex").readInt32BE())
        splitter.push(frameOf(body(1, 0)))
        assert.strictEqual(splitter.next(), "badLength")
      }
    }
    const limit = new FrameSplitter()
    assert.deepStrictEqual(split(limit, [frameOf(Buffer.alloc(MAX_FRAME_BYTES))]).length, 1)
  })

  it("a four-letter word is a bad length, and what follows it can be had", () => {
    const splitter = new FrameSplitter()
    splitter.push(Buffer.from("stmk12345678"))
    assert.strictEqual(splitter.next(), "badLength")
    assert.strictEqual(splitter.length, Buffer.from("stmk").readInt32BE())
    assert.strictEqual(Buffer.from(splitter.rest()).toString(), "12345678")
  })
})
