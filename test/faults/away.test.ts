/** What takes minutes: a peer that comes back from far behind. */
import { assert, describe, it } from "vitest"
import { runLoad } from "../bench/run.ts"
import { resident } from "../setup/processes.ts"
import { assertSame } from "../setup/trees.ts"
import { Servers } from "../setup/zkmesh.ts"

describe("a peer that was away for a million transactions", () => {
  it("catches up by DIFF, the leader's memory hardly larger for it", { timeout: 300_000 }, async () => {
    const servers = await Servers.start({ settings: ["log.retain=0"] })
    try {
      const leader = await servers.leader()
      const away = (leader + 1) % 3
      await servers.peer(away).stop()
      const present = servers.ports.filter((_, i) => i !== away).map((port) => ({ host: "127.0.0.1", port }))
      const load = { sessions: 30, outstanding: 50, readRatio: 0, size: 100, nodes: 1000, root: "/million" }
      let written = 0
      while (written < 1_000_000) {
        const result = await runLoad({ ...load, servers: present, op: "setData", warmupSeconds: 0, seconds: 5 })
        assert.deepStrictEqual([result.errors, result.lost], [0, 0])
        written += result.requests
      }
      const before = resident(servers.peer(leader).pid)
      const start = performance.now()
      await servers.startPeers(away)
      const seconds = (performance.now() - start) / 1000
      const grown = Math.round((resident(servers.peer(leader).pid) - before) / 2 ** 20)
      console.log(
        `${written} transactions behind: caught up in ${seconds.toFixed(1)} s, the leader grew by ${grown} MiB`
      )
      assert.isBelow(grown, 150)
      assert.strictEqual((await servers.monitor(leader)).get("zk_snap_count"), "0")
      await assertSame(servers.ports, "/million")
    } finally {
      await servers.stop()
    }
  })
})
