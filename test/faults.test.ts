/** Under a write load, in the server placement: whatever is killed, nothing that was acknowledged is lost. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { underLoad } from "./faults/underLoad.ts"
import { epochOf } from "./recorder/wire.ts"
import { freePorts } from "./setup/ports.ts"
import { Frontend, Servers } from "./setup/zkmesh.ts"

describe("faults, with one Postgres server for all peers", () => {
  let servers: Servers
  let frontend: Frontend
  let ports: ReadonlyArray<number>

  beforeAll(async () => {
    servers = await Servers.start()
    const [port] = await freePorts(1)
    frontend = new Frontend(servers.ground, "extra", port!)
    await frontend.serving()
    ports = [...servers.ports, port!]
  })
  afterAll(async () => {
    await frontend?.process.kill()
    await servers?.stop()
  })

  it("kill -9 of the leader: writes flow again within a second", () =>
    underLoad(servers, ports, "/leader", async (workload) => {
      const leader = await servers.leader()
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch)
      const killedAt = performance.now()
      await servers.peer(leader).kill()
      const recovered = (await next).ackedAt! - killedAt
      console.log(`from the leader's kill -9 to the next acknowledged write: ${Math.round(recovered)} ms`)
      assert.isBelow(recovered, 1000)
      await workload.progress(30)
      await servers.startPeers(leader)
    }))

  it("kill -9 of a follower", () =>
    underLoad(servers, ports, "/follower", async (workload) => {
      const follower = ((await servers.leader()) + 1) % 3
      await servers.peer(follower).kill()
      await workload.progress(30)
      await servers.startPeers(follower)
    }))

  it("kill -9 of all peers at once", () =>
    underLoad(servers, ports, "/all", async () => {
      await Promise.all([0, 1, 2].map((index) => servers.peer(index).kill()))
      await servers.startPeers(0, 1, 2)
    }))

  it("kill -9 of a frontend", () =>
    underLoad(servers, ports, "/frontend", async (workload) => {
      await frontend.process.kill()
      await workload.progress(30)
      frontend = new Frontend(servers.ground, "extra", frontend.port)
      await frontend.serving()
    }))

  it("a restart of nats-server", () =>
    underLoad(servers, ports, "/nats", async () => {
      await servers.ground.nats.stop()
      await servers.ground.nats.start()
    }))

  it("kill -9 of nats-server", () =>
    underLoad(servers, ports, "/nats-killed", async () => {
      await servers.ground.nats.kill()
      await servers.ground.nats.start()
    }))

  it("a restart of Postgres", () =>
    underLoad(servers, ports, "/postgres", async () => {
      const [postgres] = servers.ground.databases
      await postgres!.stop()
      await postgres!.start()
    }))

  it("kill -9 of Postgres", () =>
    underLoad(servers, ports, "/postgres-killed", async () => {
      const [postgres] = servers.ground.databases
      await postgres!.kill()
      await postgres!.start()
    }))
})

describe("faults, with a Postgres server for each peer", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({ postgres: "per peer" })
  })
  afterAll(() => servers?.stop())

  it("kill -9 of a follower's Postgres: the peer steps down, and comes back by itself", () =>
    underLoad(servers, servers.ports, "/follower", async (workload) => {
      const postgres = servers.ground.database(((await servers.leader()) + 1) % 3)
      await postgres.kill()
      await workload.progress(30)
      await postgres.start()
    }))

  it("kill -9 of the leader's Postgres: another peer leads", () =>
    underLoad(servers, servers.ports, "/leader", async (workload) => {
      const leader = await servers.leader()
      const postgres = servers.ground.database(leader)
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch)
      await postgres.kill()
      await next
      assert.notStrictEqual(await servers.leader(), leader)
      await postgres.start()
    }))
})
