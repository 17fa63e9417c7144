/**
 * What tracing costs: the same servers with and without, under the same load in short turns. Two things are told: the CPU time
 * that the servers take for a request, which is alike between neighbouring turns even on a machine that others use, where
 * throughput is what they leave; and the share of their time in which the profiler finds them in tracing's own code, which
 * no other work on the machine changes.
 */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { temporary } from "../setup/directories.ts"
import { ensureTools } from "../setup/packages.ts"
import { Ensemble, Servers } from "../setup/zkmesh.ts"
import { monotonicMicros, profiling, type Shares, type Span, sharesOf } from "./profile.ts"
import { median, runLoad, show, thousands } from "./run.ts"
import { type Load, parseServers, type Result, type Turns } from "./spec.ts"

export interface TracingOptions extends Turns {
  readonly placement: "server" | "ensemble"
}

export interface Cost {
  readonly load: string
  /** How much is traced. */
  readonly name: string
  readonly turns: ReadonlyArray<Result>
  /** Medians over the rounds, compared with the servers that cannot trace at all: 0.01 is one percent. */
  readonly throughputLoss: number
  /** CPU time of the servers per request; undefined if the system does not say. */
  readonly cpu: Difference | undefined
  /** Of the servers' busy time: in code that traces, and in the garbage collector. */
  readonly shares: Shares
}

/** A share, and between which ones it lies with 95 % confidence: so far apart are the rounds. */
export interface Difference {
  readonly median: number
  readonly from: number
  readonly to: number
}

interface Contestant {
  readonly name: string
  readonly connect: string
  readonly pids: ReadonlyArray<number>
  /** Where its processes leave their profiles when they stop. */
  readonly profiles: string
  readonly stop: () => Promise<void>
}

/** When the turns of a load were, by contestant. */
type Spans = ReadonlyMap<string, ReadonlyArray<Span>>

const BASE = "disabled"

/** Settings of the contestants, the one that the others are compared with first. */
const settings = (collector: string): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => {
  const endpoint = `telemetry.traces.endpoint=${collector}/v1/traces`
  const unbound = "telemetry.traces.perSecond=0"
  return [
    [BASE, ["telemetry.traces=false"]],
    ["off", []],
    ["tail", [endpoint, "telemetry.traces.ratio=0"]],
    ["1 %", [endpoint, "telemetry.traces.ratio=0.01"]],
    ["1 % unbound", [endpoint, "telemetry.traces.ratio=0.01", unbound]]
  ]
}

/** Takes everything and keeps nothing: what a collector does with it is no cost of ours. */
const startCollector = async (): Promise<Server> => {
  const server = createServer((request, response) => {
    request.resume()
    request.on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

const startContestant = async (
  name: string,
  placement: TracingOptions["placement"],
  lines: ReadonlyArray<string>
): Promise<Contestant> => {
  const profiles = temporary("profiles")
  const environment = { NODE_OPTIONS: profiling(profiles) }
  if (placement === "ensemble") {
    const ensemble = await Ensemble.start(3, lines, environment)
    const { connect, process } = ensemble
    return { name, connect, profiles, pids: [process.child.pid!], stop: () => ensemble.stop() }
  }
  const servers = await Servers.start({ binaries: "installed", settings: lines, environment: () => environment })
  const peers = [0, 1, 2].map((index) => servers.peer(index))
  const stop = async () => {
    // A process that is killed leaves no profile.
    await Promise.all(peers.map((peer) => peer.stop()))
    await servers.stop()
  }
  return { name, connect: servers.connect, profiles, pids: peers.map(({ child }) => child.pid!), stop }
}

export async function tracingCosts(options: TracingOptions): Promise<ReadonlyArray<Cost>> {
  const { placement, rounds, say, ...common } = options
  if (placement === "server") ensureTools(["nats"], say)
  const collector = await startCollector()
  const contestants: Array<Contestant> = []
  try {
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    for (const [name, lines] of settings(url)) {
      say(`Starting three peers, ${placement} placement, tracing ${name}`)
      contestants.push(await startContestant(name, placement, lines))
    }
    const lone = { sessions: 1, outstanding: 1 }
    const loads = [
      ["setData", { ...common, op: "setData" }],
      ["getData", { ...common, op: "getData" }],
      ["setData 1×1", { ...common, ...lone, op: "setData" }]
    ] as const
    const measured: Array<Measured> = []
    for (const [name, load] of loads) {
      measured.push(await compare(name, { ...load, root: "/bench" }, contestants, rounds, say))
    }
    const running = contestants.splice(0)
    await Promise.all(running.map((one) => one.stop()))
    return measured.flatMap((one) => costsOf(one, running))
  } finally {
    await Promise.all(contestants.map((one) => one.stop()))
    collector.closeAllConnections()
    collector.close()
  }
}

/** All turns of a load, by contestant. */
interface Measured {
  readonly load: string
  readonly turns: ReadonlyMap<string, ReadonlyArray<Result>>
  readonly spans: Spans
}

async function compare(
  name: string,
  load: Omit<Load, "servers">,
  contestants: ReadonlyArray<Contestant>,
  rounds: number,
  say: (line: string) => void
): Promise<Measured> {
  const turns = new Map<string, Array<Result>>(contestants.map((one) => [one.name, []]))
  const spans = new Map<string, Array<Span>>(contestants.map((one) => [one.name, []]))
  // The first turn of each is thrown away: they run on a just-in-time compiler.
  for (let round = 0; round <= rounds; round++) {
    // Round by round another one goes first, forwards and backwards in turn: nobody always follows the same one.
    const turned = contestants.map((_, i) => contestants[(i + round) % contestants.length]!)
    for (const one of round % 2 === 0 ? turned : turned.reverse()) {
      const from = monotonicMicros()
      const turn = await runLoad({ ...load, servers: parseServers(one.connect), pids: one.pids })
      const cpu = cpuOf(turn)
      const took = cpu === undefined ? "" : `   ${micros(cpu)} of CPU`
      say(`${name.padEnd(12)} ${one.name.padEnd(12)} ${round === 0 ? "(warm-up) " : ""}${show(turn)}${took}`)
      if (round === 0) continue
      turns.get(one.name)!.push(turn)
      spans.get(one.name)!.push({ from, to: monotonicMicros() })
    }
  }
  return { load: name, turns, spans }
}

const costsOf = ({ load, turns, spans }: Measured, contestants: ReadonlyArray<Contestant>): ReadonlyArray<Cost> => {
  const base = turns.get(BASE)!
  return contestants.map(({ name, profiles }) => {
    const own = turns.get(name)!
    const shares = sharesOf(profiles, spans.get(name)!, isTracing)
    return { load, name, turns: own, shares, ...difference(base, own) }
  })
}

/** Each service's tracing is a folder of its own. */
const isTracing = (url: string): boolean => url.includes("/tracing/") || url.includes("/libs/telemetry/")

/** Round by round, since the machine's other work falls on a whole round. */
const difference = (base: ReadonlyArray<Result>, of: ReadonlyArray<Result>) => {
  const throughput = of.map((turn, i) => 1 - turn.perSecond / base[i]!.perSecond)
  const cpu = of.flatMap((turn, i) => {
    const [own, theirs] = [cpuOf(turn), cpuOf(base[i]!)]
    return own === undefined || theirs === undefined ? [] : [own / theirs - 1]
  })
  return { throughputLoss: median(throughput), cpu: cpu.length === 0 ? undefined : between(cpu) }
}

/** The median, and the two values that it lies between with 95 % confidence, whatever their distribution. */
export const between = (values: ReadonlyArray<number>): Difference => {
  const sorted = values.toSorted((a, b) => a - b)
  const { length } = sorted
  // By chance fewer than k of n values are below the median as often as fewer than k of n coins show heads.
  let outside = 0
  let heads = 1 / 2 ** length
  let k = 0
  for (; k < length / 2 && outside + heads <= 0.025; k++) {
    outside += heads
    heads *= (length - k) / (k + 1)
  }
  const first = Math.max(0, k - 1)
  return { median: median(sorted), from: sorted[first]!, to: sorted[length - 1 - first]! }
}

/** CPU seconds of all servers together for a request. */
const cpuOf = ({ requests, serverCpuSeconds }: Result): number | undefined =>
  serverCpuSeconds === undefined || requests === 0 ? undefined : serverCpuSeconds / requests

const micros = (seconds: number): string => `${(seconds * 1e6).toFixed(seconds < 1e-4 ? 2 : 0)} µs`

const percent = (share: number): string => `${share < 0 ? "−" : "+"}${(Math.abs(share) * 100).toFixed(1)} %`

/** The share of the servers' time that tracing may take. */
const LIMITS = new Map([
  ["off", 0.01],
  ["tail", 0.05],
  ["1 %", 0.05]
])

const verdict = ({ name, shares }: Cost): string => {
  const limit = LIMITS.get(name)
  return limit === undefined ? "" : `at most ${limit * 100} %: ${shares.own <= limit ? "yes" : "no"}`
}

/** The table that `--tracing` ends with. */
export const costTable = (costs: ReadonlyArray<Cost>): Array<string> => [
  inColumns(["load", "tracing", "throughput", "", "CPU/request", "", "95 % confidence", "in tracing", "in GC", ""]),
  ...costs.map((cost) => {
    const { load, name, turns, throughputLoss, cpu, shares } = cost
    const taken = turns.flatMap((turn) => cpuOf(turn) ?? [])
    const isBase = name === BASE || cpu === undefined
    return inColumns([
      load,
      name,
      `${thousands(median(turns.map((turn) => turn.perSecond)))}/s`,
      name === BASE ? "" : percent(-throughputLoss),
      taken.length === 0 ? "" : micros(median(taken)),
      isBase ? "" : percent(cpu.median),
      isBase ? "" : `${percent(cpu.from)} … ${percent(cpu.to)}`,
      `${(shares.own * 100).toFixed(2)} %`,
      `${(shares.collector * 100).toFixed(1)} %`,
      verdict(cost)
    ])
  })
]

const WIDTHS = [13, 13, 14, 10, 13, 10, 20, 12, 9, 0]
const inColumns = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i]!))
    .join("")
    .trimEnd()
