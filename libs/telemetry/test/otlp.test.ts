import { resourceFromAttributes } from "@opentelemetry/resources"
import type { SpanRecord } from "@zkmesh/messages"
import { parseAttributes, readable } from "@zkmesh/telemetry/otlp"
import { assert, describe, it } from "vitest"

const RECORD: SpanRecord = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentId: "",
  name: "append",
  kind: 4,
  service: "broadcast",
  instance: "broadcast.2",
  sid: 2,
  start: 1_700_000_000_123.5,
  end: 1_700_000_000_125.75,
  attributes: { "zookeeper.peer": 2 }
}

describe("spans for OpenTelemetry's exporters", () => {
  it("have seconds and nanoseconds, and no parent if they are roots", () => {
    const span = readable(RECORD, resourceFromAttributes({}))
    assert.deepStrictEqual(span.startTime, [1_700_000_000, 123_500_000])
    assert.deepStrictEqual(span.duration, [0, 2_250_000])
    assert.isUndefined(span.parentSpanContext)
    assert.strictEqual(span.status.code, 0)
    assert.strictEqual(span.spanContext().traceFlags, 1)
  })

  it("have their parent, links and failure", () => {
    const links = [{ traceId: RECORD.traceId, spanId: "0000000000000001" }]
    const failed = { ...RECORD, parentId: "0000000000000002", links, error: "the connection was lost" }
    const span = readable(failed, resourceFromAttributes({}))
    assert.strictEqual(span.parentSpanContext?.spanId, "0000000000000002")
    assert.strictEqual(span.links[0]?.context.spanId, "0000000000000001")
    assert.deepStrictEqual(span.status, { code: 2, message: "the connection was lost" })
  })

  it("take OTEL_RESOURCE_ATTRIBUTES as it is written", () => {
    assert.deepStrictEqual(parseAttributes(" deployment.environment.name=prod , team=a%20b,,broken"), {
      "deployment.environment.name": "prod",
      team: "a b"
    })
    assert.deepStrictEqual(parseAttributes(undefined), {})
  })
})
