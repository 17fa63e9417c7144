import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import { resourceFromAttributes } from "@opentelemetry/resources"
import type { SpanRecord } from "@zkmesh/messages"
import { parseAttributes } from "@zkmesh/telemetry/otlp"
import { assert, describe, it } from "vitest"
import { spansOf } from "../../../test/setup/otlp.ts"
import { serializeSpans } from "../src/protobuf.ts"

const span = (more: Partial<SpanRecord>): SpanRecord => ({
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
  attributes: { "zookeeper.peer": 2 },
  ...more
})

const SPANS: ReadonlyArray<SpanRecord> = [
  span({}),
  span({ spanId: "0000000000000001", instance: "znode.2", kind: 0, parentId: "00f067aa0ba902b7" }),
  span({ spanId: "0000000000000002", error: "the connection was lost", kind: 1 }),
  span({
    spanId: "0000000000000003",
    kind: 3,
    name: "łódź ".repeat(100),
    links: [{ traceId: "a".repeat(32), spanId: "b".repeat(16) }],
    attributes: {
      text: "日本",
      long: "x".repeat(1000),
      yes: true,
      no: false,
      none: 0,
      large: 2 ** 53 - 1,
      part: 0.5,
      below: -3
    }
  })
]

/** What OpenTelemetry's own serializer makes of the same spans. */
const official = (spans: ReadonlyArray<SpanRecord>, resourceOf: (span: SpanRecord) => Record<string, string>) => {
  const known = new Map(spans.map((one) => [one.instance, resourceFromAttributes(resourceOf(one))]))
  const context = (traceId: string, spanId: string) => ({ traceId, spanId, traceFlags: 1 })
  const time = (ms: number): [number, number] => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)]
  const bytes = ProtobufTraceSerializer.serializeRequest(
    spans.map((one) => ({
      name: one.name,
      kind: one.kind,
      spanContext: () => context(one.traceId, one.spanId),
      ...(one.parentId === "" ? {} : { parentSpanContext: context(one.traceId, one.parentId) }),
      startTime: time(one.start),
      endTime: time(one.end),
      duration: time(one.end - one.start),
      status: one.error === undefined ? { code: 0 } : { code: 2, message: one.error },
      attributes: one.attributes,
      links: (one.links ?? []).map((link) => ({ context: context(link.traceId, link.spanId) })),
      events: [],
      ended: true,
      resource: known.get(one.instance)!,
      instrumentationScope: { name: "zkmesh" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0
    }))
  )
  return Buffer.from(bytes!)
}

describe("spans in OTLP's protobuf", () => {
  it("say what OpenTelemetry's own serializer says", () => {
    const resourceOf = ({ service, instance }: SpanRecord) => ({
      "service.name": service,
      "service.instance.id": instance
    })
    const ours = spansOf(Buffer.from(serializeSpans(SPANS, resourceOf)))
    const theirs = spansOf(official(SPANS, resourceOf))
    assert.strictEqual(ours.length, SPANS.length)
    assert.deepStrictEqual(ours, theirs)
  })

  it("are written into memory that grows with them", () => {
    const many = Array.from({ length: 3000 }, (_, i) => span({ spanId: i.toString(16).padStart(16, "0") }))
    const read = spansOf(Buffer.from(serializeSpans(many, () => ({}))))
    assert.deepStrictEqual(
      read.map((one) => one.spanId),
      many.map((one) => one.spanId)
    )
  })

  it("take OTEL_RESOURCE_ATTRIBUTES as it is written", () => {
    assert.deepStrictEqual(parseAttributes(" deployment.environment.name=prod , team=a%20b,,broken"), {
      "deployment.environment.name": "prod",
      team: "a b"
    })
    assert.deepStrictEqual(parseAttributes(undefined), {})
  })
})
