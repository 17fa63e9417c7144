import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "./clients/index.ts"
import { javaClient } from "./clients/java.ts"
import { check, digestOf, dump } from "./recorder/checker.ts"
import { Session } from "./recorder/session.ts"
import { Workload } from "./recorder/workload.ts"
import { fourLetterWord } from "./setup/four-letter-words.ts"
import { OtlpReceiver, type Span } from "./setup/otlp.ts"
import { checkWrite, writeTrace } from "./setup/traceTree.ts"
import { Mesh, serving } from "./setup/zkmesh.ts"

/** Far more than could be slow. */
const READS = 50
const isLong = process.env["ZKMESH_TEST_LONG"] === "yes"

describe("the mesh placement: a process per service, and two frontends more", () => {
  let mesh: Mesh
  let receiver: OtlpReceiver

  beforeAll(async () => {
    receiver = await OtlpReceiver.start()
    const endpoint = `telemetry.traces.endpoint=${receiver.url}/v1/traces`
    mesh = await Mesh.start(2, { settings: [endpoint, "telemetry.traces.ratio=0", "telemetry.traces.slowMs=1"] })
  })
  afterAll(async () => {
    await mesh?.stop()
    receiver?.stop()
  })

  it("runs five services for each of three peers, and two more frontends", async () => {
    assert.strictEqual(mesh.services.size + mesh.frontends.length, 17)
    const modes = await serving(mesh.ports)
    assert.strictEqual(modes.length, 5)
    assert.include(modes, "leader")
  })

  it("finds the whole way of a request that has turned out to be slow", async () => {
    const session = await Session.open({ ports: mesh.ports.slice(3), timeoutMs: 10_000 })
    assert.strictEqual((await session.create("/slow", "")).error, 0)
    const isIt = (span: Span) =>
      span.name.startsWith("zookeeper/create") && span.attributes.get("zookeeper.path") === "/slow"
    const root = await receiver.until((spans) => spans.find(isIt), "the slow request")
    checkWrite(root, await writeTrace(receiver, root))
    await session.close()
  })

  it("traces every request of a session, of which any of its frontends is asked", async () => {
    const session = await Session.open({ ports: mesh.ports.slice(3, 4), timeoutMs: 10_000 })
    const id = `0x${session.id.toString(16)}`
    const said = await fourLetterWord(mesh.ports[0]!, `trac session ${id} 60\n`)
    assert.deepInclude(JSON.parse(said ?? ""), { tracing: "session", of: id, seconds: 60 })
    // The others hear of it by the broker.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    for (let i = 0; i < READS; i++) await session.exists("/")
    const isOurs = ({ name, attributes }: Span) =>
      name === "zookeeper/exists" && attributes.get("zookeeper.session.id") === id
    const found = await receiver.until((spans) => {
      const xids = new Set(spans.filter(isOurs).map(({ attributes }) => attributes.get("zookeeper.xid")))
      return xids.size === READS ? xids : undefined
    }, "all reads of the session")
    assert.strictEqual(found.size, READS)
    await session.close()
  })

  // kazoo's daily work and all of Curator's are long, and played to the other placements: here the recipes stand for both.
  it.each(clients.filter(({ name }) => isLong || !/Java|^kazoo$/.test(name)))(
    "serves $name",
    { timeout: 200_000 },
    ({ check: run }) => run(mesh.connect)
  )

  it.runIf(!isLong)("serves Curator's lock, leader latch, cache and barriers", { timeout: 200_000 }, () =>
    javaClient(mesh.connect, "mutex", "leader-latch", "curator-cache", "barrier", "double-barrier")
  )

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
