/** Tracing, as the configuration and OpenTelemetry's variables have it. */
import type { Bus, BusError } from "@zkmesh/bus"
import type { Config, Environment } from "@zkmesh/config"
import { CurrentTelemetry, joinTraces, Telemetry, type TelemetryOptions } from "@zkmesh/telemetry"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { storeKind } from "./stores.ts"
import { VERSION } from "./version.ts"

const EXPORT_EVERY_MS = 1000
/** A collector that is not there must not hold the stop. */
const LAST_EXPORT_MS = 2000
const LOG_LOSS_EVERY_MS = 60_000

/** The ratio that OTEL_TRACES_SAMPLER asks for; undefined if it does not say. */
export const samplerRatio = (environment: Environment): number | undefined => {
  const { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument } = environment
  switch (sampler?.replace(/^parentbased_/, "")) {
    case "always_on":
      return 1
    case "always_off":
      return 0
    case "traceidratio": {
      const ratio = Number(argument ?? "1")
      return ratio >= 0 && ratio <= 1 ? ratio : 1
    }
    default:
      return undefined
  }
}

/** Whether spans leave by OTLP. */
export const isExported = ({ knobs }: Config, environment: Environment): boolean => {
  if (environment["OTEL_SDK_DISABLED"] === "true" || environment["OTEL_TRACES_EXPORTER"] === "none") return false
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces, OTEL_EXPORTER_OTLP_ENDPOINT: all } = environment
  return [knobs["telemetry.traces.endpoint"], traces, all].some((url) => url !== undefined && url !== "")
}

export const telemetryOptions = (
  config: Config,
  messaging: TelemetryOptions["messaging"],
  environment: Environment
) => {
  const { knobs } = config
  const exported = isExported(config, environment)
  return {
    ensemble: knobs["ensemble.name"],
    messaging,
    database: storeKind(config) === "memory" ? undefined : "postgresql",
    ratio: knobs["telemetry.traces.ratio"] ?? samplerRatio(environment) ?? (exported ? 0.01 : 0),
    perSecond: knobs["telemetry.traces.perSecond"],
    slowMs: knobs["telemetry.traces.slowMs"] ?? (exported ? 1000 : 0),
    failures: knobs["telemetry.traces.failed"] ?? (exported ? "system" : "none")
  } satisfies TelemetryOptions
}

/** Runs `program` with the tracing that the configuration wants, if any: whoever takes part in it finds it there. */
export const withTelemetry = <A, E, R>(
  config: Config,
  messaging: TelemetryOptions["messaging"],
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    if (!config.knobs["telemetry.traces"]) return program
    const telemetry = new Telemetry(telemetryOptions(config, messaging, process.env))
    return Effect.provideService(program, CurrentTelemetry, telemetry)
  })

/**
 * Runs `program` with this process's tracing joined to the ensemble's, and its spans on their way to the collector.
 * @param isAlone one service has the process for itself, and may have the process's name
 */
export const withTraces = <A, E, R>(
  config: Config,
  isAlone: boolean,
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, E | BusError, R | Bus> =>
  Effect.gen(function* () {
    const telemetry = yield* CurrentTelemetry
    if (telemetry === undefined) return yield* program
    yield* joinTraces(telemetry)
    if (isExported(config, process.env)) yield* exporting(config, telemetry, isAlone, process.env)
    const follow = Effect.sync(() => telemetry.followClock())
    yield* Effect.forkScoped(Effect.repeat(follow, Schedule.spaced(EXPORT_EVERY_MS)))
    return yield* program
  }).pipe(Effect.scoped)

/** Sends what is recorded, each second and once more at the end. */
const exporting = (config: Config, telemetry: Telemetry, isAlone: boolean, environment: Environment) =>
  Effect.gen(function* () {
    const { otlpSink, parseAttributes } = yield* Effect.promise(() => import("@zkmesh/telemetry/otlp"))
    const { recorder } = telemetry
    const name = environment["OTEL_SERVICE_NAME"]
    const sink = otlpSink({
      url: config.knobs["telemetry.traces.endpoint"],
      ensemble: config.knobs["ensemble.name"],
      version: VERSION,
      serviceName: name === undefined || name === "" ? undefined : { name, isWhole: isAlone },
      attributes: parseAttributes(environment["OTEL_RESOURCE_ATTRIBUTES"])
    })
    recorder.exportTo(sink)
    let loggedAt = Number.NEGATIVE_INFINITY
    const flush = Effect.suspend(() => {
      let lost: unknown
      const run = Effect.promise(() => recorder.flush((cause) => (lost = cause)))
      const tell = Effect.suspend(() => {
        if (lost === undefined || performance.now() - loggedAt < LOG_LOSS_EVERY_MS) return Effect.void
        loggedAt = performance.now()
        const { failed } = recorder.counters
        return Effect.logWarning(`spans cannot be delivered (${failed} lost so far): ${String(lost)}`)
      })
      return Effect.andThen(run, tell)
    })
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        flush,
        Effect.promise(() => sink.shutdown())
      ).pipe(Effect.timeoutOption(LAST_EXPORT_MS), Effect.asVoid)
    )
    yield* Effect.forkScoped(Effect.repeat(flush, Schedule.spaced(EXPORT_EVERY_MS)))
  })
