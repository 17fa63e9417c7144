export { healthRoutes } from "./health.ts"
export { type HttpEndpoint, json, ListenError, serveHttp } from "./http.ts"
export { serveMetrics } from "./metrics.ts"
