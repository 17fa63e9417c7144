import {
  CATALOGUE,
  type Declaration,
  declarations,
  type Kind,
  type MetricName,
  type NameOf,
  type Owner
} from "./catalogue/index.ts"
import { Counter, Distribution, Family, Summary } from "./instruments.ts"

/** What is asked when somebody wants to see it: how much there is of something now, or counts that are kept elsewhere. */
export type Readings = {
  readonly [N in NameOf<"gauge" | "counter">]?: number | undefined
} & {
  readonly [N in NameOf<"gauges" | "counters">]?: Readonly<Record<string, number>> | undefined
}

type Instrument = Counter | Summary | Distribution | Family<Counter> | Family<Summary> | Family<Distribution>

/** The value of one metric, for one label if it is a family. A summary is the live one: read it at once. */
export interface Sample {
  readonly name: MetricName
  readonly declaration: Declaration
  readonly label: string | undefined
  readonly value: number | Summary
}

/** Quantiles are of the time since the last turn but one; turns are at least this far apart. */
const TURN_MS = 60_000

const MAKERS: Readonly<Record<Kind, () => Instrument>> = {
  gauge: () => new Counter(),
  counter: () => new Counter(),
  summary: () => new Summary(),
  distribution: () => new Distribution(),
  gauges: () => new Family(() => new Counter()),
  counters: () => new Family(() => new Counter()),
  summaries: () => new Family(() => new Summary()),
  distributions: () => new Family(() => new Distribution())
}

/**
 * The metrics of one process (of one peer, where a process has several): instruments that are written on the way of a
 * request, and sources that are asked when somebody looks. It outlives the services that write to it: what is counted
 * stays counted when one of them is built again.
 */
export class Registry {
  private readonly instruments = new Map<MetricName, Instrument>()
  private readonly sources = new Map<string, () => Readings>()
  /** What counts that are kept elsewhere were when they were to begin anew. */
  private readonly baselines = new Map<string, number>()
  private readonly now: () => number
  private turnedAt: number

  /** `now`: milliseconds on a monotonic clock. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
    this.turnedAt = now()
    for (const [name, { owner }] of declarations()) if (owner === "none") this.instrument(name)
  }

  /** The one instrument of this name; made when it is first asked for, and shown from then on. */
  counter(name: NameOf<"counter">): Counter {
    return this.instrument(name) as Counter
  }
  summary(name: NameOf<"summary" | "distribution">): Summary {
    return this.instrument(name) as Summary
  }
  counters(name: NameOf<"counters">): Family<Counter> {
    return this.instrument(name) as Family<Counter>
  }
  summaries(name: NameOf<"summaries" | "distributions">): Family<Summary> {
    return this.instrument(name) as Family<Summary>
  }

  /**
   * Asks `source` whenever somebody looks, in the place of the one that had this key. Returns what takes it away again.
   * A service's key is its address, and it knows its own metrics only.
   */
  observe(key: string, source: () => Readings): () => void {
    this.sources.set(key, source)
    return () => {
      if (this.sources.get(key) === source) this.sources.delete(key)
    }
  }

  private instrument(name: MetricName): Instrument {
    let instrument = this.instruments.get(name)
    if (instrument === undefined) {
      instrument = MAKERS[CATALOGUE[name].kind]()
      this.instruments.set(name, instrument)
    }
    return instrument
  }

  /** Everything that is known now; only what belongs to `owners`, if they are given. */
  samples(owners?: ReadonlySet<Owner>): ReadonlyArray<Sample> {
    this.turn()
    const read = this.read(owners)
    const samples: Array<Sample> = []
    for (const [name, declaration] of declarations()) {
      if (owners !== undefined && !owners.has(declaration.owner)) continue
      const instrument = this.instruments.get(name)
      const sample = (label: string | undefined, value: number | Summary) =>
        samples.push({ name, declaration, label, value })
      if (instrument instanceof Family) for (const [label, one] of instrument.entries()) sample(label, readingOf(one))
      else if (instrument !== undefined) sample(undefined, readingOf(instrument))
      const value = read.get(name)
      if (typeof value === "number") sample(undefined, value)
      else if (value !== undefined) for (const [label, one] of Object.entries(value)) sample(label, one)
    }
    return samples
  }

  private read(owners: ReadonlySet<Owner> | undefined): Map<string, number | Readonly<Record<string, number>>> {
    const all = new Map<string, number | Readonly<Record<string, number>>>()
    for (const [key, source] of this.sources) {
      if (owners !== undefined && SERVICES.has(serviceOf(key)) && !owners.has(serviceOf(key) as Owner)) continue
      for (const [name, value] of Object.entries(source()))
        if (value !== undefined) all.set(name, this.sinceReset(name, value))
    }
    return all
  }

  private sinceReset<A extends number | Readonly<Record<string, number>>>(name: string, value: A): A | number {
    const baseline = this.baselines.get(name)
    if (baseline === undefined || typeof value !== "number") return value
    if (value >= baseline) return value - baseline
    // Whoever counts has begun anew meanwhile.
    this.baselines.delete(name)
    return value
  }

  /**
   * The same under the names of `mntr`: a gauge and a counter as it is, a summary as `avg_`, `min_`, `max_`, `cnt_` and
   * `sum_`, a distribution with `p50_`, `p95_`, `p99_` and `p999_` as well; a label comes before the name.
   */
  figures(...owners: ReadonlyArray<Owner>): Record<string, number> {
    const figures: Record<string, number> = {}
    for (const { name, label, value } of this.samples(new Set(owners))) {
      const key = label === undefined ? name : `${label}_${name}`
      if (typeof value === "number") figures[key] = value
      else {
        figures[`avg_${key}`] = Math.round(value.average * 10_000) / 10_000
        figures[`min_${key}`] = Math.floor(value.min)
        figures[`max_${key}`] = Math.floor(value.max)
        figures[`cnt_${key}`] = value.count
        figures[`sum_${key}`] = Math.floor(value.sum)
        if (value instanceof Distribution) {
          const [p50, p95, p99, p999] = value.quantiles([0.5, 0.95, 0.99, 0.999])
          Object.assign(figures, {
            [`p50_${key}`]: Math.floor(p50!),
            [`p95_${key}`]: Math.floor(p95!),
            [`p99_${key}`]: Math.floor(p99!),
            [`p999_${key}`]: Math.floor(p999!)
          })
        }
      }
    }
    return figures
  }

  /** `srst`: counts and measurements begin anew; what there is of something now stays. */
  reset(): void {
    const forget = (one: Counter | Summary) => {
      if (one instanceof Counter) one.value = 0
      else one.reset()
    }
    for (const instrument of this.instruments.values()) {
      if (instrument instanceof Family) for (const [, one] of instrument.entries()) forget(one)
      else forget(instrument)
    }
    this.baselines.clear()
    for (const [name, value] of this.read(undefined)) {
      if (typeof value === "number" && CATALOGUE[name as MetricName].kind === "counter") this.baselines.set(name, value)
    }
  }

  private turn(): void {
    const now = this.now()
    if (now - this.turnedAt < TURN_MS) return
    this.turnedAt = now
    for (const instrument of this.instruments.values()) {
      if (instrument instanceof Distribution) instrument.turn()
      else if (instrument instanceof Family) {
        for (const [, one] of instrument.entries()) if (one instanceof Distribution) one.turn()
      }
    }
  }
}

/** Sources of a service are of its own metrics alone: who asks for others need not ask it. */
const SERVICES: ReadonlySet<string> = new Set<Owner>(["session", "znode", "broadcast", "election"])
/** `znode` of `znode.1`. */
const serviceOf = (key: string): string => key.split(".", 1)[0]!

const readingOf = (instrument: Counter | Summary): number | Summary =>
  instrument instanceof Counter ? instrument.value : instrument

/** Of `numbers` those that are declared as gauges or counters of `owner`: the rest is for people. */
export const readingsOf = (owner: Owner, numbers: Readonly<Record<string, unknown>>): Readings => {
  const readings: Record<string, number> = {}
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value !== "number" || !Object.hasOwn(CATALOGUE, name)) continue
    const declared = CATALOGUE[name as MetricName]
    if (declared.owner === owner && (declared.kind === "gauge" || declared.kind === "counter")) readings[name] = value
  }
  return readings
}
