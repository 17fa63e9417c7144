/** The failover that clients do not notice: peers die, frontends keep their clients, and every request is answered once. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { crowd } from "./clients/index.ts"
import { check, digestOf, dump } from "./recorder/checker.ts"
import { epochOf } from "./recorder/wire.ts"
import { type History, Workload } from "./recorder/workload.ts"
import { freePorts } from "./setup/ports.ts"
import { Frontend, Servers } from "./setup/zkmesh.ts"

const KILLS = Number(process.env.FAILOVER_KILLS ?? 5)

const KAZOO = 10

interface Crowd {
  readonly writes: number
  readonly events: number
  readonly states: ReadonlyArray<string>
  readonly errors: ReadonlyArray<string>
  readonly longestMs: number
}

/** The longest time without any acknowledged write, ms. */
const longestGap = ({ writes }: History, from: number, to: number): number => {
  const times = writes.flatMap(({ ackedAt }) =>
    ackedAt !== undefined && ackedAt >= from && ackedAt <= to ? [ackedAt] : []
  )
  const sorted = [from, ...times.sort((a, b) => a - b), to]
  return Math.max(...sorted.slice(1).map((time, i) => time - sorted[i]!))
}

describe("frontends of their own, in front of three servers", () => {
  let servers: Servers
  let frontends: ReadonlyArray<Frontend>

  beforeAll(async () => {
    servers = await Servers.start()
    const ports = await freePorts(3)
    frontends = ports.map((port, i) => new Frontend(servers.ground, `door-${i}`, port))
    await Promise.all(frontends.map((one) => one.serving()))
  })
  afterAll(async () => {
    await Promise.all((frontends ?? []).map((one) => one.process.kill()))
    await servers?.stop()
  })

  it(`kill -9 of the leader, ${KILLS} times: no connection is lost, no request is left in doubt`, {
    timeout: 60_000 * KILLS
  }, async () => {
    const ports = frontends.map((one) => one.port)
    const workload = await Workload.start({ ports, root: "/failover", sessions: 9, timeoutMs: 20_000, window: 3 })
    const connect = ports.map((port) => `127.0.0.1:${port}`).join(",")
    const kazoo = crowd(connect, "/crowd", KAZOO)
    await kazoo.line(/^working/, 60_000)
    const kills: Array<number> = []
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await workload.progress(20)
        const leader = await servers.leader()
        const epoch = epochOf(workload.sessions[0]!.lastZxid)
        const next = workload.nextAck((write) => epochOf(write.zxid) > epoch)
        kills.push(performance.now())
        await servers.peer(leader).kill()
        await next
        await workload.progress(20)
        await servers.startPeers(leader)
      }
      const history = await workload.stop()
      await kazoo.stop()
      const told = JSON.parse(await kazoo.line(/^\{/)) as Crowd
      const gaps = kills.map((at) => Math.round(longestGap(history, at, at + 3000)))
      console.log(`longest time without an acknowledged write after each kill: ${gaps.join(", ")} ms`)
      console.log(
        `${KAZOO} kazoo clients: ${told.writes} writes, the longest took ${told.longestMs} ms, ${told.events} events`
      )
      assert.deepStrictEqual([told.states, told.errors], [[], []], "no kazoo client has noticed anything")
      assert.deepStrictEqual(
        workload.sessions.map((one) => one.connections),
        workload.sessions.map(() => 1),
        "every client has its first connection"
      )
      assert.strictEqual(history.writes.filter((write) => write.ackedAt === undefined).length, 0)
      const trees = await Promise.all([...servers.ports, ...ports].map((port) => dump(port, "/failover")))
      assert.deepStrictEqual(check(history, trees[0]!), [])
      assert.strictEqual(new Set(trees.map(digestOf)).size, 1)
      for (const gap of gaps) assert.isBelow(gap, 1000)
    } finally {
      await kazoo.kill()
      await workload.close()
    }
  })
})
