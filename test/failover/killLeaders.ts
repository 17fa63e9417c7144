/** Kills the leader of a running ensemble again and again under load, and tells what its clients went through. */
import { crowd } from "../clients/index.ts"
import { curatorWatching } from "../clients/java.ts"
import { check, dump } from "../recorder/checker.ts"
import { epochOf } from "../recorder/wire.ts"
import { type History, Workload } from "../recorder/workload.ts"
import { monitor } from "../setup/four-letter-words.ts"
import { LastingWatches } from "./lastingWatches.ts"

export interface Target {
  /** Where clients connect. */
  readonly ports: ReadonlyArray<number>
  readonly killLeader: () => Promise<() => Promise<void>>
}

export interface Options {
  readonly kills: number
  /** Clients that speak the protocol themselves, each with many requests under way. */
  readonly wireClients: number
  readonly kazooClients: number
  /** Clients that speak the protocol themselves, and watch everything that the others write. */
  readonly watchers: number
  readonly say: (line: string) => void
}

/** What a crowd of kazoo clients says of itself at the end. */
export interface Crowd {
  readonly writes: number
  readonly events: number
  /** Every change of state but CONNECTED. */
  readonly states: ReadonlyArray<string>
  readonly errors: ReadonlyArray<string>
  readonly longestMs: number
  /** The longest time that a write of each client took, in order. */
  readonly longestEachMs: ReadonlyArray<number>
}

/** What Curator's persistent watcher says of itself at the end. */
export interface CuratorWatched {
  readonly events: number
  /** How often it set its watch. */
  readonly resets: number
  /** Every change of state. */
  readonly states: ReadonlyArray<string>
  readonly violations: ReadonlyArray<string>
}

export interface Outcome {
  /** The longest time without any acknowledged write after each kill, ms. */
  readonly gaps: ReadonlyArray<number>
  /** Of the wire clients and the watchers: connections beyond the first one of each. */
  readonly reconnects: number
  /** Of the wire clients: writes of which nobody knows whether they were carried out. */
  readonly inDoubt: number
  readonly writes: number
  /** That the watchers were told of. */
  readonly events: number
  /** How many clients went on at another peer, as the servers tell. */
  readonly carried: number
  readonly kazoo: Crowd
  readonly curator: CuratorWatched
  /** What must never happen: a lost or doubled write, a zxid or a value that went back, an ephemeral that is not as it should be, an event not told once. */
  readonly violations: ReadonlyArray<string>
}

/** ZooKeeper has been seen to take more than half a minute. */
export const PATIENCE_MS = 180_000

const longestGap = ({ writes }: History, from: number, to: number): number => {
  const acked = writes.flatMap(({ ackedAt }) => (ackedAt === undefined ? [] : [ackedAt]))
  const times = [from, ...acked.filter((at) => at >= from && at <= to).sort((a, b) => a - b), to]
  return Math.round(Math.max(...times.slice(1).map((at, i) => at - times[i]!)))
}

export async function killLeaders(target: Target, options: Options): Promise<Outcome> {
  const { ports } = target
  const { kills, wireClients, kazooClients, watchers, say } = options
  const root = "/failover"
  const connect = ports.map((port) => `127.0.0.1:${port}`).join(",")
  const end = `${root}-has-ended`
  const watches = await LastingWatches.start(ports, root, watchers)
  const curator = await curatorWatching(connect, root, end)
  const workload = await Workload.start({ ports, root, sessions: wireClients, timeoutMs: 20_000, window: 3 })
  const kazoo = crowd(connect, "/crowd", kazooClients)
  const killed: Array<readonly [from: number, to: number]> = []
  try {
    await kazoo.line(/^working/, 60_000)
    for (let kill = 1; kill <= kills; kill++) {
      await workload.progress(20, PATIENCE_MS)
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, PATIENCE_MS)
      const from = performance.now()
      const restart = await target.killLeader()
      await next
      await workload.progress(20, PATIENCE_MS)
      killed.push([from, performance.now()])
      say(`leader ${kill} of ${kills} killed`)
      await restart()
    }
    const history = await workload.stop()
    await kazoo.stop(60_000)
    const trees = await Promise.all(ports.map((port) => dump(port, root)))
    const carried = await Promise.all(
      ports.map(async (port) => Number((await monitor(port)).get("zk_connection_carried_count") ?? 0))
    )
    await workload.sessions[0]!.ready()
    await workload.sessions[0]!.create(end, "")
    const watched = JSON.parse(await curator.line(/^\{/, 60_000)) as CuratorWatched
    const untold = await watches.check(trees[0]!)
    return {
      gaps: killed.map(([from, to]) => longestGap(history, from, to)),
      reconnects: workload.sessions.reduce((sum, { connections }) => sum + connections - 1, watches.reconnects),
      events: watches.events,
      inDoubt: history.writes.filter(({ ackedAt }) => ackedAt === undefined).length,
      writes: history.writes.length,
      carried: carried.reduce((sum, count) => sum + count, 0),
      kazoo: JSON.parse(await kazoo.line(/^\{/)) as Crowd,
      curator: watched,
      violations: [...trees.flatMap((tree) => check(history, tree)), ...untold]
    }
  } finally {
    await kazoo.kill()
    await curator.kill()
    await workload.close()
    await watches.close()
  }
}

/** In one paragraph. */
export const describe = (name: string, outcome: Outcome): string => {
  const { gaps, reconnects, inDoubt, writes, events, carried, kazoo, curator, violations } = outcome
  const sorted = [...gaps].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return [
    `${name}: the leader killed ${gaps.length} times, no write acknowledged for ${at(0.5)} ms in the median, ${sorted.at(-1)} ms at most`,
    `  wire clients: ${writes} writes, ${inDoubt} in doubt, ${reconnects} connections lost; clients carried over: ${carried}`,
    `  lasting watches: ${events} events; Curator's: ${curator.events} events, ${curator.violations.length} not told once`,
    `  kazoo: ${kazoo.writes} writes, ${kazoo.errors.length} errors, ${kazoo.states.length} changes of state, the longest write took ${kazoo.longestMs} ms`,
    `  violations: ${violations.length === 0 ? "none" : violations.slice(0, 5).join("; ")}`
  ].join("\n")
}
