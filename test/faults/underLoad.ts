import { assert } from "vitest"
import { check, digestOf, dump } from "../recorder/checker.ts"
import { Workload } from "../recorder/workload.ts"
import { eventually } from "../setup/processes.ts"
import { type Servers, serving } from "../setup/zkmesh.ts"

const EXPIRY_MS = 30_000
/** Of clients at each port, and how long each rests: together they write about as much as a few without a rest. */
const CLIENTS = 6
const PACE_MS = 25

/** In the *server* placement: see `history`. All peers run at the end. */
export async function underLoad(
  servers: Servers,
  ports: ReadonlyArray<number>,
  root: string,
  fault: (workload: Workload) => Promise<void>
): Promise<void> {
  await history(ports, root, async (workload) => {
    await fault(workload)
    await workload.progress(10, EXPIRY_MS)
    await servers.serving()
  })
  for (const index of servers.ports.keys()) assert.isUndefined(servers.peer(index).exit)
}

/** Runs the load, lets `fault` happen in the midst of it, and checks everything afterwards. */
export async function history(
  ports: ReadonlyArray<number>,
  root: string,
  fault: (workload: Workload) => Promise<void>
): Promise<void> {
  const sessions = CLIENTS * ports.length
  const workload = await Workload.start({ ports, root, sessions, timeoutMs: 20_000, window: 1, paceMs: PACE_MS })
  try {
    await workload.die()
    await workload.progress(10, EXPIRY_MS)
    await fault(workload)
    await workload.progress(10, EXPIRY_MS)
    await serving(ports)
    const told = await workload.stop()
    const alive = workload.sessions[0]!
    for (const { path } of told.dead) {
      await eventually(async () => (await alive.exists(path)).error !== 0 || undefined, `${path} to go`, EXPIRY_MS)
    }
    const trees = await Promise.all(ports.map((port) => dump(port, root)))
    assert.deepStrictEqual(check(told, trees[0]!), [])
    assert.strictEqual(new Set(trees.map(digestOf)).size, 1, "all peers hold the same tree")
    assert.isAbove(told.writes.length, 500)
    assert.isAbove(told.locked, 0)
  } finally {
    await workload.close()
  }
}
