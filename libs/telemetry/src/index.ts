export { joinTraces } from "./bus.ts"
export { newSpanId, newTraceId, type Step, spanIdOf, zxidText } from "./ids.ts"
export { type LogContext, logFields } from "./logContext.ts"
export { showTraces, type TraceReport, targetOf, traceFor } from "./operator.ts"
export type { OtlpOptions } from "./otlp.ts"
export { Recorder, type SpanSink } from "./recorder.ts"
export { Rows } from "./rows.ts"
export { type Candidate, Sampler } from "./sampler.ts"
export {
  batchOf,
  CurrentTelemetry,
  type Failures,
  type Outlet,
  Telemetry,
  type TelemetryOptions,
  type Told,
  Tracer
} from "./telemetry.ts"
