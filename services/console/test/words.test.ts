import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { formatAcl, formatDate, formatHexDump, formatStat, parseAcl } from "../src/format.ts"
import { readOptions } from "../src/options.ts"
import { pathComplaint } from "../src/paths.ts"
import { tlsOptions } from "../src/tls.ts"
import { Parsed, splitWords, UsageError } from "../src/words.ts"

const refused = async (attempt: Promise<unknown>): Promise<void> => {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason
  )
  assert.instanceOf(error, UsageError)
}

describe("words", () => {
  it("are split at blanks, and held together by quotes", () => {
    for (const [line, words] of [
      ["", []],
      ["  ls   /  ", ["ls", "/"]],
      ["create /a 'two words' \"and more\"", ["create", "/a", "two words", "and more"]],
      [`set /a ''`, ["set", "/a", ""]],
      [`set /a "it's"`, ["set", "/a", "it's"]],
      ["set /a it's", ["set", "/a", "it's"]],
      [`set /a {"k":"v"}`, ["set", "/a", `{"k":"v"}`]]
    ] as const) {
      assert.deepStrictEqual(splitWords(line), [...words], line)
    }
    for (const line of ["set /a 'open", `set /a "`, `"`]) assert.throws(() => splitWords(line), UsageError)
  })

  it("options stand anywhere, join, and end at --", () => {
    const names = { flags: ["s", "w", "R"], values: ["v", "add"] }
    const parsed = new Parsed(["-sw", "/a", "-v", "-3", "-add", "x", "-1", "--", "-R"], names)
    assert.deepStrictEqual(parsed.args, ["/a", "-1", "-R"])
    assert.deepStrictEqual([parsed.has("s"), parsed.has("w"), parsed.has("R")], [true, true, false])
    assert.deepStrictEqual([parsed.integer("v"), parsed.value("add"), parsed.integer("none")], [-3, "x", undefined])
    assert.deepStrictEqual(new Parsed(["-"], names).args, ["-"])
    for (const words of [["-x"], ["-sx"], ["-v"], ["--help"]]) {
      assert.throws(() => new Parsed(words, names), UsageError)
    }
    assert.throws(() => new Parsed(["-v", "1.5"], names).integer("v"), UsageError)
  })

  it("the command line ends where the command begins", async () => {
    const plain = { server: "localhost:2181", timeoutMs: 30_000, readOnly: false, command: [] }
    const { tls, ...rest } = await readOptions([])
    assert.deepStrictEqual([rest, tls.enabled], [plain, false])
    const full = await readOptions(["-server", "a:1/c", "-timeout", "5", "--r", "-waitforconnection", "ls", "-R", "/"])
    assert.deepStrictEqual([full.server, full.timeoutMs, full.readOnly], ["a:1/c", 5, true])
    assert.deepStrictEqual(full.command, ["ls", "-R", "/"])
    for (const argv of [["-server"], ["-timeout", "0"], ["-timeout", "soon"], ["-x"], ["-key", "k.pem"]]) {
      await refused(readOptions(argv))
    }
  })

  it("TLS is asked for by files, or by ZooKeeper's client configuration, which flags overrule", async () => {
    assert.isTrue((await readOptions(["-tls"])).tls.enabled)
    const flagged = (await readOptions(["-ca", "ca.pem", "-cert", "c.pem", "-key", "k.pem"])).tls
    assert.deepStrictEqual([flagged.enabled, flagged.ca, flagged.cert, flagged.key], [true, "ca.pem", "c.pem", "k.pem"])
    const directory = await mkdtemp(join(tmpdir(), "console-"))
    const file = join(directory, "client.cfg")
    await writeFile(
      file,
      [
        "zookeeper.client.secure=true",
        "zookeeper.ssl.trustStore.location=/etc/ca.pem",
        "zookeeper.ssl.keyStore.location=/etc/both.pem",
        "zookeeper.ssl.hostnameVerification=false"
      ].join("\n")
    )
    const read = (await readOptions(["-client-configuration", file, "-ca", "other.pem"])).tls
    assert.deepStrictEqual(
      [read.enabled, read.ca, read.cert, read.key],
      [true, "other.pem", "/etc/both.pem", undefined]
    )
    assert.isFalse(read.verifyHost)
    await refused(readOptions(["-client-configuration", join(directory, "none")]))
    await refused(tlsOptions({ enabled: true, ca: file, verifyHost: true }))
    assert.isUndefined(await tlsOptions({ enabled: false, ca: file, verifyHost: true }))
    await rm(directory, { recursive: true })
  })
})

describe("paths", () => {
  it("are complained of in ZooKeeper's words", () => {
    for (const path of ["/", "/a", "/a/b.c", "/...", "/a/.b", "/日本"]) assert.isUndefined(pathComplaint(path), path)
    for (const [path, complaint] of [
      ["", "Path length must be > 0"],
      ["a", "Path must start with / character"],
      ["/a/", "Path must not end with / character"],
      ["/a//b", 'Invalid path string "/a//b" caused by empty node name specified @3'],
      ["/a/.", 'Invalid path string "/a/." caused by relative paths not allowed @3'],
      ["/a/../b", 'Invalid path string "/a/../b" caused by relative paths not allowed @4'],
      ["/a\u0001", 'Invalid path string "/a\u0001" caused by invalid character @2'],
      ["/a\0b", 'Invalid path string "/a\0b" caused by null character not allowed @2']
    ] as const) {
      assert.strictEqual(pathComplaint(path), complaint)
    }
  })
})

describe("formats", () => {
  it("ACLs", () => {
    const acl = parseAcl("world:anyone:cdrwa,digest:user:hash==:r,ip:::1:")
    assert.deepStrictEqual(acl, [
      { perms: 31, id: { scheme: "world", id: "anyone" } },
      { perms: 1, id: { scheme: "digest", id: "user:hash==" } },
      { perms: 0, id: { scheme: "ip", id: "::1" } }
    ])
    assert.strictEqual(formatAcl(acl), "'world,'anyone\n: cdrwa\n'digest,'user:hash==\n: r\n'ip,'::1\n: ")
    for (const text of ["", "world", "world:anyone", "world:anyone:x"]) assert.throws(() => parseAcl(text), UsageError)
  })

  it("dates as Java has them", () => {
    assert.match(formatDate(1_700_000_000_000), /^(Tue|Wed) Nov 1[45] \d\d:\d\d:20 [A-Z][^ ]* 2023$/)
  })

  it("a Stat in eleven lines, negative zxids in two's complement", () => {
    const zeros = {
      czxid: -1,
      mzxid: 0,
      ctime: 0,
      mtime: 0,
      version: 0,
      cversion: -1,
      aversion: 0,
      ephemeralOwner: "0x0"
    }
    const lines = formatStat({ ...zeros, dataLength: 0, numChildren: 2, pzxid: 0x1_0000_000a }).split("\n")
    assert.strictEqual(lines.length, 11)
    assert.deepStrictEqual(
      [lines[0], lines[4], lines[5], lines[10]],
      ["cZxid = 0xffffffffffffffff", "pZxid = 0x10000000a", "cversion = -1", "numChildren = 2"]
    )
  })

  it("a hex dump", () => {
    const dump = formatHexDump(Buffer.from("0123456789abcdef\n~")).split("\n")
    assert.deepStrictEqual(dump.slice(3, 5), [
      "|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|",
      `|00000010| 0a 7e${" ".repeat(43)}|.~${" ".repeat(14)}|`
    ])
    assert.deepStrictEqual(new Set(dump.slice(2, 6).map((line) => line.length)), new Set([77]))
  })
})
