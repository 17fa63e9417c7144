/** `leaderServes=no` in processes of their own: whoever leads serves nobody, whichever port a client comes by. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Session } from "./recorder/session.ts"
import { eventually } from "./setup/processes.ts"
import { Servers } from "./setup/zkmesh.ts"

describe("a leader that does not serve", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({ settings: ["leaderServes=no"] })
  })
  afterAll(() => servers?.stop())

  const figure = async (index: number, key: string) => Number((await servers.monitor(index)).get(`zk_${key}`))

  it("leaves the clients of all ports to its followers, and so does the next one", async () => {
    const leader = await servers.leader()
    const lost = new Set<number>()
    const sessions: Array<Session> = []
    for (const [index, port] of servers.ports.entries()) {
      // The port of the leader's process goes with it: its client turns to the others.
      const ports = index === leader ? [port, ...servers.ports.filter((other) => other !== port)] : [port]
      const session = await Session.open({ ports, timeoutMs: 20_000, onDisconnect: () => lost.add(index) })
      assert.strictEqual((await session.create(`/by-${index}`, "0")).error, 0)
      sessions.push(session)
    }
    assert.strictEqual(sessions[leader]!.port, servers.ports[leader])
    const attached = () => Promise.all(servers.ports.map((_, index) => figure(index, "attached_sessions")))
    const before = await attached()
    assert.strictEqual(before[leader], 0)
    assert.strictEqual(
      before.reduce((sum, count) => sum + count, 0),
      3
    )

    await servers.peer(leader).kill()
    const left = [0, 1, 2].filter((index) => index !== leader)
    const leads = async (index: number) => (await servers.monitor(index)).get("zk_server_state") === "leader"
    const next = await eventually(
      async () => {
        const found = await Promise.all(left.map(leads))
        return left[found.indexOf(true)]
      },
      "another leader",
      30_000
    )
    await eventually(
      async () => ((await figure(next, "attached_sessions")) === 0 ? true : undefined),
      "the new leader's clients to be carried over",
      30_000
    )
    for (const [index, session] of sessions.entries()) {
      await session.ready()
      assert.strictEqual((await session.set(`/by-${index}`, "1")).error, 0)
      assert.deepStrictEqual(session.violations, [])
    }
    assert.deepStrictEqual([...lost], [leader], "who was carried over has not noticed")
    assert.strictEqual(await figure(next, "attached_sessions"), 0)
    for (const session of sessions) await session.close()
  })
})
