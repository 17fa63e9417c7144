import type { SpanRecord } from "@zkmesh/messages"
import { spanIdOf, Telemetry } from "@zkmesh/telemetry"
import { assert, describe, it } from "vitest"
import { LogTracing } from "../src/tracing/LogTracing.ts"

const batch = (first: number, last: number) => ({ first, last, count: last - first + 1, bytes: new Uint8Array() })
const trace = (digit: string) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) })

const setUp = (voters = 3) => {
  const options = {
    ensemble: "t",
    messaging: "nats",
    database: "postgresql",
    ratio: 1,
    perSecond: 0,
    slowMs: 1,
    failures: "none"
  } as const
  const telemetry = new Telemetry(options)
  const log = new LogTracing(telemetry.tracer("broadcast", "broadcast.1", 1), () => voters)
  const spans = () => telemetry.recorder.find(() => true)
  const named = (name: string): SpanRecord => {
    const found = spans().filter((span) => span.name === name)
    assert.strictEqual(found.length, 1, `${name} among ${spans().map((span) => span.name)}`)
    return found[0]!
  }
  return { telemetry, log, spans, named }
}

describe("a leader's log", () => {
  it("tells which acknowledgement made the quorum, of five", () => {
    const { log, named } = setUp(5)
    log.took(batch(1, 4), [{ zxid: 2, trace: trace("a") }], true, 1)
    const sent = log.publishes(batch(1, 4), 2)
    assert.strictEqual(sent?.length, 1)
    log.acked(3, 1, 3)
    log.acked(4, 4, 4)
    log.acked(3, 4, 5)
    log.appends(batch(1, 4), 2, 6)
    log.acked(1, 4, 6)
    log.acked(5, 4, 6)
    log.committed(4, 7)
    log.acked(2, 4, 8)
    const delivered = log.delivers(batch(1, 4))
    assert.strictEqual(delivered?.[0]?.trace.spanId, named("commit").spanId)
    const acknowledge = named("acknowledge")
    assert.strictEqual(acknowledge.attributes["zookeeper.ack.peer"], 1)
    assert.strictEqual(acknowledge.attributes["zookeeper.quorum.size"], 3)
    assert.strictEqual(acknowledge.parentId, named("append").spanId)
    assert.strictEqual(named("append").parentId, named("propose").spanId)
    assert.strictEqual(named("propose").parentId, trace("a").spanId)
    assert.strictEqual(named("INSERT log").parentId, named("append").spanId)
  })

  it("links one span of a group commit with all the sampled requests of it", () => {
    const { log, named } = setUp()
    const traces = [1, 3].map((zxid) => ({ zxid, trace: trace(`${zxid}`) }))
    log.took(batch(1, 4), traces, true, 1)
    log.publishes(batch(1, 4), 2)
    log.appends(batch(1, 4), 2, 3)
    log.acked(1, 4, 3)
    log.acked(2, 4, 4)
    log.committed(4, 4)
    log.delivers(batch(1, 4))
    assert.deepStrictEqual(
      named("group commit").links?.map((link) => link.traceId),
      traces.map((one) => one.trace.traceId)
    )
    assert.strictEqual(named("publish proposals").links?.length, 2)
  })

  it("tells the same of a request that is asked for later", () => {
    const { log, spans, telemetry } = setUp()
    log.took(batch(1, 4), undefined, true, 1)
    log.publishes(batch(1, 4), 2)
    log.appends(batch(1, 4), 2, 3)
    log.acked(1, 4, 3)
    log.acked(2, 4, 4)
    log.committed(4, 4)
    assert.isUndefined(log.delivers(batch(1, 4)))
    assert.strictEqual(spans().length, 0, "nothing is told of what is not sampled")
    const about = {
      rootId: "1",
      isRead: false,
      session: 1,
      peer: 1,
      link: "",
      ordinal: 0,
      op: "create",
      start: 0,
      end: 0
    }
    log.keep({ traceId: "f".repeat(32), zxid: 3, ...about })
    log.keep({ traceId: "e".repeat(32), zxid: 5, ...about })
    const names = spans().map((span) => span.name)
    assert.deepStrictEqual(names.toSorted(), ["INSERT log", "acknowledge", "append", "commit", "propose"])
    assert.isTrue(telemetry.recorder.find(() => true).every((span) => span.traceId === "f".repeat(32)))
  })

  it("forgets what a reign that is over had under way", () => {
    const { log, spans } = setUp()
    log.took(batch(1, 1), [{ zxid: 1, trace: trace("a") }], true, 1)
    log.reset()
    log.took(batch(2 ** 32 + 1, 2 ** 32 + 1), [{ zxid: 2 ** 32 + 1, trace: trace("b") }], false, 2)
    log.appends(batch(2 ** 32 + 1, 2 ** 32 + 1), 2, 3)
    log.delivers(batch(2 ** 32 + 1, 2 ** 32 + 1))
    assert.isFalse(spans().some((span) => span.traceId === trace("a").traceId))
    assert.isTrue(spans().some((span) => span.traceId === trace("b").traceId))
  })
})

describe("a follower's log", () => {
  it("hands on its append where its own word commits, else the leader's commit", () => {
    const { log, named } = setUp()
    log.took(batch(1, 1), [{ zxid: 1, trace: trace("a") }], false, 1)
    log.suffices(1)
    log.appends(batch(1, 1), 1, 2)
    assert.strictEqual(log.delivers(batch(1, 1))?.[0]?.trace.spanId, named("append").spanId)
    log.took(batch(2, 2), [{ zxid: 2, trace: trace("b") }], false, 3)
    log.appends(batch(2, 2), 3, 4)
    assert.strictEqual(log.delivers(batch(2, 2))?.[0]?.trace.spanId, spanIdOf("b".repeat(32), "commit", 0, 2))
  })
})
