/** Prometheus's text form, at the names of ZooKeeper's own provider: no prefix, no `_total`. */

import * as Prometheus from "prom-client"
import { Distribution, type Summary as Measured, type MetricName, type Registry, type Sample } from "../index.ts"
import { observeRuntime } from "./runtime.ts"

const QUANTILES = [0.5, 0.9, 0.99]

type Line = Prometheus.MetricValueWithName<string>

/** A gauge or counter whose values are looked up when it is scraped. */
const linesOfNumber = (samples: ReadonlyArray<Sample>): Array<Line> =>
  samples.map(({ name, label, value }) => ({ metricName: name, labels: labels(label), value: value as number }))

const labels = (label: string | undefined): Record<string, string> => (label === undefined ? {} : { key: label })

const linesOfSummary = (samples: ReadonlyArray<Sample>): Array<Line> =>
  samples.flatMap(({ name, label, value }) => {
    const measured = value as Measured
    const own = labels(label)
    const quantiles =
      measured instanceof Distribution
        ? measured.quantiles(QUANTILES).map((at, i) => ({
            metricName: name,
            labels: { ...own, quantile: `${QUANTILES[i]}` },
            value: at
          }))
        : []
    return [
      ...quantiles,
      { metricName: `${name}_sum`, labels: own, value: measured.sum },
      { metricName: `${name}_count`, labels: own, value: measured.count }
    ]
  })

class ExportedGauge extends Prometheus.Gauge {
  samples: ReadonlyArray<Sample> = []
  override async get() {
    return { ...(await super.get()), values: linesOfNumber(this.samples) }
  }
}
class ExportedCounter extends Prometheus.Counter {
  samples: ReadonlyArray<Sample> = []
  override async get() {
    return { ...(await super.get()), values: linesOfNumber(this.samples) }
  }
}
class ExportedSummary extends Prometheus.Summary {
  samples: ReadonlyArray<Sample> = []
  override async get() {
    return { ...(await super.get()), values: linesOfSummary(this.samples) }
  }
}

type Exported = ExportedGauge | ExportedCounter | ExportedSummary

/** A registry as Prometheus scrapes it. */
export class PrometheusExposition {
  readonly contentType: string
  private readonly source: Registry
  private readonly registry = new Prometheus.Registry()
  private readonly exported = new Map<MetricName, Exported>()

  /** `runtime`: with what Node says of its heap, its event loop and its garbage collector, and Java's names for that. */
  constructor(source: Registry, runtime: boolean) {
    this.source = source
    this.contentType = this.registry.contentType
    if (runtime) observeRuntime(this.registry)
  }

  async text(): Promise<string> {
    const byName = new Map<MetricName, Array<Sample>>()
    for (const sample of this.source.samples()) {
      const same = byName.get(sample.name)
      if (same === undefined) byName.set(sample.name, [sample])
      else same.push(sample)
    }
    for (const [name, exported] of this.exported) exported.samples = byName.get(name) ?? []
    for (const [name, samples] of byName) {
      if (!this.exported.has(name)) this.exported.set(name, this.export(samples))
    }
    return this.registry.metrics()
  }

  private export(samples: ReadonlyArray<Sample>): Exported {
    const { name, declaration } = samples[0]!
    const { kind, unit, help } = declaration
    const configuration = { name, help: `${help} (${unit})`, registers: [this.registry] }
    const exported: Exported =
      kind === "gauge" || kind === "gauges"
        ? new ExportedGauge(configuration)
        : kind === "counter" || kind === "counters"
          ? new ExportedCounter(configuration)
          : new ExportedSummary({ ...configuration, percentiles: QUANTILES })
    exported.samples = samples
    return exported
  }
}
