/** Three brokers in a cluster, a peer at each, and the network between them failing in its various ways. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { epochOf } from "../recorder/wire.ts"
import { NatsCluster } from "../setup/natsCluster.ts"
import { Servers } from "../setup/zkmesh.ts"
import { underLoad } from "./underLoad.ts"

describe("a cluster of brokers, a peer at each", () => {
  let brokers: NatsCluster
  let servers: Servers

  beforeAll(async () => {
    brokers = await NatsCluster.start()
    // Half a second a tick: a silence is noticed after two and a half.
    servers = await Servers.start({ brokers, settings: ["tickTime=500", "maxSessionTimeout=20000"] })
  })
  afterEach(() => brokers?.heal())
  afterAll(async () => {
    await servers?.stop()
    await brokers?.stop()
  })

  it.each(["both", "from", "to"] as const)(
    "the leader cut off (%s): it loses its reign, the others go on, and it comes back as a follower",
    (cut) =>
      underLoad(servers, servers.ports, `/leader-${cut}`, async (workload) => {
        const leader = await servers.leader()
        const epoch = epochOf(workload.sessions[0]!.lastZxid)
        const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, 60_000)
        brokers.isolate(leader, cut)
        await next
        await workload.progress(20, 60_000)
        brokers.heal()
      })
  )

  it("a follower cut off: its clients go to the others", () =>
    underLoad(servers, servers.ports, "/follower", async (workload) => {
      const leader = await servers.leader()
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      brokers.isolate((leader + 1) % 3)
      await workload.progress(20, 60_000)
      brokers.heal()
      await workload.progress(20, 60_000)
      assert.strictEqual(epochOf(workload.sessions[0]!.lastZxid), epoch, "the leader has gone on all the time")
    }))

  it("all cut off from each other: nothing is written, and nothing is lost", () =>
    underLoad(servers, servers.ports, "/all", async (workload) => {
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, 60_000)
      for (const index of [0, 1, 2]) brokers.isolate(index)
      await new Promise((resolve) => setTimeout(resolve, 4000))
      brokers.heal()
      await next
    }))
})

describe("a cluster of brokers that peers may choose from", () => {
  let brokers: NatsCluster
  let servers: Servers

  beforeAll(async () => {
    brokers = await NatsCluster.start(true)
    servers = await Servers.start({ brokers, settings: ["tickTime=500", "maxSessionTimeout=20000"] })
  })
  afterAll(async () => {
    await servers?.stop()
    await brokers?.stop()
  })

  it("kill -9 of each broker in turn: its peer finds another", () =>
    underLoad(servers, servers.ports, "/broker", async (workload) => {
      for (const index of [0, 1, 2]) {
        await brokers.killBroker(index)
        await workload.progress(20, 60_000)
        await brokers.startBroker(index)
      }
    }))
})
