/** Frontends are taken away one after the other while their clients work: these go to another, and lose nothing. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { crowd } from "../clients/index.ts"
import type { Crowd } from "../failover/killLeaders.ts"
import { check, dump } from "../recorder/checker.ts"
import { Workload } from "../recorder/workload.ts"
import { monitor } from "../setup/four-letter-words.ts"
import { freePorts } from "../setup/ports.ts"
import { connectString, Frontend, Servers } from "../setup/zkmesh.ts"

const CLIENTS = 30
/** A Python process has one core for all of its clients: they are to be served at once, not to wait for each other. */
const PAUSE_MS = 250

describe("a frontend that is scaled away", () => {
  let servers: Servers
  let doors: Array<Frontend>

  beforeAll(async () => {
    servers = await Servers.start()
    doors = (await freePorts(3)).map((port, i) => new Frontend(servers.ground, `door-${i}`, port))
    await Promise.all(doors.map((door) => door.serving()))
  })
  afterAll(async () => {
    await Promise.all(doors?.map((door) => door.process.kill()) ?? [])
    await servers?.stop()
  })

  const ports = () => doors.map((door) => door.port)
  const connections = async (port: number) => Number((await monitor(port)).get("zk_num_alive_connections"))

  /** Each door in turn is stopped as an operator stops it, and started again when its clients work elsewhere. */
  async function eachInTurn(working: () => Promise<void>): Promise<Array<number>> {
    const moved: Array<number> = []
    for (const [index, door] of doors.entries()) {
      moved.push(await connections(door.port))
      await door.process.stop()
      await working()
      doors[index] = new Frontend(servers.ground, `door-${index}`, door.port)
      await doors[index].serving()
    }
    return moved
  }

  it(`${CLIENTS} kazoo clients: no session is lost, and hardly a request`, async () => {
    const kazoo = crowd(connectString(ports()), "/drained", CLIENTS, PAUSE_MS)
    try {
      await kazoo.line(/^working/, 60_000)
      // Somebody else's progress tells when the others have had time to go on.
      const workload = await Workload.start({
        ports: servers.ports,
        root: "/pace",
        sessions: 3,
        timeoutMs: 20_000,
        window: 1
      })
      const moved = await eachInTurn(() => workload.progress(100))
      await workload.stop()
      await workload.close()
      await kazoo.stop(60_000)
      const told = JSON.parse(await kazoo.line(/^\{/)) as Crowd
      const suspended = told.states.filter((state) => state === "SUSPENDED").length
      const each = told.longestEachMs
      console.log(
        `${moved.reduce((a, b) => a + b)} connections ended at 3 doors, ${suspended} clients reconnected, ${told.errors.length} requests of ${told.writes} lost; ` +
          `the longest that a client waited: ${each[CLIENTS / 2]} ms in the median, ${each.at(-1)} ms at most`
      )
      assert.isAtLeast(suspended, CLIENTS)
      assert.notInclude(told.states, "LOST")
      // A request may cross the end of its connection: there is no word by which the protocol could prevent it. How many do
      // depends on how soon the client's process notices the end.
      assert.isBelow(told.errors.length, suspended / 2, told.errors.join("\n"))
    } finally {
      await kazoo.kill()
    }
  })

  it("clients with many requests under way: what was read is answered, and nothing is lost or done twice", async () => {
    const workload = await Workload.start({ ports: ports(), root: "/piped", sessions: 6, timeoutMs: 20_000, window: 3 })
    try {
      await workload.progress(20)
      await eachInTurn(() => workload.progress(20))
      await workload.progress(20)
      const history = await workload.stop()
      const inDoubt = history.writes.filter(({ ackedAt }) => ackedAt === undefined).length
      console.log(`${inDoubt} of ${history.writes.length} pipelined writes were in doubt`)
      assert.deepStrictEqual(check(history, await dump(servers.ports[0]!, "/piped")), [])
    } finally {
      await workload.close()
    }
  })
})
