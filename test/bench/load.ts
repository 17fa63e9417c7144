/** Runs one load in a process of its own: `node load.ts '<the load as JSON>'`; the result is JSON on the last line. */
import { usageIn } from "./cgroup.ts"
import { Connection, type Tally } from "./connection.ts"
import { cpuSecondsOf } from "./cpu.ts"
import { closeFrame, createFrame, syncFrame } from "./frames.ts"
import { Histogram } from "./histogram.ts"
import { nodePath } from "./ring.ts"
import type { Load, Result } from "./spec.ts"

const NODE_EXISTS = -110

async function prepare(load: Load): Promise<void> {
  const tally: Tally = { histogram: new Histogram(), errors: 0, lost: 0, recording: false }
  const connection = await Connection.open(load, 0, tally)
  const paths = [load.root, ...Array.from({ length: load.nodes }, (_, index) => nodePath(load, index))]
  for (const path of paths) {
    const error = await connection.ask(createFrame(path, Buffer.alloc(load.size, 0x61), 0))
    if (error !== 0 && error !== NODE_EXISTS) throw new Error(`create ${path}: error ${error}`)
  }
  await connection.close(closeFrame())
}

async function measure(load: Load): Promise<Result> {
  const tally: Tally = { histogram: new Histogram(), errors: 0, lost: 0, recording: false }
  const connections = await Promise.all(
    Array.from({ length: load.sessions }, (_, index) => Connection.open(load, index, tally))
  )
  // Every server has to know the znodes before it is asked for them.
  await Promise.all(connections.map((one) => one.ask(syncFrame(load.root))))
  for (const one of connections) one.start(load.outstanding)
  await seconds(load.warmupSeconds)
  const cpu = process.cpuUsage()
  const servers = cpuSecondsOf(load.pids ?? [])
  const containers = containerSeconds(load)
  const begin = performance.now()
  tally.recording = true
  await seconds(load.seconds)
  tally.recording = false
  const took = (performance.now() - begin) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const serversNow = cpuSecondsOf(load.pids ?? [])
  const containersNow = containerSeconds(load)
  const { histogram, errors, lost } = tally
  await Promise.all(connections.map((one) => one.drain()))
  await Promise.all(connections.map((one) => one.close(closeFrame())))
  return {
    requests: histogram.count,
    seconds: took,
    perSecond: histogram.count / took,
    p50: histogram.percentile(0.5) / 1000,
    p99: histogram.percentile(0.99) / 1000,
    p999: histogram.percentile(0.999) / 1000,
    max: histogram.max / 1000,
    errors,
    lost,
    cpuSeconds: (user + system) / 1e6,
    ...(servers === undefined || serversNow === undefined || load.pids === undefined
      ? {}
      : { serverCpuSeconds: serversNow - servers }),
    ...(load.containers === undefined ? {} : { containerCpuSeconds: difference(containersNow, containers) })
  }
}

const containerSeconds = ({ containers = {} }: Load): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(containers).map(([kind, files]) => [kind, files.reduce((sum, file) => sum + usageIn(file), 0)])
  )

const difference = (now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(now).map(([kind, seconds]) => [kind, seconds - before[kind]!]))

const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1000))

const load: Load = JSON.parse(process.argv[2] ?? "null")
try {
  await prepare(load)
  console.log(JSON.stringify(await measure(load)))
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
