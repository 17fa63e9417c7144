import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "./clients/index.ts"
import { digestOf, dump } from "./recorder/checker.ts"
import { Session } from "./recorder/session.ts"
import { freePorts } from "./setup/ports.ts"
import { connectString, Frontend, Servers, serving } from "./setup/zkmesh.ts"

describe("the server placement: a process per peer, over NATS and Postgres", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start()
  })
  afterAll(() => servers?.stop())

  it("elects one leader", async () => {
    await servers.leader()
    const modes = await serving(servers.ports)
    assert.deepStrictEqual(modes.toSorted(), ["follower", "follower", "leader"])
  })

  it.each(clients)("serves $name", { timeout: 200_000 }, ({ check }) => check(servers.connect))

  it("takes frontends that come and go", async () => {
    const ports = await freePorts(2)
    const frontends = ports.map((port, i) => new Frontend(servers.ground, `guest-${i}`, port))
    await Promise.all(frontends.map((one) => one.serving()))
    const session = await Session.open({ ports: [...ports, ...servers.ports], timeoutMs: 10_000 })
    assert.strictEqual((await session.create("/through-a-frontend", "x", 1)).error, 0)
    // The session is the ensemble's, not the frontend's: it goes on at the next one.
    await frontends[0]!.process.stop()
    await session.ready()
    assert.strictEqual(session.port, ports[1])
    assert.strictEqual((await session.exists("/through-a-frontend")).error, 0)
    await frontends[1]!.process.stop()
    await session.ready()
    assert.strictEqual((await session.exists("/through-a-frontend")).error, 0)
    assert.deepStrictEqual(session.violations, [])
    await session.close()
  })

  it("stops and starts again with the same tree on every peer", async () => {
    const before = digestOf(await dump(servers.ports[0]!))
    for (const index of servers.ports.keys()) {
      const exit = await servers.peer(index).stop()
      assert.strictEqual(exit.code, 0)
    }
    await servers.startPeers(0, 1, 2)
    for (const port of servers.ports) assert.strictEqual(digestOf(await dump(port)), before)
  })

  it("lets a client go on when only its own server goes", async () => {
    const session = await Session.open({ ports: servers.ports, timeoutMs: 10_000 }, 1)
    await servers.peer(1).kill()
    await session.ready()
    assert.strictEqual((await session.create("/elsewhere", "")).error, 0)
    await servers.startPeers(1)
    assert.match(connectString([session.port]), /127\.0\.0\.1/)
    await session.close()
  })
})
