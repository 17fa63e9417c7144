import type { SpanRecord } from "@zkmesh/messages"
import { assert, describe, it } from "vitest"
import { formatMs, rowsOf, waterfall } from "../src/traces/waterfall.ts"

const span = (spanId: string, parentId: string, name: string, start: number, end: number, more = {}): SpanRecord => ({
  traceId: "a".repeat(32),
  spanId,
  parentId,
  name,
  kind: 0,
  service: "znode",
  instance: "znode.1",
  sid: 1,
  start: 1000 + start,
  end: 1000 + end,
  attributes: {},
  ...more
})

const ROOT = span("1", "", "zookeeper/create", 0, 10, {
  attributes: { "zookeeper.op": "create", "zookeeper.path": "/a", "zookeeper.session.id": "0x1", "zookeeper.xid": 3 }
})

describe("a waterfall", () => {
  it("has each span below its cause, in the order of time", () => {
    const spans = [span("4", "2", "later", 6, 7), span("3", "2", "sooner", 3, 4), span("2", "1", "first", 1, 2), ROOT]
    assert.deepStrictEqual(
      rowsOf(spans).map(({ depth, span: { name } }) => [depth, name]),
      [
        [0, "zookeeper/create"],
        [1, "first"],
        [2, "sooner"],
        [2, "later"]
      ]
    )
  })

  it("shows a span whose cause has not been told", () => {
    assert.deepStrictEqual(
      rowsOf([ROOT, span("9", "8", "orphan", 1, 2)]).map(({ span: { name } }) => name),
      ["zookeeper/create", "orphan"]
    )
  })

  it("draws every bar within its width, even one that took no time", () => {
    const fired = {
      traceId: "b".repeat(32),
      attributes: { "zookeeper.session.id": "0x2", "zookeeper.watch.type": "NodeCreated" },
      links: [{ traceId: ROOT.traceId, spanId: "2" }]
    }
    const watch = span("7", "", "watch NodeCreated", 9, 9, fired)
    const delivery = span("8", "7", "notify NodeCreated", 10, 11, fired)
    const text = waterfall(ROOT, [ROOT, span("2", "1", "apply", 10, 10), watch, delivery])
    const [title, ...lines] = text.split("\n")
    assert.match(title!, /^create \/a: 10\.0 ms \(session 0x1, xid 3, zxid none, trace a+\)$/)
    assert.strictEqual(lines.length, 4)
    for (const line of lines) assert.strictEqual(/\|(.*?)\|/.exec(line)![1]!.length, 40)
    assert.match(lines[1]!, /apply/)
    assert.match(lines[2]!, / {2}watch NodeCreated +\|.*to session 0x2$/)
    assert.match(lines[3]!, / {4}notify NodeCreated +\|.*to session 0x2$/)
  })

  it("writes times as short as they can be read", () => {
    assert.deepStrictEqual([0, 1.234, 12.34, 1234.5].map(formatMs), ["0.00 ms", "1.23 ms", "12.3 ms", "1235 ms"])
  })
})
