/**
 * Spans to any OTLP endpoint: OpenTelemetry's transport, which knows the variables, the headers, compression and when to try
 * again, around bytes of our own making.
 *
 * Its SDK is not what records, and its serializer not what writes: the one makes an object with a dozen closures per span
 * where the work is done, the other costs several times what a span does. Plain records become bytes, a batch at a time,
 * long after the request has been answered.
 */
import { hostname } from "node:os"
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base"
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http"
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_NAMESPACE,
  ATTR_SERVICE_VERSION
} from "@opentelemetry/semantic-conventions"
import type { SpanAttributes, SpanRecord } from "@zkmesh/messages"
import { serializeSpans } from "./protobuf.ts"
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

/** `a=b,c=d` with values percent-encoded, as OTEL_RESOURCE_ATTRIBUTES has it. */
export const parseAttributes = (text: string | undefined): Record<string, string> =>
  Object.fromEntries(
    (text ?? "").split(",").flatMap((pair) => {
      const at = pair.indexOf("=")
      return at < 0 ? [] : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]]
    })
  )

/** Each service of the process is a resource of its own. */
const resources = ({ ensemble, version, serviceName, attributes }: OtlpOptions) => {
  const common = { "host.name": hostname(), "process.pid": process.pid, ...attributes }
  return ({ service, instance, sid }: SpanRecord): SpanAttributes => ({
    ...common,
    [ATTR_SERVICE_NAME]:
      serviceName?.isWhole === true ? serviceName.name : `${serviceName?.name ?? "zkmesh"}-${service}`,
    [ATTR_SERVICE_NAMESPACE]: attributes[ATTR_SERVICE_NAMESPACE] ?? ensemble,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
    [ATTR_SERVICE_VERSION]: version,
    "zookeeper.ensemble": ensemble,
    ...(sid === 0 ? {} : { "zookeeper.peer": sid })
  })
}

/** Exports by OTLP over HTTP, in protobuf. */
export const otlpSink = (options: OtlpOptions): SpanSink => {
  const resourceOf = resources(options)
  const serializer = {
    serializeRequest: (spans: ReadonlyArray<SpanRecord>) => serializeSpans(spans, resourceOf),
    deserializeResponse: ProtobufTraceSerializer.deserializeResponse
  }
  const transport = convertLegacyHttpOptions(
    options.url === undefined ? {} : { url: options.url },
    "TRACES",
    "v1/traces",
    {
      "Content-Type": "application/x-protobuf"
    }
  )
  const counted = { name: "span" as const, countItems: (spans: ReadonlyArray<SpanRecord>) => spans.length }
  const exporter = new OTLPExporterBase(
    createOtlpHttpExportDelegate(transport, serializer, "otlp_http_span_exporter", counted, undefined)
  )
  return {
    export: (spans) =>
      new Promise((resolve, reject) => {
        exporter.export(spans, ({ code, error }) =>
          code === 0 ? resolve() : reject(error ?? new Error("the exporter has failed without a reason"))
        )
      }),
    shutdown: () => exporter.shutdown()
  }
}
