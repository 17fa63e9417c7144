/** The knobs of tracing. OpenTelemetry's own variables are read as well, where these say nothing. */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { count, flag, knob, maybe, ours, text } from "./knob.ts"

const ratio = Schema.String.check(Schema.isPattern(/^(0|1|0?\.\d+|0\.0*|1\.0*)$/, { expected: "0 to 1" })).pipe(
  Schema.decodeTo(Schema.Number, SchemaTransformation.numberFromString)
)

export const telemetryKnobs = {
  "telemetry.traces": knob(
    flag,
    "true",
    ours("true or false", "requests can be traced: by chance, on demand, or because they were slow or failed")
  ),
  "telemetry.traces.endpoint": maybe(text, {
    ...ours("URL", "where spans go by OTLP (HTTP, protobuf), with its path: http://host:4318/v1/traces"),
    otherwise: "as OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT say; without them only on demand"
  }),
  "telemetry.traces.ratio": maybe(ratio, {
    ...ours("0 to 1", "how many of the clients' requests are traced by chance"),
    otherwise: "as OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say; 0.01 with an endpoint, else 0"
  }),
  "telemetry.traces.perSecond": knob(
    count,
    "25",
    ours(
      "requests",
      "traced by chance in a second at most, per frontend: what tracing may cost under load; 0: no limit"
    )
  ),
  "telemetry.traces.slowMs": maybe(count, {
    ...ours("ms", "a request that has taken this long is traced after all; 0: none is"),
    otherwise: "1000 with an endpoint, else 0"
  }),
  "telemetry.traces.failed": maybe(Schema.Literals(["none", "system", "all"]), {
    ...ours(
      "choice",
      "failed requests that are traced after all; system: not those whose error is an answer (no node…)"
    ),
    otherwise: "system with an endpoint, else none"
  })
}
