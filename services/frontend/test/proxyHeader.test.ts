import { assert, describe, it } from "vitest"
import { crc32c } from "../src/proxied/crc32c.ts"
import { parseHeader } from "../src/proxied/header.ts"

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex")

/** A header of version 2. */
const binary = (command: number, family: number, rest: Uint8Array, length = rest.length): Buffer =>
  Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 0xff]), rest])
const ipv4 = Buffer.from("c0000201c633640700000885", "hex")
ipv4.writeUInt16BE(40_000, 8)
const ipv6 = Buffer.concat([
  Buffer.from("20010db8000000000000000000000001", "hex"),
  Buffer.from("20010db8000000000000000000000002", "hex"),
  Buffer.from([0x9c, 0x41, 0x08, 0x85])
])
const extension = (type: number, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value])
const checked = (wrong = 0): Buffer => {
  const header = binary(0x21, 0x11, Buffer.concat([ipv4, extension(0x03, Buffer.alloc(4))]))
  header.writeUInt32BE((crc32c(header) ^ wrong) >>> 0, header.length - 4)
  return header
}
const line = (text: string): Buffer => Buffer.from(text, "latin1")

describe("a PROXY header", () => {
  const LONG = `PROXY UNKNOWN ${"f".repeat(91)}\r\n`
  const good: ReadonlyArray<
    readonly [name: string, bytes: Buffer, address: string, port: number] | readonly [string, Buffer]
  > = [
    ["v1, IPv4", line("PROXY TCP4 192.0.2.1 198.51.100.7 40000 2181\r\n"), "192.0.2.1", 40_000],
    ["v1, IPv6", line("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "2001:db8::1", 1],
    ["v1 of nobody known", line("PROXY UNKNOWN\r\n")],
    ["v1 of nobody known, with what is to be ignored", line(LONG)],
    ["v2, IPv4", binary(0x21, 0x11, ipv4), "192.0.2.1", 40_000],
    ["v2, IPv6", binary(0x21, 0x21, ipv6), "2001:db8::1", 40_001],
    ["v2, a UNIX socket", binary(0x21, 0x31, Buffer.alloc(216))],
    ["v2, unspecified", binary(0x21, 0x00, Buffer.alloc(0))],
    ["v2 of the proxy itself", binary(0x20, 0x00, Buffer.alloc(0))],
    ["v2 of the proxy itself, whatever it says more", binary(0x20, 0x11, Buffer.alloc(3))],
    [
      "v2 with extensions",
      binary(0x21, 0x11, Buffer.concat([ipv4, extension(0x04, Buffer.alloc(300))])),
      "192.0.2.1",
      40_000
    ],
    ["v2 with a checksum", checked(), "192.0.2.1", 40_000]
  ]
  it.each(good.map(([name, ...rest]) => [name, rest] as const))("is read: %s", (_, [bytes, address, port]) => {
    // Byte by byte it is the same, and what comes behind it is nobody's business here.
    for (let end = 0; end < bytes.length; end++) {
      assert.deepStrictEqual(parseHeader(bytes.subarray(0, end)), { _tag: "More" }, `${end} bytes`)
    }
    for (const more of [bytes, Buffer.concat([bytes, line("srvr")])]) {
      const parsed = parseHeader(more)
      assert.strictEqual(parsed._tag, "Header")
      if (parsed._tag !== "Header") continue
      assert.strictEqual(parsed.size, bytes.length)
      assert.strictEqual(parsed.origin?.address, address)
      assert.strictEqual(parsed.origin?.port, port)
    }
  })

  const bad: ReadonlyArray<readonly [bytes: Buffer, reason: string]> = [
    [line("srvr"), "it begins with no PROXY header"],
    [Buffer.from([0, 0, 0, 44]), "it begins with no PROXY header"],
    [Buffer.from([0x16, 0x03, 0x01]), "it begins with no PROXY header"],
    [line("PROXY\tTCP4"), "it begins with no PROXY header"],
    [line("proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n"), "it begins with no PROXY header"],
    [line("PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n"), "neither TCP4 nor TCP6 nor UNKNOWN"],
    [line("PROXY \r\n"), "neither TCP4 nor TCP6 nor UNKNOWN"],
    [line("PROXY TCP4 192.0.2.1\r\n"), "no two TCP4 addresses"],
    [line("PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n"), "no two TCP4 addresses"],
    [line("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), "no two TCP4 addresses"],
    [line("PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n"), "no two TCP6 addresses"],
    [line("PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n"), "no two TCP4 addresses"],
    [line("PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n"), "no two ports at its end"],
    [line("PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n"), "no two ports at its end"],
    [line("PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n"), "no two ports at its end"],
    [line("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n"), "no two ports at its end"],
    [line(`PROXY UNKNOWN ${"f".repeat(92)}\r\n`), "no end within 107 bytes"],
    [binary(0x11, 0x11, ipv4), "version and command are 0x11"],
    [binary(0x22, 0x11, ipv4), "version and command are 0x22"],
    [binary(0x21, 0x12, ipv4), "family and protocol are 0x12: no stream"],
    [binary(0x21, 0x41, ipv4), "family and protocol are 0x41: no stream"],
    [binary(0x21, 0x11, ipv4.subarray(0, 11)), "too short for its addresses"],
    [binary(0x21, 0x21, ipv4), "too short for its addresses"],
    [binary(0x21, 0x11, Buffer.concat([ipv4, Buffer.from([4, 0])])), "an extension is cut off"],
    [binary(0x21, 0x11, Buffer.concat([ipv4, Buffer.from([4, 0, 9, 1])])), "an extension is longer than what is left"],
    [binary(0x21, 0x11, Buffer.concat([ipv4, extension(3, Buffer.alloc(5))])), "its checksum has not four bytes"],
    [checked(1), "its checksum is wrong"]
  ]
  it.each(bad)("is refused: %j", (bytes, reason) => {
    assert.deepStrictEqual(parseHeader(bytes), { _tag: "Malformed", reason })
  })

  it("has the checksum that the standard's example has", () => {
    assert.strictEqual(crc32c(Buffer.from("123456789")), 0xe3069283)
    assert.strictEqual(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  })
})
