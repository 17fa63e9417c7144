/** What stands still and goes on later is harder than what dies: it does not know that time has passed. */
import { afterAll, beforeAll, describe, it } from "vitest"
import { epochOf } from "../recorder/wire.ts"
import { freePorts } from "../setup/ports.ts"
import { Frontend, Servers } from "../setup/zkmesh.ts"
import { underLoad } from "./underLoad.ts"

/** Silence is noticed after five ticks of half a second. */
const STALL_MS = 4000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("stalls, with a Postgres server for each peer", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({ postgres: "per peer", settings: ["tickTime=500", "maxSessionTimeout=20000"] })
  })
  afterAll(() => servers?.stop())

  it("the leader stands still until another leads, and wakes up believing that it does", () =>
    underLoad(servers, servers.ports, "/zombie", async (workload) => {
      const leader = await servers.leader()
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, 60_000)
      servers.peer(leader).signal("SIGSTOP")
      await next
      servers.peer(leader).signal("SIGCONT")
      await workload.progress(20, 60_000)
    }))

  it("the leader stands still for less than anybody would mind", () =>
    underLoad(servers, servers.ports, "/nap", async (workload) => {
      const leader = await servers.leader()
      servers.peer(leader).signal("SIGSTOP")
      await pause(800)
      servers.peer(leader).signal("SIGCONT")
      await workload.progress(20)
    }))

  it("the leader's Postgres stands still: another peer leads, whose disk does not", () =>
    underLoad(servers, servers.ports, "/disk", async (workload) => {
      const leader = await servers.leader()
      const postgres = servers.ground.database(leader)
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, 60_000)
      postgres.signal("SIGSTOP")
      await next
      postgres.signal("SIGCONT")
    }))

  it("the broker stands still", () =>
    underLoad(servers, servers.ports, "/broker", async () => {
      servers.ground.nats.signal("SIGSTOP")
      await pause(STALL_MS)
      servers.ground.nats.signal("SIGCONT")
    }))

  it("a frontend of no peer stands still", async () => {
    const [port] = await freePorts(1)
    const frontend = new Frontend(servers.ground, "still", port!)
    try {
      await frontend.serving()
      await underLoad(servers, [...servers.ports, frontend.port], "/door", async () => {
        frontend.process.signal("SIGSTOP")
        await pause(STALL_MS)
        frontend.process.signal("SIGCONT")
      })
    } finally {
      await frontend.process.kill()
    }
  })

  it("a rolling restart of all peers", () =>
    underLoad(servers, servers.ports, "/rolling", async (workload) => {
      for (const index of [0, 1, 2]) {
        await servers.peer(index).stop()
        await workload.progress(20, 60_000)
        await servers.startPeers(index)
      }
    }))
})
