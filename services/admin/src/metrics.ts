/** `http://<metricsProvider.httpHost>:<metricsProvider.httpPort>/metrics`, as ZooKeeper's Prometheus provider serves it. */
import type { Registry } from "@zkmesh/metrics"
import { PrometheusExposition } from "@zkmesh/metrics/exposition"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import { type HttpEndpoint, type ListenError, serveHttp } from "./http.ts"

/** Serves `registry` until the scope closes; `runtime`: with Node's own figures. Returns the port. */
export const serveMetrics = (
  endpoint: HttpEndpoint,
  registry: Registry,
  runtime: boolean
): Effect.Effect<number, ListenError, Scope.Scope> => {
  const exposition = new PrometheusExposition(registry, runtime)
  const scrape = Effect.map(
    Effect.promise(() => exposition.text()),
    (text) => HttpServerResponse.text(text, { contentType: exposition.contentType })
  )
  return serveHttp(endpoint, HttpRouter.add("GET", "/metrics", scrape))
}
