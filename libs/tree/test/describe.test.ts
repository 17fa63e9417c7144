import { assert, describe, it } from "@effect/vitest"
import { JuteWriter, OpCode, writeAcls } from "@zkmesh/protocol"
import { describeTxn } from "@zkmesh/tree"
import { EntryReader } from "@zkmesh/txn"
import { BatchWriter, writeOpenBody } from "../src/txns.ts"

const OPEN = [{ perms: 31, id: { scheme: "world", id: "anyone" } }]

/** A transaction of a type with the body that `write` writes, in words. */
const words = (type: number, write: (writer: JuteWriter) => void) => {
  const batch = new BatchWriter()
  const at = batch.beginEntry()
  write(batch)
  batch.endEntry(at, { zxid: 7, session: 3, seq: 1, cxid: 2, time: 0, type })
  const entry = new EntryReader(batch.takeBatch()!.bytes)
  entry.next()
  return describeTxn(entry)
}

const part = (write: (writer: JuteWriter) => void): Uint8Array => {
  const writer = new JuteWriter()
  write(writer)
  return writer.take()
}

const created = (writer: JuteWriter, path: string, data: string | null): void => {
  writer.ustring(path)
  writer.buffer(data === null ? null : Buffer.from(data))
  writeAcls(writer, OPEN)
}

describe("transactions in words", () => {
  it.each([
    ["create", OpCode.create, "create /a 3 bytes, 1 ACL entries, ephemeral", true],
    ["create2", OpCode.create2, "create2 /a 3 bytes, 1 ACL entries", false]
  ] as const)("%s", (_, type, text, ephemeral) => {
    const { paths, text: found } = words(type, (w) => {
      created(w, "/a", "one")
      w.bool(ephemeral)
      w.int(4)
    })
    assert.deepStrictEqual([found, paths], [text, ["/a"]])
  })

  it("containers and TTL znodes", () => {
    const container = words(OpCode.createContainer, (w) => {
      created(w, "/c", null)
      w.int(1)
    })
    assert.strictEqual(container.text, "createContainer /c no data, 1 ACL entries")
    const ttl = words(OpCode.createTTL, (w) => {
      created(w, "/t", "")
      w.int(1)
      w.long(5000)
    })
    assert.strictEqual(ttl.text, "createTTL /t 0 bytes, 1 ACL entries, ttl 5000 ms")
  })

  it("a multi with its parts, failed ones too", () => {
    const set = part((w) => {
      w.ustring("/a")
      w.buffer(Buffer.from("xy"))
      w.int(3)
    })
    const gone = part((w) => w.ustring("/b"))
    const { paths, text } = words(OpCode.multi, (w) => {
      w.int(3)
      for (const [type, body] of [
        [OpCode.setData, set],
        [OpCode.delete, gone],
        [OpCode.error, part((inner) => inner.int(-103))]
      ] as const) {
        w.int(type)
        w.buffer(body)
      }
    })
    assert.strictEqual(text, "multi [setData /a 2 bytes, version 3; delete /b; failed BADVERSION]")
    assert.deepStrictEqual(paths, ["/a", "/b"])
  })

  it("sessions, and what goes with them", () => {
    const open = { timeoutMs: 9000, password: new Uint8Array(16), peer: 2, token: 1 }
    assert.strictEqual(
      words(OpCode.createSession, (w) => writeOpenBody(w, open)).text,
      "createSession timeout 9000 ms, at peer 2"
    )
    const closed = words(OpCode.closeSession, (w) => w.ustrings(["/e", "/f"]))
    assert.deepStrictEqual([closed.text, closed.paths], ["closeSession deletes /e /f", ["/e", "/f"]])
    assert.strictEqual(words(OpCode.error, (w) => w.int(-101)).text, "failed NONODE")
  })

  it("what it does not know, by its size", () => {
    assert.strictEqual(words(4711, (w) => w.int(0)).text, "type 4711 4 bytes")
  })
})
