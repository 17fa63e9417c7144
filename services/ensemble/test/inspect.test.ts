import { assert, describe, it } from "@effect/vitest"
import { JuteWriter, OpCode, writeAcls } from "@zkmesh/protocol"
import type { Inspection } from "@zkmesh/store"
import { ENTRY_HEADER, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"
import { Effect, Stream } from "effect"
import { TestConsole } from "effect/testing"
import { type LogQuery, printLog } from "../src/inspect/log.ts"
import { parseZxid } from "../src/inspect/source.ts"
import { printTree, treeAt } from "../src/inspect/tree.ts"

const FIRST = 0x1_0000_0001
const EVERYTHING: LogQuery = {
  from: 1,
  to: Number.MAX_SAFE_INTEGER,
  session: undefined,
  path: undefined,
  limit: Number.MAX_SAFE_INTEGER
}

/** A logged create of a persistent znode, in a batch of its own. */
const created = (zxid: number, path: string, data: string, creations: number): TxnBatch => {
  const writer = new JuteWriter()
  writer.ustring(path)
  writer.buffer(Buffer.from(data))
  writeAcls(writer, [{ perms: 31, id: { scheme: "world", id: "anyone" } }])
  writer.bool(false)
  writer.int(creations)
  const body = writer.take()
  const bytes = new Uint8Array(ENTRY_HEADER + body.length)
  bytes.set(body, ENTRY_HEADER)
  const header = { zxid, session: 5, seq: 0, cxid: 1, time: 1_700_000_000_000, type: OpCode.create }
  writeEntryHeader(new DataView(bytes.buffer), 0, bytes.length, header)
  return { first: zxid, last: zxid, count: 1, bytes }
}

/** A peer's data of which the log behind `floor` has been purged; its checkpoint holds nothing but what is built in. */
const inspectionOf = (floor: number, checkpoint: number, log: ReadonlyArray<TxnBatch>): Inspection => ({
  floor,
  last: log.at(-1)?.last ?? floor,
  checkpoint: Effect.succeed({ zxid: checkpoint, digest: 0, sessions: [], nodes: Stream.empty }),
  read: (after) => Effect.succeed(log.filter((batch) => batch.last > after))
})

const whole = inspectionOf(0, FIRST + 9, [
  created(FIRST, "/a", "one", 1),
  created(FIRST + 1, "/a/b", "two", 1),
  created(FIRST + 2, "/ab", "\u0001", 2)
])

describe("a log whose beginning is there", () => {
  it.effect("gives the tree after each of its transactions, before the checkpoint too", () =>
    Effect.gen(function* () {
      for (const [at, paths] of [
        [0, []],
        [FIRST, ["/a"]],
        [FIRST + 1, ["/a", "/a/b"]],
        [FIRST + 2, ["/a", "/a/b", "/ab"]]
      ] as const) {
        const tree = yield* treeAt(whole, at)
        for (const path of ["/a", "/a/b", "/ab"]) {
          assert.strictEqual(
            tree.nodes.findPath(path) !== 0,
            paths.some((one) => one === path),
            `${path} at ${at}`
          )
        }
      }
      yield* printTree(yield* treeAt(whole, FIRST + 2), "/a")
      yield* printTree(yield* treeAt(whole, FIRST + 2), "/ab")
      assert.deepStrictEqual((yield* TestConsole.logLines).join("\n").split("\n"), [
        '/a  persistent  version 0  3 bytes  mzxid 0x100000001  "one"',
        '/a/b  persistent  version 0  3 bytes  mzxid 0x100000002  "two"',
        "/ab  persistent  version 0  1 bytes  mzxid 0x100000003  0x01"
      ])
      const gone = yield* Effect.flip(printTree(yield* treeAt(whole, FIRST), "/a/b"))
      assert.match(gone.message, /\/a\/b: is not there at 0x100000001/)
    })
  )

  it.effect("is printed as far as it is asked for", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* printLog(whole, EVERYTHING), 3)
      assert.strictEqual(yield* printLog(whole, { ...EVERYTHING, path: "/a" }), 2)
      assert.strictEqual(yield* printLog(whole, { ...EVERYTHING, session: 6 }), 0)
      assert.strictEqual(yield* printLog(whole, { ...EVERYTHING, from: FIRST + 1, to: FIRST + 1 }), 1)
      assert.strictEqual(yield* printLog(whole, { ...EVERYTHING, limit: 2 }), 2)
      assert.strictEqual(
        String((yield* TestConsole.logLines)[0]).split("\n")[0],
        "2023-11-14T22:13:20.000Z session 0x5 cxid 0x1 zxid 0x100000001 create /a 3 bytes, 1 ACL entries"
      )
    })
  )
})

describe("a log whose beginning has been purged", () => {
  const purged = inspectionOf(FIRST + 4, FIRST + 6, [created(FIRST + 5, "/a", "", 1), created(FIRST + 6, "/b", "", 2)])

  it.effect("gives no tree from before the checkpoint, and says which it gives", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(treeAt(purged, FIRST + 5))
      assert.match(error.message, /the tree is known from 0x100000007 to 0x100000007$/)
      assert.match((yield* Effect.flip(treeAt(purged, FIRST + 7))).message, /the last transaction is 0x100000007/)
    })
  )

  it.effect("says so when its beginning is asked for", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* printLog(purged, EVERYTHING), 2)
      assert.match(String((yield* TestConsole.errorLines)[0]), /the log begins after 0x100000005/)
    })
  )
})

describe("a zxid", () => {
  it.effect("is hexadecimal with 0x, else decimal", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* parseZxid("--at", "0x100000001"), FIRST)
      assert.strictEqual(yield* parseZxid("--at", "4294967297"), FIRST)
      for (const text of ["", "x", "0x", "-1", "1.5", "0x10000000000000000"]) {
        assert.match((yield* Effect.flip(parseZxid("--at", text))).message, /--at: expected a zxid/)
      }
    })
  )
})
