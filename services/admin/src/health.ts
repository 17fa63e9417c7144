/** Whether this process lives and serves, for those who restart it and those who send it clients. */
import type { Health } from "@zkmesh/health"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import { json } from "./http.ts"

const since = performance.now()

/**
 * `/health/live`: 200 as long as the process answers at all. `/health/ready`: 200 if everything in it serves, else 503; a
 * read-only server is ready for those who ask with `?readOnly=true`. Both say why, as JSON.
 */
export const healthRoutes = (health: Health): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/health/live",
      Effect.sync(() => json({ live: true, pid: process.pid, uptime: Math.round(performance.now() - since) }))
    ),
    HttpRouter.add("GET", "/health/ready", (request) => Effect.sync(() => readiness(health, request)))
  )

const readiness = (health: Health, request: HttpServerRequest) => {
  const { condition, ready, why, parts } = health.overall()
  const contented = new URL(request.url, "http://here").searchParams.get("readOnly") === "true"
  const isReady = ready || (contented && condition === "readOnly")
  return json({ ready: isReady, condition, why: why ?? null, parts }, isReady ? 200 : 503)
}
