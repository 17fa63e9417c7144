import type { SpanRecord } from "@zkmesh/messages"
import { newTraceId, Recorder, Rows, spanIdOf, Telemetry } from "@zkmesh/telemetry"
import { assert, describe, it } from "vitest"

const span = (spanId: string): SpanRecord => ({
  traceId: "0".repeat(31) + 1,
  spanId,
  parentId: "",
  name: "test",
  kind: 0,
  service: "session",
  instance: "session.1",
  sid: 1,
  start: 1,
  end: 2,
  attributes: {}
})

describe("ids", () => {
  it("are 32 and 16 digits, and no two the same", () => {
    const traceIds = new Set(Array.from({ length: 1000 }, newTraceId))
    assert.strictEqual(traceIds.size, 1000)
    for (const id of traceIds) assert.match(id, /^[0-9a-f]{32}$/)
  })

  it("of spans follow from the step, the place and the transaction", () => {
    const traceId = newTraceId()
    const all = (["session", "prepare", "append", "flush", "apply", "reply"] as const).flatMap((step) =>
      [0, 1, 2, 3].flatMap((place) => [0, 1, 2 ** 32 + 1].map((zxid) => spanIdOf(traceId, step, place, zxid)))
    )
    assert.strictEqual(new Set(all).size, all.length)
    for (const id of all) assert.match(id, /^(?!0{16})[0-9a-f]{16}$/)
    assert.strictEqual(spanIdOf(traceId, "append", 2, 7), spanIdOf(traceId, "append", 2, 7))
  })
})

describe("rows", () => {
  it("find the newest range that holds a key, and forget the oldest", () => {
    const rows = new Rows(3, 4)
    assert.strictEqual(rows.covering(1), 0)
    for (let i = 0; i < 6; i++) rows.push(i * 10, i * 10 + 9, i)
    assert.strictEqual(rows.size, 4)
    assert.strictEqual(rows.value(rows.covering(55), 2), 5)
    assert.strictEqual(rows.value(rows.covering(20), 2), 2)
    assert.strictEqual(rows.covering(19), 0, "has been forgotten")
    assert.strictEqual(rows.covering(60), 0, "has not come")
  })

  it("find nothing in a hole between two ranges", () => {
    const rows = new Rows(2, 8)
    rows.push(1, 3)
    rows.push(7, 9)
    assert.strictEqual(rows.covering(5), 0)
    assert.strictEqual(rows.covering(2), 2)
  })
})

describe("the recorder", () => {
  it("keeps the latest spans for whoever asks", () => {
    const recorder = new Recorder()
    for (let i = 0; i < 10_000; i++) recorder.record(span(`${i}`))
    const kept = recorder.find(() => true)
    assert.strictEqual(kept.length, 8192)
    assert.strictEqual(kept[0]!.spanId, `${10_000 - 8192}`)
    assert.strictEqual(kept.at(-1)!.spanId, "9999")
  })

  it("exports every span once, in order, and says which batch was lost", async () => {
    const recorder = new Recorder()
    const sent: Array<string> = []
    let isDown = true
    recorder.exportTo({
      export: async (spans) => {
        if (isDown) throw new Error("no collector")
        sent.push(...spans.map((one) => one.spanId))
      },
      shutdown: async () => {}
    })
    const lost: Array<unknown> = []
    recorder.record(span("a"))
    await recorder.flush((cause) => lost.push(cause))
    assert.strictEqual(lost.length, 1)
    isDown = false
    for (let i = 0; i < 5000; i++) recorder.record(span(`${i}`))
    await recorder.flush((cause) => lost.push(cause))
    assert.deepStrictEqual(
      sent,
      Array.from({ length: 5000 }, (_, i) => `${i}`)
    )
    assert.deepInclude(recorder.counters, { recorded: 5001, exported: 5000, failed: 1, dropped: 0 })
  })

  it("drops the newest rather than grow without bound while a collector does not answer", async () => {
    const recorder = new Recorder()
    recorder.exportTo({ export: () => new Promise(() => {}), shutdown: async () => {} })
    for (let i = 0; i < 40_000; i++) recorder.record(span(`${i}`))
    assert.strictEqual(recorder.counters.dropped, 40_000 - 32_768)
  })
})

describe("a tracer", () => {
  it("tells wall-clock times, and never an end before its start", () => {
    const telemetry = new Telemetry({
      ensemble: "test",
      messaging: "loopback",
      database: undefined,
      ratio: 0,
      perSecond: 0,
      slowMs: 0,
      failures: "none"
    })
    const now = performance.now()
    const about = { name: "test", kind: 0, start: now, end: now - 1, attributes: {} } as const
    telemetry.tracer("znode", "znode.1", 1).child({ traceId: newTraceId(), spanId: "a" }, about)
    const [told] = telemetry.recorder.find(() => true)
    assert.closeTo(told!.start, Date.now(), 1000)
    assert.strictEqual(told!.end, told!.start)
    assert.strictEqual(told!.parentId, "a")
  })
})
