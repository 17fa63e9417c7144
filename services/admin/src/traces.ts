/** Tracing on demand: what is to be traced for a while, and which spans there are. */
import { showTraces, type Telemetry, type TraceReport, targetOf, traceFor } from "@zkmesh/telemetry"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { json } from "./http.ts"

const BAD_REQUEST = 400

/**
 * `POST /traces?session=0x…&seconds=60` and `POST /traces?path=/app` have everything of a session, or at and below a path,
 * traced for a while. `GET /traces/0x…` and `GET /traces/<trace>` answer with the spans, from every service of the ensemble.
 */
export const traceRoutes = (telemetry: Telemetry | undefined): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.mergeAll(
    HttpRouter.add("POST", "/traces", (request) => {
      const { searchParams } = new URL(request.url, "http://here")
      return answered(() => start(telemetry, searchParams))
    }),
    HttpRouter.add("GET", "/traces/:subject", (request) => {
      const { pathname } = new URL(request.url, "http://here")
      return answered(() => showTraces(telemetry, decodeURIComponent(pathname.slice("/traces/".length))))
    })
  )

const start = async (telemetry: Telemetry | undefined, query: URLSearchParams): Promise<TraceReport> => {
  const [session, path, seconds] = [query.get("session"), query.get("path"), query.get("seconds")]
  const target = session === null ? targetOf("path", path ?? "") : targetOf("session", session)
  if (target === undefined) return { error: "trace what? ?session=0x… or ?path=/…" }
  return traceFor(telemetry, target, seconds === null ? undefined : Number(seconds))
}

const answered = (ask: () => Promise<TraceReport>) =>
  Effect.map(Effect.promise(ask), (report) => json(report, "error" in report ? BAD_REQUEST : 200))
