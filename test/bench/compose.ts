/**
 * docker-compose.yml under load: reads through more and more replicas, writes through the whole mesh, and the same of three
 * ZooKeeper servers on this machine. Where all containers share few cores, throughput shows little of what scaling does; what
 * each request costs, and whom, does.
 */
import { availableParallelism } from "node:os"
import { ensureEngine } from "../compose/engine.ts"
import { Project } from "../compose/project.ts"
import { fourLetterWord } from "../setup/four-letter-words.ts"
import { ensureTools } from "../setup/packages.ts"
import { eventually } from "../setup/processes.ts"
import { ZooKeeper } from "../setup/zookeeper.ts"
import { usageFileOf, usageIn } from "./cgroup.ts"
import { median, ms, runLoad, show, thousands } from "./run.ts"
import { type Load, type Operation, parseServers, type Result, type Turns } from "./spec.ts"

/** One load, measured some times. */
export interface Measured {
  readonly name: string
  /** Containers, or servers, that clients connect to. */
  readonly doors: number
  /** How much of a processor each of them may take; undefined: as much as there is. */
  readonly coresEach: number | undefined
  readonly results: ReadonlyArray<Result>
}

const REPLICAS = [1, 2, 4]
/** What kind of container each service of the compose file is, as the table tells them apart. */
const KINDS = {
  doors: ["frontend", "frontend-replica"],
  voters: [1, 2, 3].flatMap((n) => [`election-${n}`, `broadcast-${n}`, `znode-${n}`, `session-${n}`]),
  brokers: [1, 2, 3].map((n) => `nats-${n}`),
  databases: [1, 2, 3].map((n) => `postgres-${n}`)
} as const
type Kind = keyof typeof KINDS
const DOOR_CORES = 1
/** From this on, whoever has so much of what it may have is what the load waits for. */
const BUSY = 0.9

/** Measures all of it, ZooKeeper first; neither runs while the other is loaded. */
export async function scaling(options: Turns): Promise<ReadonlyArray<Measured>> {
  ensureTools(["zookeeper", "java"], options.say)
  ensureEngine(options.say)
  return [...(await zookeeper(options)), ...(await ours(options))]
}

async function zookeeper(options: Turns): Promise<ReadonlyArray<Measured>> {
  options.say("Starting three ZooKeeper servers")
  const ensemble = await ZooKeeper.start(3)
  try {
    const measured: Array<Measured> = []
    for (const op of ["getData", "setData"] as const) {
      const load = { ...loadOf(options, op), pids: [0, 1, 2].map((index) => ensemble.server(index).pid) }
      const servers = parseServers(ensemble.connect)
      measured.push(await measure(`ZooKeeper, ${op}`, { ...load, servers }, undefined, options))
    }
    return measured
  } finally {
    await ensemble.stop()
  }
}

async function ours(options: Turns): Promise<ReadonlyArray<Measured>> {
  const project = await Project.make()
  try {
    options.say("Building the image and bringing docker-compose.yml up")
    await project.build()
    await project.up("--scale", "frontend=2", "--scale", "frontend-replica=1")
    const measured = [await idle(project, options)]
    for (const count of REPLICAS) {
      await project.scale("frontend-replica", count)
      measured.push(await through(project, "frontend-replica", count, "getData", options))
    }
    // Replicas that nobody reads from would still take part in each write.
    await project.scale("frontend-replica", 0)
    for (const op of ["getData", "setData"] as const) measured.push(await through(project, "frontend", 2, op, options))
    return measured
  } finally {
    await project.dispose()
  }
}

async function through(
  project: Project,
  service: "frontend" | "frontend-replica",
  count: number,
  op: Operation,
  options: Turns
): Promise<Measured> {
  const doors = (await project.containers(service)).filter(({ running }) => running)
  if (doors.length !== count) throw new Error(`${doors.length} containers of ${service} run, not ${count}`)
  // Directly, as clients of ZooKeeper's do: the load balancer's share is not what is asked about.
  const servers = doors.map(({ address }) => ({ host: address, port: 2181 }))
  for (const { host, port } of servers) {
    const serves = async () => /^Mode: /m.test((await fourLetterWord(port, "srvr", 2000, host)) ?? "") || undefined
    await eventually(serves, `${service} at ${host} to serve`, 60_000, 200)
  }
  const containers = await usageFiles(project)
  const name = service === "frontend" ? `frontend, ${op}` : `frontend-replica, ${op}`
  return measure(name, { ...loadOf(options, op), servers, containers }, DOOR_CORES, options)
}

async function usageFiles(project: Project): Promise<Readonly<Record<string, ReadonlyArray<string>>>> {
  const containers: Record<string, ReadonlyArray<string>> = {}
  for (const [kind, services] of Object.entries(KINDS)) {
    const found = (await Promise.all(services.map((one) => project.containers(one)))).flat()
    containers[kind] = found.filter(({ running }) => running).map(({ pid }) => usageFileOf(pid))
  }
  return containers
}

/** What everybody takes while nothing is asked: what is to be taken off the rows below it. */
async function idle(project: Project, { seconds, say }: Turns): Promise<Measured> {
  const files = Object.entries(await usageFiles(project))
  const usage = () => files.map(([, paths]) => paths.reduce((sum, path) => sum + usageIn(path), 0))
  const [before, since] = [usage(), performance.now()]
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const [now, took] = [usage(), (performance.now() - since) / 1000]
  const containerCpuSeconds = Object.fromEntries(files.map(([kind], i) => [kind, now[i]! - before[i]!]))
  say(`${"nothing asked".padEnd(26)} ${JSON.stringify(containerCpuSeconds)} CPU seconds in ${took.toFixed(1)} s`)
  const none = { requests: 0, perSecond: 0, p50: 0, p99: 0, p999: 0, max: 0, errors: 0, lost: 0, cpuSeconds: 0 }
  return {
    name: "nothing asked",
    doors: 3,
    coresEach: DOOR_CORES,
    results: [{ ...none, seconds: took, containerCpuSeconds }]
  }
}

const loadOf = (options: Turns, op: Operation): Omit<Load, "servers"> => {
  const { nodes, outstanding, readRatio, seconds, sessions, size, warmupSeconds } = options
  return { op, sessions, outstanding, readRatio, size, nodes, seconds, warmupSeconds, root: "/bench" }
}

async function measure(
  name: string,
  load: Load,
  coresEach: number | undefined,
  { rounds, say }: Turns
): Promise<Measured> {
  const results: Array<Result> = []
  // The first turn is thrown away: everybody runs on a just-in-time compiler.
  for (let round = 0; round <= rounds; round++) {
    const result = await runLoad(load)
    say(`${name.padEnd(26)} ×${load.servers.length}  ${round === 0 ? "(warm-up) " : ""}${show(result)}`)
    if (round > 0) results.push(result)
  }
  return { name, doors: load.servers.length, coresEach, results }
}

const HEADER = [
  "load",
  "doors",
  "requests/s",
  "p50 ms",
  "p99 ms",
  "cores: doors",
  "voters",
  "brokers",
  "databases",
  "load generator",
  "per CPU second of the doors",
  "of all servers",
  "waited for"
]

/** The table that `--compose` ends with, in Markdown; medians of the rounds. */
export function composeTable(measured: ReadonlyArray<Measured>): ReadonlyArray<string> {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [line(HEADER), line(HEADER.map(() => "---")), ...measured.map((one) => line(row(one)))]
}

function row({ name, doors, coresEach, results }: Measured): ReadonlyArray<string> {
  const of = (pick: (result: Result) => number) => median(results.map(pick))
  const cores = (kind: Kind) => of((result) => (result.containerCpuSeconds?.[kind] ?? 0) / result.seconds)
  const inContainers = coresEach !== undefined
  const doorCores = inContainers ? cores("doors") : of((result) => (result.serverCpuSeconds ?? 0) / result.seconds)
  const others = (["voters", "brokers", "databases"] as const).map(cores)
  const perSecond = of((result) => result.perSecond)
  const generator = of((result) => result.cpuSeconds / result.seconds)
  const all = doorCores + others.reduce((sum, one) => sum + one, 0)
  return [
    name,
    `${doors}`,
    thousands(perSecond),
    ms(of((result) => result.p50)),
    ms(of((result) => result.p99)),
    doorCores.toFixed(2),
    ...(inContainers ? others.map((one) => one.toFixed(2)) : ["", "", ""]),
    generator.toFixed(2),
    thousands(perSecond / doorCores),
    thousands(perSecond / all),
    limit(all, doorCores, coresEach === undefined ? undefined : coresEach * doors, generator)
  ]
}

/** What the load waited for, as far as processors go: whoever had all that it may have. */
function limit(all: number, doorCores: number, doorLimit: number | undefined, generator: number): string {
  const busy: Array<string> = []
  // It is one thread.
  if (generator > BUSY) busy.push("the load generator")
  if (doorLimit !== undefined && doorCores > BUSY * doorLimit) busy.push("the doors")
  if (all + generator > BUSY * availableParallelism()) busy.push("the machine")
  return busy.length === 0 ? "no processor" : busy.join(", ")
}
