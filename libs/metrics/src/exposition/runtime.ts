/** Node's own figures, and the names under which dashboards for ZooKeeper look for Java's. */
import { constants, PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8"
import * as Prometheus from "prom-client"

const COLLECTORS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb"
}

/** Pauses of the garbage collector since the first one who asked; one observer for the process. */
const pauses = new Map<string, { count: number; seconds: number }>()
let isWatching = false

const watchCollector = (): void => {
  if (isWatching) return
  isWatching = true
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail } = entry as { detail?: { kind?: number } }
      const collector = COLLECTORS[detail?.kind ?? -1] ?? "other"
      const known = pauses.get(collector) ?? { count: 0, seconds: 0 }
      pauses.set(collector, { count: known.count + 1, seconds: known.seconds + entry.duration / 1000 })
    }
  }).observe({ entryTypes: ["gc"] })
}

class CollectorTime extends Prometheus.Summary {
  override async get() {
    const values = [...pauses].flatMap(([gc, { count, seconds }]) => [
      { metricName: "jvm_gc_collection_seconds_sum", labels: { gc }, value: seconds },
      { metricName: "jvm_gc_collection_seconds_count", labels: { gc }, value: count }
    ])
    return { ...(await super.get()), values }
  }
}

/** Adds Node's default metrics to the registry, and `jvm_*` of the same meaning. */
export const observeRuntime = (registry: Prometheus.Registry): void => {
  Prometheus.collectDefaultMetrics({ register: registry })
  watchCollector()
  const registers = [registry]
  const gauge = (name: string, help: string, labelNames: Array<string>, collect: (gauge: Prometheus.Gauge) => void) =>
    new Prometheus.Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        collect(this)
      }
    })
  gauge("jvm_memory_bytes_used", "V8's heap in use, and what is outside of it", ["area"], (memory) => {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    memory.set({ area: "heap" }, heapUsed)
    memory.set({ area: "nonheap" }, external + arrayBuffers)
  })
  gauge(
    "jvm_memory_bytes_committed",
    "V8's heap as taken from the system, and the rest of the process",
    ["area"],
    (memory) => {
      const { heapTotal, rss } = process.memoryUsage()
      memory.set({ area: "heap" }, heapTotal)
      memory.set({ area: "nonheap" }, Math.max(0, rss - heapTotal))
    }
  )
  gauge("jvm_memory_bytes_max", "how large V8's heap may become", ["area"], (memory) => {
    memory.set({ area: "heap" }, getHeapStatistics().heap_size_limit)
  })
  gauge("jvm_memory_pool_bytes_used", "V8's heap in use, by space", ["pool"], (memory) => {
    for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
      memory.set({ pool: space_name }, space_used_size)
    }
  })
  gauge(
    "jvm_threads_current",
    "libuv's threads and the one of JavaScript, as far as they are of use",
    [],
    (threads) => {
      threads.set(1 + Number(process.env["UV_THREADPOOL_SIZE"] ?? 4))
    }
  )
  gauge("jvm_info", "what runs this", ["version", "vendor", "runtime"], (info) => {
    info.set({ version: process.version, vendor: "Node.js", runtime: `v8 ${process.versions.v8}` }, 1)
  })
  new CollectorTime({
    name: "jvm_gc_collection_seconds",
    help: "pauses of V8's garbage collector",
    registers
  })
}
