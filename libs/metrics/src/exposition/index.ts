export { PrometheusExposition } from "./prometheus.ts"
