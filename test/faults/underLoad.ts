import { assert } from "vitest"
import { check, digestOf, dump } from "../recorder/checker.ts"
import { Workload } from "../recorder/workload.ts"
import { eventually } from "../setup/processes.ts"
import { type Servers, serving } from "../setup/zkmesh.ts"

const EXPIRY_MS = 30_000

/** Runs the load, lets `fault` happen in the midst of it, and checks everything afterwards. */
export async function underLoad(
  servers: Servers,
  ports: ReadonlyArray<number>,
  root: string,
  fault: (workload: Workload) => Promise<void>
): Promise<void> {
  const workload = await Workload.start({ ports, root, sessions: 2 * ports.length, timeoutMs: 20_000, window: 3 })
  try {
    await workload.die()
    await workload.progress(30)
    await fault(workload)
    await workload.progress(30)
    await servers.serving()
    await serving(ports)
    const history = await workload.stop()
    const alive = workload.sessions[0]!
    for (const { path } of history.dead) {
      await eventually(async () => (await alive.exists(path)).error !== 0 || undefined, `${path} to go`, EXPIRY_MS)
    }
    const trees = await Promise.all(ports.map((port) => dump(port, root)))
    assert.deepStrictEqual(check(history, trees[0]!), [])
    assert.strictEqual(new Set(trees.map(digestOf)).size, 1, "all peers hold the same tree")
    assert.isAbove(history.writes.length, 500)
  } finally {
    await workload.close()
  }
  for (const index of servers.ports.keys()) assert.isUndefined(servers.peer(index).exit)
}
