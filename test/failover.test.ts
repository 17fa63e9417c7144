/** The failover that clients do not notice: leaders die, frontends keep their clients, every request is answered once. */
import { assert, describe, it } from "vitest"
import { describe as inWords, killLeaders } from "./failover/killLeaders.ts"
import { start } from "./failover/targets.ts"

const isLong = process.env["ZKMESH_TEST_LONG"] === "yes"
const LOAD = { kills: isLong ? 20 : 2, wireClients: 9, kazooClients: 6, watchers: 3, say: () => undefined }

describe("kill -9 of the leader, again and again, behind frontends of their own", { timeout: 600_000 }, () => {
  it.each(["server", "mesh"] as const)("%s placement: no client notices", async (placement) => {
    const target = await start(placement)
    try {
      const outcome = await killLeaders(target, LOAD)
      console.log(inWords(placement, outcome))
      const { carried, curator, inDoubt, kazoo, reconnects, violations } = outcome
      assert.deepStrictEqual(violations, [])
      assert.deepStrictEqual([kazoo.errors, kazoo.states], [[], []])
      assert.deepStrictEqual([inDoubt, reconnects], [0, 0])
      assert.deepStrictEqual([curator.violations, curator.states], [[], ["CONNECTED"]])
      // Curator sets its watch when it starts, and, if it has started by then, at the word that it is connected.
      assert.isAtMost(curator.resets, 2)
      assert.isAbove(carried, 0)
      for (const gap of outcome.gaps) assert.isBelow(gap, 1000)
    } finally {
      await target.stop()
    }
  })
})
