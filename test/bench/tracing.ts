/** What tracing costs: the same servers with and without, under the same load in turn. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { ensureTools } from "../setup/packages.ts"
import { Ensemble, Servers } from "../setup/zkmesh.ts"
import { cpuSecondsOf } from "./cpu.ts"
import { median, runLoad, show, thousands } from "./run.ts"
import { type Load, parseServers, type Result } from "./spec.ts"

export interface TracingOptions extends Omit<Load, "servers" | "root" | "op"> {
  readonly placement: "server" | "ensemble"
  readonly rounds: number
  readonly say: (line: string) => void
}

interface Turn {
  readonly result: Result
  /** CPU seconds of all server processes; undefined if the system does not say. */
  readonly cpuSeconds: number | undefined
}

export interface Cost {
  readonly load: string
  /** How much is traced. */
  readonly name: string
  readonly turns: ReadonlyArray<Turn>
  /** Medians over the rounds, compared with the servers that cannot trace at all: 0.01 is one percent. */
  readonly throughputLoss: number
  readonly cpuGain: number | undefined
}

interface Contestant {
  readonly name: string
  readonly connect: string
  readonly pids: ReadonlyArray<number>
  readonly stop: () => Promise<void>
}

const BASE = "disabled"

/** Settings of the contestants, the one that the others are compared with first. */
const settings = (collector: string): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => {
  const endpoint = `telemetry.traces.endpoint=${collector}/v1/traces`
  const unbound = "telemetry.traces.perSecond=0"
  return [
    [BASE, ["telemetry.traces=false"]],
    ["off", []],
    ["1 %", [endpoint, "telemetry.traces.ratio=0.01"]],
    ["1 % unbound", [endpoint, "telemetry.traces.ratio=0.01", unbound]],
    ["100 %", [endpoint, "telemetry.traces.ratio=1", unbound]]
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
  if (placement === "ensemble") {
    const ensemble = await Ensemble.start(3, lines)
    return { name, connect: ensemble.connect, pids: [ensemble.process.child.pid!], stop: () => ensemble.stop() }
  }
  const servers = await Servers.start({ binaries: "installed", settings: lines })
  const pids = [0, 1, 2].map((index) => servers.peer(index).child.pid!)
  return { name, connect: servers.connect, pids, stop: () => servers.stop() }
}

const measure = async ({ connect, pids }: Contestant, load: Omit<Load, "servers">): Promise<Turn> => {
  const before = cpuSecondsOf(pids)
  const result = await runLoad({ ...load, servers: parseServers(connect) })
  const after = cpuSecondsOf(pids)
  return { result, cpuSeconds: before === undefined || after === undefined ? undefined : after - before }
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
    const costs: Array<Cost> = []
    for (const op of ["setData", "getData"] as const) {
      costs.push(...(await compare({ ...common, op, root: "/bench" }, contestants, rounds, say)))
    }
    return costs
  } finally {
    await Promise.all(contestants.map((one) => one.stop()))
    collector.closeAllConnections()
    collector.close()
  }
}

async function compare(
  load: Omit<Load, "servers">,
  contestants: ReadonlyArray<Contestant>,
  rounds: number,
  say: (line: string) => void
): Promise<ReadonlyArray<Cost>> {
  const turns = new Map<string, Array<Turn>>(contestants.map(({ name }) => [name, []]))
  // The first turn of each is thrown away: they run on a just-in-time compiler.
  for (let round = 0; round <= rounds; round++) {
    // Whoever goes first in a round goes last in the next.
    const order = contestants.map((_, i) => contestants[(i + round) % contestants.length]!)
    for (const one of order) {
      const turn = await measure(one, load)
      say(`${load.op.padEnd(8)} ${one.name.padEnd(10)} ${round === 0 ? "(warm-up) " : ""}${show(turn.result)}`)
      if (round > 0) turns.get(one.name)!.push(turn)
    }
  }
  const base = turns.get(BASE)!
  return [...turns].map(([name, of]) => ({ load: load.op, name, turns: of, ...difference(base, of) }))
}

/** Round by round, since the machine's other work falls on a whole round. */
const difference = (base: ReadonlyArray<Turn>, of: ReadonlyArray<Turn>) => {
  const throughput = of.map((turn, i) => 1 - turn.result.perSecond / base[i]!.result.perSecond)
  const cpu = of.flatMap((turn, i) => {
    const [own, theirs] = [cpuPerRequest(turn), cpuPerRequest(base[i]!)]
    return own === undefined || theirs === undefined ? [] : [own / theirs - 1]
  })
  return { throughputLoss: median(throughput), cpuGain: cpu.length === 0 ? undefined : median(cpu) }
}

const cpuPerRequest = ({ result, cpuSeconds }: Turn): number | undefined =>
  cpuSeconds === undefined ? undefined : cpuSeconds / result.requests

const percent = (share: number): string => `${share < 0 ? "−" : "+"}${(Math.abs(share) * 100).toFixed(1)} %`

/** The table that `--tracing` ends with. */
export const costTable = (costs: ReadonlyArray<Cost>): Array<string> => [
  ["load", "tracing", "throughput", "difference", "CPU per request"]
    .map((title, i) => title.padEnd(WIDTHS[i]!))
    .join(""),
  ...costs.map(({ load, name, turns, throughputLoss, cpuGain }) =>
    [
      load,
      name,
      `${thousands(median(turns.map((turn) => turn.result.perSecond)))}/s`,
      name === BASE ? "" : percent(-throughputLoss),
      name === BASE || cpuGain === undefined ? "" : percent(cpuGain)
    ]
      .map((cell, i) => cell.padEnd(WIDTHS[i]!))
      .join("")
      .trimEnd()
  )
]
const WIDTHS = [10, 13, 14, 12, 0]
