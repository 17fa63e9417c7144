import { availableParallelism, cpus, totalmem } from "node:os"
import { join } from "node:path"
import { run } from "../setup/processes.ts"
import type { Load, Result } from "./spec.ts"

/** Runs a load in a process of its own, so that what measures is not slowed down by what reports. */
export async function runLoad(load: Load): Promise<Result> {
  const output = await run({
    name: "the load generator",
    command: process.execPath,
    args: [join(import.meta.dirname, "load.ts"), JSON.stringify(load)],
    timeoutMs: (load.warmupSeconds + load.seconds + 60) * 1000
  })
  return JSON.parse(output.split("\n").findLast((line) => line.startsWith("{")) ?? "null")
}

/** What the figures were measured on. */
export const machine = (): string =>
  `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ` +
  `${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}, Node ${process.versions.node}`

export const describe = (load: Load): string => {
  const operation = load.op === "mix" ? `${Math.round(load.readRatio * 100)} % getData, the rest setData` : load.op
  return `${operation}, ${load.sessions} sessions × ${load.outstanding} outstanding, ${load.size} bytes`
}

/** A result as people read it. */
export const show = (result: Result): string =>
  [
    `${thousands(result.perSecond)}/s`,
    `p50 ${ms(result.p50)}  p99 ${ms(result.p99)}  p99.9 ${ms(result.p999)}  max ${ms(result.max)} ms`,
    ...(result.errors > 0 ? [`${thousands(result.errors)} errors`] : []),
    ...(result.lost > 0 ? [`${result.lost} connections lost`] : [])
  ].join("   ")

export const thousands = (value: number): string => Math.round(value).toLocaleString("en-US")

export const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1)

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
