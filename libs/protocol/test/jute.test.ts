import { assert, describe, it } from "@effect/vitest"
import { hexOf as hexOfBytes, JuteError, JuteReader, JuteWriter, MAX_FIELD_BYTES } from "@zkmesh/protocol"
import { Schema } from "effect"

const written = (write: (writer: JuteWriter) => void): Uint8Array => {
  const writer = new JuteWriter()
  write(writer)
  return writer.take()
}
const hexOf = (write: (writer: JuteWriter) => void): string => Buffer.from(written(write)).toString("hex")
const reading = (hex: string): JuteReader => new JuteReader(Buffer.from(hex, "hex"))
const codeOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    if (error instanceof JuteError) return error.code
    throw error
  }
  return "no error"
}

describe("primitives", () => {
  it("are big-endian two's complement", () => {
    assert.strictEqual(
      hexOf((w) => {
        w.int(1)
        w.int(-101)
        w.bool(true)
        w.bool(false)
      }),
      "00000001ffffff9b0100"
    )
    for (const [value, hex] of [
      [0, "0000000000000000"],
      [-1, "ffffffffffffffff"],
      [0x1_0000_0004, "0000000100000004"],
      [0x1_ffff_ffff, "00000001ffffffff"],
      [1_700_000_000_000, "0000018bcfe56800"],
      [Number.MAX_SAFE_INTEGER, "001fffffffffffff"],
      [Number.MIN_SAFE_INTEGER, "ffe0000000000001"],
      [-0x1_0000_0001, "fffffffeffffffff"]
    ] as const) {
      assert.strictEqual(
        hexOf((w) => w.long(value)),
        hex
      )
      assert.strictEqual(reading(hex).long(), value)
    }
  })

  it("tell null from empty", () => {
    assert.strictEqual(
      hexOf((w) => {
        w.buffer(null)
        w.buffer(new Uint8Array())
        w.ustring(null)
        w.ustring("")
        w.ustrings(null)
        w.ustrings([])
      }),
      "ffffffff00000000ffffffff00000000ffffffff00000000"
    )
    const reader = reading("ffffffff00000000ffffffff00000000ffffffff00000000")
    assert.isNull(reader.buffer())
    assert.strictEqual(reader.buffer()?.length, 0)
    assert.isNull(reader.ustring())
    assert.strictEqual(reader.ustring(), "")
    assert.isNull(reader.vector((r) => r.int()))
    assert.deepStrictEqual(
      reader.vector((r) => r.int()),
      []
    )
  })

  it("read any non-zero byte as true", () => {
    const reader = reading("00017fff")
    assert.deepStrictEqual([reader.bool(), reader.bool(), reader.bool(), reader.bool()], [false, true, true, true])
  })

  it("never make a safe integer out of a long that is not one", () => {
    for (const hex of [
      "0020000000000000",
      "0020000000000001",
      "7fffffffffffffff",
      "8000000000000000",
      "0100000000000001"
    ]) {
      assert.isFalse(Number.isSafeInteger(reading(hex).long()), hex)
    }
    assert.strictEqual(reading("0100001234567000").longHex(), "0x100001234567000")
    assert.strictEqual(reading("0000000000000000").longHex(), "0x0")
    assert.strictEqual(reading("00000001000000ab").longHex(), "0x1000000ab")
    assert.strictEqual(reading("ff00000000000001").longHex(), "0xff00000000000001")
    assert.strictEqual(hexOfBytes(Buffer.from("ff00000000000001", "hex")), "0xff00000000000001")
    assert.strictEqual(hexOfBytes(new Uint8Array(8)), "0x0")
    assert.deepStrictEqual([...reading("0100001234567000").longBytes()], [1, 0, 0, 0x12, 0x34, 0x56, 0x70, 0])
  })

  it("replace malformed UTF-8", () => {
    assert.strictEqual(reading("00000003ff6162").ustring(), "\ufffdab")
  })

  it("write UTF-8, short and long", () => {
    assert.strictEqual(
      hexOf((w) => w.ustring("/ä€")),
      "000000062fc3a4e282ac"
    )
    const long = "/é".repeat(5000)
    assert.strictEqual(new JuteReader(written((w) => w.ustring(long))).ustring(), long)
  })
})

describe("malformed fields", () => {
  it("are told apart", () => {
    assert.strictEqual(
      codeOf(() => reading("000000").int()),
      "truncated"
    )
    assert.strictEqual(
      codeOf(() => reading("00000000000000").long()),
      "truncated"
    )
    assert.strictEqual(
      codeOf(() => reading("").bool()),
      "truncated"
    )
    for (const read of [(r: JuteReader) => r.buffer(), (r: JuteReader) => r.ustring()]) {
      assert.strictEqual(
        codeOf(() => read(reading("0000000461"))),
        "truncated"
      )
      assert.strictEqual(
        codeOf(() => read(reading("fffffffe"))),
        "unreasonableLength"
      )
      assert.strictEqual(
        codeOf(() => read(reading("7fffffff"))),
        "unreasonableLength"
      )
      assert.strictEqual(
        codeOf(() => read(new JuteReader(written((w) => w.int(MAX_FIELD_BYTES + 1))))),
        "unreasonableLength"
      )
      assert.strictEqual(
        codeOf(() => read(new JuteReader(written((w) => w.int(MAX_FIELD_BYTES))))),
        "truncated"
      )
    }
    assert.strictEqual(
      codeOf(() => reading("ffffffff").string()),
      "null"
    )
  })

  it("a huge vector count costs nothing", () => {
    assert.strictEqual(
      codeOf(() => reading("7fffffff0000000161").ustrings()),
      "truncated"
    )
    assert.deepStrictEqual(reading("fffffffe").ustrings(), [])
    assert.deepStrictEqual(
      reading("80000000").vector((r) => r.int()),
      []
    )
  })

  it("a read never leaves its range, though the bytes go on", () => {
    const bytes = Buffer.from("00000005616263646566", "hex")
    assert.strictEqual(
      codeOf(() => new JuteReader(bytes, 0, 8).ustring()),
      "truncated"
    )
    assert.strictEqual(new JuteReader(bytes, 0, 9).ustring(), "abcde")
    assert.strictEqual(new JuteReader(bytes, 0, 1000).remaining, bytes.length)
    assert.strictEqual(new JuteReader(bytes).reset(bytes, 4, 6).remaining, 2)
  })
})

describe("the writer's memory", () => {
  it("is never written again after take", () => {
    const writer = new JuteWriter(64)
    const taken: Array<{ bytes: Uint8Array; copy: string }> = []
    for (let i = 0; i < 200; i++) {
      writer.ustring("x".repeat(i % 90))
      writer.int(i)
      const bytes = writer.take()
      taken.push({ bytes, copy: Buffer.from(bytes).toString("hex") })
    }
    for (const { bytes, copy } of taken) assert.strictEqual(Buffer.from(bytes).toString("hex"), copy)
  })

  it("patches survive growth", () => {
    const writer = new JuteWriter(64)
    writer.raw(new Uint8Array(50))
    writer.take()
    const at = writer.beginFrame()
    writer.raw(new Uint8Array(100_000).fill(7))
    writer.endFrame(at)
    const frame = writer.take()
    assert.strictEqual(frame.length, 100_004)
    assert.strictEqual(new JuteReader(frame).int(), 100_000)
    assert.isTrue(frame.subarray(4).every((byte) => byte === 7))
  })

  it("rewind drops only what has not been taken", () => {
    const writer = new JuteWriter()
    writer.int(1)
    const first = writer.take()
    writer.int(2)
    writer.int(3)
    writer.rewind(4)
    assert.strictEqual(writer.length, 4)
    writer.int(4)
    assert.strictEqual(Buffer.from(writer.take()).toString("hex"), "0000000200000004")
    assert.strictEqual(Buffer.from(first).toString("hex"), "00000001")
  })
})

it.prop("strings come back as they went, but for lone surrogates", [Schema.String], ([text]) => {
  const reader = new JuteReader(written((w) => w.ustring(text)))
  assert.strictEqual(reader.ustring(), text.toWellFormed())
  assert.strictEqual(reader.remaining, 0)
})

it.prop("longs come back as they went", [Schema.Int], ([value]) => {
  assert.strictEqual(new JuteReader(written((w) => w.long(value))).long(), value === 0 ? 0 : value)
})
