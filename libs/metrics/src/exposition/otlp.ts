/** Pushes a registry to an OpenTelemetry collector. Where to is in the usual variables of the environment. */
import type { Attributes, BatchObservableResult, Observable } from "@opentelemetry/api"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto"
import { resourceFromAttributes } from "@opentelemetry/resources"
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { type Declaration, Distribution, declarations, type Registry, type Sample } from "../index.ts"

const QUANTILES = [0.5, 0.9, 0.99]
const EVERY_MS = 10_000

const isSummary = ({ kind }: Declaration): boolean => kind.startsWith("summar") || kind.startsWith("distribution")
const isCounter = ({ kind }: Declaration): boolean => kind.startsWith("counter")

/**
 * Exports `registry` every ten seconds until it is shut down; `resource` says whose it is. A summary is exported as the
 * counters `<name>_count` and `<name>_sum` and, if it knows quantiles, a gauge `<name>` with the attribute `quantile`.
 */
export const exportOtlp = (registry: Registry, resource: Attributes): { readonly shutdown: () => Promise<void> } => {
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: EVERY_MS
  })
  const provider = new MeterProvider({ resource: resourceFromAttributes(resource), readers: [reader] })
  const meter = provider.getMeter("zkmesh")
  const observables = new Map<string, Observable>()
  for (const [name, declaration] of declarations()) {
    const { unit, help } = declaration
    const options = { unit, description: help }
    if (isSummary(declaration)) {
      observables.set(name, meter.createObservableGauge(name, options))
      observables.set(`${name}_count`, meter.createObservableCounter(`${name}_count`, { description: help }))
      observables.set(`${name}_sum`, meter.createObservableCounter(`${name}_sum`, options))
    } else {
      const make = isCounter(declaration) ? meter.createObservableCounter : meter.createObservableGauge
      observables.set(name, make.call(meter, name, options))
    }
  }
  const observe = (result: BatchObservableResult) => {
    for (const sample of registry.samples()) observeOne(result, observables, sample)
  }
  meter.addBatchObservableCallback(observe, [...observables.values()])
  return { shutdown: () => provider.shutdown() }
}

const observeOne = (
  result: BatchObservableResult,
  observables: ReadonlyMap<string, Observable>,
  { name, label, value }: Sample
): void => {
  const attributes: Attributes = label === undefined ? {} : { key: label }
  if (typeof value === "number") {
    result.observe(observables.get(name)!, value, attributes)
    return
  }
  result.observe(observables.get(`${name}_count`)!, value.count, attributes)
  result.observe(observables.get(`${name}_sum`)!, value.sum, attributes)
  if (!(value instanceof Distribution)) return
  value.quantiles(QUANTILES).forEach((at, i) => {
    result.observe(observables.get(name)!, at, { ...attributes, quantile: `${QUANTILES[i]}` })
  })
}
