import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "./clients/index.ts"
import { check, digestOf, dump } from "./recorder/checker.ts"
import { Workload } from "./recorder/workload.ts"
import { Mesh, serving } from "./setup/zkmesh.ts"

describe("the mesh placement: a process per service, and two frontends more", () => {
  let mesh: Mesh

  beforeAll(async () => {
    mesh = await Mesh.start(2)
  })
  afterAll(() => mesh?.stop())

  it("runs five services for each of three peers, and two more frontends", async () => {
    assert.strictEqual(mesh.services.size + mesh.frontends.length, 17)
    const modes = await serving(mesh.ports)
    assert.strictEqual(modes.length, 5)
    assert.include(modes, "leader")
  })

  it.each(clients)("serves $name", { timeout: 200_000 }, ({ check: run }) => run(mesh.connect))

  it.each(["frontend", "session", "znode", "broadcast", "election"])(
    "loses nothing when one %s process is killed",
    async (service) => {
      const root = `/kill-${service}`
      const workload = await Workload.start({ ports: mesh.ports, root, sessions: 5, timeoutMs: 20_000, window: 2 })
      await workload.progress(20)
      await mesh.services.get(`${service}-2`)!.kill()
      await workload.progress(20)
      mesh.launch(service, 2)
      await mesh.serving()
      await workload.progress(20)
      const history = await workload.stop()
      const trees = await Promise.all(mesh.ports.map((port) => dump(port, root)))
      assert.deepStrictEqual(check(history, trees[0]!), [])
      assert.strictEqual(new Set(trees.map(digestOf)).size, 1)
      await workload.close()
    }
  )
})
