/**
 * Spans to any OTLP endpoint, by OpenTelemetry's own exporter: it knows the variables, the protocol and when to try again.
 *
 * Its SDK is not what records: that makes an object with a dozen closures per span where the work is done. Here plain
 * records become what the exporter takes, a batch at a time, long after the request has been answered.
 */
import { hostname } from "node:os"
import type { HrTime, Link, SpanContext, SpanKind } from "@opentelemetry/api"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources"
import type { ReadableSpan } from "@opentelemetry/sdk-trace"
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_NAMESPACE,
  ATTR_SERVICE_VERSION
} from "@opentelemetry/semantic-conventions"
import type { SpanAttributes, SpanRecord, TraceContext } from "@zkmesh/messages"
import type { SpanSink } from "./recorder.ts"

export interface OtlpOptions {
  /** `http://host:4318/v1/traces`; undefined: as OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT say. */
  readonly url: string | undefined
  readonly ensemble: string
  readonly version: string
  /** OTEL_SERVICE_NAME: the service's whole name, or what stands for `zkmesh` where a process has several services. */
  readonly serviceName: { readonly name: string; readonly isWhole: boolean } | undefined
  /** What else is known of this process (OTEL_RESOURCE_ATTRIBUTES). */
  readonly attributes: Readonly<Record<string, string>>
}

const SAMPLED = 1
const NO_EVENTS: ReadableSpan["events"] = []
const NO_LINKS: ReadableSpan["links"] = []
const SCOPE = { name: "zkmesh" }

/** `a=b,c=d` with values percent-encoded, as OTEL_RESOURCE_ATTRIBUTES has it. */
export const parseAttributes = (text: string | undefined): Record<string, string> =>
  Object.fromEntries(
    (text ?? "").split(",").flatMap((pair) => {
      const at = pair.indexOf("=")
      return at < 0 ? [] : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]]
    })
  )

/** Seconds and nanoseconds. */
const hrTime = (ms: number): HrTime => {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}

const spanContext = ({ traceId, spanId }: TraceContext): SpanContext => ({ traceId, spanId, traceFlags: SAMPLED })

const linkOf = (context: TraceContext): Link => ({ context: spanContext(context) })

/** Each service of the process is a resource of its own. */
class Resources {
  private readonly options: OtlpOptions
  private readonly known = new Map<string, Resource>()

  constructor(options: OtlpOptions) {
    this.options = options
  }

  of({ service, instance, sid }: SpanRecord): Resource {
    const found = this.known.get(instance)
    if (found !== undefined) return found
    const { ensemble, version, serviceName, attributes } = this.options
    const resource = resourceFromAttributes({
      "host.name": hostname(),
      "process.pid": process.pid,
      ...attributes,
      [ATTR_SERVICE_NAME]:
        serviceName?.isWhole === true ? serviceName.name : `${serviceName?.name ?? "zkmesh"}-${service}`,
      [ATTR_SERVICE_NAMESPACE]: attributes[ATTR_SERVICE_NAMESPACE] ?? ensemble,
      [ATTR_SERVICE_INSTANCE_ID]: instance,
      [ATTR_SERVICE_VERSION]: version,
      "zookeeper.ensemble": ensemble,
      ...(sid === 0 ? {} : { "zookeeper.peer": sid })
    })
    this.known.set(instance, resource)
    return resource
  }
}

/** A record as OpenTelemetry's exporters take it. */
class Exported implements ReadableSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: SpanAttributes
  readonly links: Array<Link>
  readonly resource: Resource
  readonly parentSpanContext?: SpanContext
  private readonly span: SpanRecord

  constructor(span: SpanRecord, resource: Resource) {
    this.span = span
    this.name = span.name
    this.kind = span.kind
    this.startTime = hrTime(span.start)
    this.endTime = hrTime(span.end)
    this.attributes = span.attributes
    this.links = span.links === undefined ? NO_LINKS : span.links.map(linkOf)
    this.resource = resource
    const { traceId, parentId } = span
    if (parentId !== "") this.parentSpanContext = spanContext({ traceId, spanId: parentId })
  }

  spanContext(): SpanContext {
    return spanContext(this.span)
  }
  get status() {
    const { error } = this.span
    return error === undefined ? { code: 0 } : { code: 2, message: error }
  }
  get duration(): HrTime {
    return hrTime(this.span.end - this.span.start)
  }
  get events() {
    return NO_EVENTS
  }
  get ended() {
    return true
  }
  get instrumentationScope() {
    return SCOPE
  }
  get droppedAttributesCount() {
    return 0
  }
  get droppedEventsCount() {
    return 0
  }
  get droppedLinksCount() {
    return 0
  }
}

export const readable = (span: SpanRecord, resource: Resource): ReadableSpan => new Exported(span, resource)

/** Exports by OTLP over HTTP, in protobuf. */
export const otlpSink = (options: OtlpOptions): SpanSink => {
  const exporter = new OTLPTraceExporter(options.url === undefined ? {} : { url: options.url })
  const resources = new Resources(options)
  return {
    export: (spans) =>
      new Promise((resolve, reject) => {
        const batch = spans.map((span) => readable(span, resources.of(span)))
        exporter.export(batch, ({ code, error }) =>
          code === 0 ? resolve() : reject(error ?? new Error("the exporter has failed without a reason"))
        )
      }),
    shutdown: () => exporter.shutdown()
  }
}
