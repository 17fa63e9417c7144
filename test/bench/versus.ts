import { ensureTools } from "../setup/packages.ts"
import { Ensemble, Servers } from "../setup/zkmesh.ts"
import { mode, ZooKeeper } from "../setup/zookeeper.ts"
import { median, ms, runLoad, show, thousands } from "./run.ts"
import { type Load, parseServers, type Result, type Turns } from "./spec.ts"

export interface VersusOptions extends Turns {
  readonly placement: "server" | "ensemble"
  /** The names of the loads to run; all if it is absent. */
  readonly only?: ReadonlyArray<string>
}

export interface Comparison {
  readonly name: string
  readonly zookeeper: ReadonlyArray<Result>
  readonly zkmesh: ReadonlyArray<Result>
  /** Medians. Throughput: ours over theirs, more is better; p50: ours over theirs, less is better. */
  readonly throughputRatio: number
  readonly p50Ratio: number
}

interface Contestant {
  readonly name: "zookeeper" | "zkmesh"
  readonly connect: string
  readonly stop: () => Promise<void>
}

/**
 * Three ZooKeeper servers and three peers of ours on this machine, the same load on the one and the other in turn, so
 * that whatever else the machine does falls on both alike.
 */
export async function versus(options: VersusOptions): Promise<ReadonlyArray<Comparison>> {
  ensureTools(options.placement === "server" ? ["zookeeper", "java", "nats"] : ["zookeeper", "java"], options.say)
  const contestants: Array<Contestant> = []
  try {
    options.say("Starting three ZooKeeper servers")
    const zookeeper = await ZooKeeper.start(3)
    contestants.push({ name: "zookeeper", connect: zookeeper.connect, stop: () => zookeeper.stop() })
    options.say(`Starting three peers of zkmesh, ${options.placement} placement`)
    contestants.push(await startOurs(options.placement))
    const comparisons: Array<Comparison> = []
    for (const [name, load, at] of loads(options)) {
      if (options.only?.includes(name) === false) continue
      comparisons.push(await compare(name, load, at, contestants, options))
    }
    return comparisons
  } finally {
    await Promise.all(contestants.map((one) => one.stop()))
  }
}

/** The table that `--versus` ends with. */
export function summary(comparisons: ReadonlyArray<Comparison>): Array<string> {
  const rows = comparisons.map((one) => [
    one.name,
    `${thousands(median(one.zookeeper.map((r) => r.perSecond)))}/s`,
    `${thousands(median(one.zkmesh.map((r) => r.perSecond)))}/s`,
    `${one.throughputRatio.toFixed(2)}×`,
    `${ms(median(one.zookeeper.map((r) => r.p50)))} / ${ms(median(one.zookeeper.map((r) => r.p99)))}`,
    `${ms(median(one.zkmesh.map((r) => r.p50)))} / ${ms(median(one.zkmesh.map((r) => r.p99)))}`,
    `${one.p50Ratio.toFixed(2)}×`
  ])
  const header = ["load", "ZooKeeper", "zkmesh", "ratio", "ZooKeeper p50/p99 ms", "zkmesh p50/p99 ms", "p50 ratio"]
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  return [header, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd()
  )
}

async function startOurs(placement: VersusOptions["placement"]): Promise<Contestant> {
  if (placement === "ensemble") {
    const ensemble = await Ensemble.start()
    return { name: "zkmesh", connect: ensemble.connect, stop: () => ensemble.stop() }
  }
  const servers = await Servers.start({ binaries: "installed", postgres: "per peer" })
  return { name: "zkmesh", connect: servers.connect, stop: () => servers.stop() }
}

/** Which servers a load goes to. Who leads is drawn by lot, so a single session names the role of its server. */
type Where = "all" | "leader" | "follower"

function loads(options: VersusOptions): ReadonlyArray<readonly [string, Omit<Load, "servers">, Where]> {
  const { nodes, outstanding, readRatio, seconds, sessions, size, warmupSeconds } = options
  const common = { readRatio, size, nodes, root: "/bench", seconds, warmupSeconds }
  const full = { ...common, sessions, outstanding }
  const lone = { ...common, sessions: 1, outstanding: 1 }
  return [
    ["setData", { ...full, op: "setData" }, "all"],
    ["getData", { ...full, op: "getData" }, "all"],
    [`mix ${Math.round(readRatio * 100)}/${Math.round(100 - readRatio * 100)}`, { ...full, op: "mix" }, "all"],
    ["setData 1×1 leader", { ...lone, op: "setData" }, "leader"],
    ["setData 1×1 follower", { ...lone, op: "setData" }, "follower"]
  ]
}

async function serversOf({ connect }: Contestant, at: Where): Promise<Load["servers"]> {
  const servers = parseServers(connect)
  if (at === "all") return servers
  const modes = await Promise.all(servers.map(({ port }) => mode(port)))
  return servers.filter((_, i) => modes[i] === at).slice(0, 1)
}

async function compare(
  name: string,
  load: Omit<Load, "servers">,
  at: Where,
  contestants: ReadonlyArray<Contestant>,
  options: VersusOptions
): Promise<Comparison> {
  const results: Record<Contestant["name"], Array<Result>> = { zookeeper: [], zkmesh: [] }
  // A lone session has too few requests to average out what else the machine does.
  const rounds = at === "all" ? options.rounds : options.rounds + 2
  // The first turn of each is thrown away: both run on a just-in-time compiler.
  for (let round = 0; round <= rounds; round++) {
    for (const one of contestants) {
      const result = await runLoad({ ...load, servers: await serversOf(one, at) })
      options.say(`${name.padEnd(20)} ${one.name.padEnd(10)} ${round === 0 ? "(warm-up) " : ""}${show(result)}`)
      if (round > 0) results[one.name].push(result)
    }
  }
  const ratio = (pick: (result: Result) => number) =>
    median(results.zkmesh.map(pick)) / median(results.zookeeper.map(pick))
  return { name, ...results, throughputRatio: ratio((r) => r.perSecond), p50Ratio: ratio((r) => r.p50) }
}
