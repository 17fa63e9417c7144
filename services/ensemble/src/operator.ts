/** What an operator finds: the admin server, with health, and the metrics. Loaded once the rest is on its way. */
import { hostname } from "node:os"
import type { Config, ConfigError } from "@zkmesh/config"
import { CurrentHealth, Health } from "@zkmesh/health"
import { CurrentMetrics, Registry } from "@zkmesh/metrics"
import type { Sid } from "@zkmesh/numbers"
import { frontendsOf } from "@zkmesh/service-frontend"
import { CurrentTelemetry } from "@zkmesh/telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { adminSettings } from "./adminSettings.ts"
import { logSwitch } from "./logging.ts"
import type { StoreLayer } from "./peer.ts"
import { observeProcess, pauseSettings } from "./processMetrics.ts"
import { readAdminTls } from "./tls/certificates.ts"

/** Where the ports of a peer lie: in the ensemble placement each peer has those of the first plus `offset`. */
export interface OperatorPlace {
  readonly offset: number
  /** Where they listen if the configuration does not say. */
  readonly host: string
  /** The peer that it is about; none for a frontend that belongs to nobody. */
  readonly sid: Sid | undefined
  /** That peer's store, if it is this process that has it. */
  readonly store?: StoreLayer | undefined
}

/** How long a collector that is away may hold up the end of the process. */
const LAST_PUSH_MS = 1000

/** In a process of its own. */
export const onItsOwn = (sid: Sid | undefined, store?: StoreLayer): OperatorPlace => ({
  offset: 0,
  host: "0.0.0.0",
  sid,
  store
})

/** With health and metrics of its own: one of several peers in a process. */
export const apart = <A, E, R>(peer: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() =>
    peer.pipe(Effect.provideService(CurrentHealth, new Health()), Effect.provideService(CurrentMetrics, new Registry()))
  )

/** Runs `program` with the operator's surface beside it: also while it waits for its broker or its database. */
export const withOperator = <A, E, R>(config: Config, place: OperatorPlace, program: Effect.Effect<A, E, R>) =>
  Effect.all([program, runOperator(config, place)], { concurrency: "unbounded", discard: true })

/** Serves until it is interrupted. A port that cannot be had is warned of: what serves clients goes on without it. */
const runOperator = (config: Config, { offset, host, sid, store }: OperatorPlace): Effect.Effect<never, ConfigError> =>
  Effect.gen(function* () {
    const { knobs } = config
    const health = yield* CurrentHealth
    const metrics = yield* CurrentMetrics
    // Of several peers in a process one is enough to tell of its stalls.
    const pauses = pauseSettings(config)
    yield* observeProcess(metrics, offset === 0 ? pauses : { ...pauses, told: undefined })
    yield* pushed(metrics, sid)
    if (knobs["admin.enableServer"] || isPrometheus(config)) {
      const {
        commandRoutes,
        healthRoutes,
        logLevelRoute,
        restoreRoute,
        serveHttp,
        serveMetrics,
        shedRoute,
        snapshotRoute,
        traceRoutes
      } = yield* Effect.promise(() => import("@zkmesh/service-admin"))
      if (knobs["admin.enableServer"]) {
        const endpoint = {
          host: knobs["admin.serverAddress"] ?? host,
          port: knobs["admin.serverPort"] + offset,
          idleTimeoutMs: knobs["admin.idleTimeout"],
          tls: yield* readAdminTls(config)
        }
        const server = frontendsOf(metrics)
        const subject = { server, settings: adminSettings(config, sid, server) }
        const base = knobs["admin.commandURL"] as `/${string}`
        const routes = Layer.mergeAll(
          healthRoutes(health),
          traceRoutes(yield* CurrentTelemetry),
          commandRoutes(subject, base, ["snapshot", "restore", "log_level", "shed_connections"]),
          logLevelRoute(subject, base, logSwitch),
          ...shedRoute(subject, base),
          ...restoreRoute(subject, base, {
            isEnabled: knobs["admin.restore.enabled"],
            intervalMs: knobs["admin.rateLimiterIntervalInMS"],
            maxFrameBytes: knobs["jute.maxbuffer"]
          }),
          ...snapshotRoute(subject, base, {
            isEnabled: knobs["admin.snapshot.enabled"],
            intervalMs: knobs["admin.rateLimiterIntervalInMS"],
            store
          })
        )
        yield* warned("the admin server", serveHttp(endpoint, routes))
      }
      if (isPrometheus(config)) {
        const endpoint = {
          host: knobs["metricsProvider.httpHost"] ?? host,
          port: knobs["metricsProvider.httpPort"] + offset
        }
        yield* warned("metrics", serveMetrics(endpoint, metrics, knobs["metricsProvider.exportJvmInfo"]))
      }
    }
    return yield* Effect.never
  }).pipe(Effect.scoped)

const isPrometheus = ({ knobs }: Config): boolean =>
  knobs["metricsProvider.className"].endsWith("PrometheusMetricsProvider")

const warned = <R>(what: string, serve: Effect.Effect<number, { readonly message: string }, R>) =>
  Effect.matchEffect(serve, {
    onSuccess: (port) => Effect.logInfo(`${what} at port ${port}`),
    onFailure: ({ message }) => Effect.logWarning(`${what} cannot be reached: ${message}`)
  })

/** Pushes metrics to the collector that the environment names, if it names one; the last ones at the end. */
const pushed = (metrics: Registry, sid: Sid | undefined): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const names = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
    if (!names.some((name) => Boolean(process.env[name]))) return
    const { exportOtlp } = yield* Effect.promise(() => import("@zkmesh/metrics/otlp"))
    const service = process.env["OTEL_SERVICE_NAME"] ?? "zkmesh"
    const resource = { "service.name": service, "service.instance.id": `${hostname()}-${process.pid}-${sid ?? 0}` }
    yield* Effect.acquireRelease(
      Effect.sync(() => exportOtlp(metrics, sid === undefined ? resource : { ...resource, "zkmesh.peer": sid })),
      ({ shutdown }) =>
        Effect.tryPromise(shutdown).pipe(
          Effect.timeoutOption(LAST_PUSH_MS),
          Effect.catch((error) => Effect.logWarning("the collector did not take the last metrics", error.cause)),
          Effect.asVoid
        )
    )
  })
