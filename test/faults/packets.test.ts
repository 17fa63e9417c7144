/** Three brokers on machines of their own, a peer at each, and a network between them that loses packets. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { epochOf } from "../recorder/wire.ts"
import { Namespaces } from "../setup/namespaces.ts"
import { NatsMachines } from "../setup/natsMachines.ts"
import { Servers } from "../setup/zkmesh.ts"
import { underLoad } from "./underLoad.ts"

const LONG_MS = 90_000

describe.runIf(Namespaces.areAllowed)("a network that loses packets", () => {
  let brokers: NatsMachines
  let servers: Servers

  beforeAll(async () => {
    brokers = await NatsMachines.start()
    servers = await Servers.start({ brokers, settings: ["tickTime=500", "maxSessionTimeout=20000"] })
  })
  afterEach(() => brokers?.heal())
  afterAll(async () => {
    await servers?.stop()
    await brokers?.stop()
  })

  it.each(["both", "from", "to"] as const)(
    "the leader is cut off (%s): another one leads until the network heals",
    (cut) =>
      underLoad(servers, servers.ports, `/cut-${cut}`, async (workload) => {
        const leader = await servers.leader()
        const epoch = epochOf(workload.sessions[0]!.lastZxid)
        const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, LONG_MS)
        brokers.isolate(leader, cut)
        await next
        await workload.progress(10, LONG_MS)
        brokers.heal()
        await workload.progress(10, LONG_MS)
      })
  )

  it("the leader and one follower lose each other, and both still reach the third", () =>
    underLoad(servers, servers.ports, "/triangle", async (workload) => {
      const leader = await servers.leader()
      const follower = (leader + 1) % 3
      brokers.lose([
        { from: leader, to: follower, share: 1 },
        { from: follower, to: leader, share: 1 }
      ])
      await workload.progress(10, LONG_MS)
      brokers.heal()
    }))

  it.each([0.1, 0.2, 0.3])("%f of all packets between any two peers are lost", (share) =>
    underLoad(servers, servers.ports, `/loss-${share * 100}`, async (workload) => {
      brokers.loseEverywhere(share)
      await workload.progress(30, LONG_MS)
      brokers.heal()
      await workload.progress(10, LONG_MS)
    })
  )

  it("half of what the leader says is lost, and nothing of what it hears", () =>
    underLoad(servers, servers.ports, "/one-way", async (workload) => {
      const leader = await servers.leader()
      brokers.lose([0, 1, 2].filter((to) => to !== leader).map((to) => ({ from: leader, to, share: 0.5 })))
      await workload.progress(30, LONG_MS)
      brokers.heal()
    }))

  it("kill -9 of the leader while a fifth of all packets are lost", () =>
    underLoad(servers, servers.ports, "/killed", async (workload) => {
      const leader = await servers.leader()
      const epoch = epochOf(workload.sessions[0]!.lastZxid)
      brokers.loseEverywhere(0.2)
      const next = workload.nextAck((write) => epochOf(write.zxid) > epoch, LONG_MS)
      await servers.peer(leader).kill()
      await next
      brokers.heal()
      await servers.startPeers(leader)
      assert.isUndefined(servers.peer(leader).exit)
    }))
})
