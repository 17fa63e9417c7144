import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { OtlpReceiver, type Span } from "./setup/otlp.ts"
import { tools } from "./setup/packages.ts"
import { run } from "./setup/processes.ts"
import { checkWrite, isParent, one, PEERS, serviceOf, writeTrace } from "./setup/traceTree.ts"
import { Servers } from "./setup/zkmesh.ts"

const rootOf = (session: string, op: string) => (spans: ReadonlyArray<Span>) =>
  spans.find((span) => span.name === `zookeeper/${op}` && span.attributes.get("zookeeper.session.id") === session)

describe("traces, as an OTLP receiver gets them from servers over NATS", () => {
  let receiver: OtlpReceiver
  let servers: Servers
  let leader = 0
  let follower = 0
  let sessions: Readonly<Record<"main" | "other" | "silent", string>>

  beforeAll(async () => {
    receiver = await OtlpReceiver.start()
    servers = await Servers.start({
      settings: [
        "telemetry.traces.ratio=1",
        "telemetry.traces.perSecond=0",
        `telemetry.traces.endpoint=${receiver.url}/v1/traces`,
        "tickTime=500"
      ]
    })
    leader = (await servers.leader()) + 1
    follower = PEERS.find((sid) => sid !== leader)!
    const script = join(import.meta.dirname, "clients/kazoo_traced.py")
    const printed = await run({
      name: "kazoo_traced.py",
      command: tools.python.path,
      args: [script, `127.0.0.1:${servers.ports[follower - 1]}`],
      env: { PYTHONDONTWRITEBYTECODE: "1" }
    })
    sessions = JSON.parse(printed.trim().split("\n").at(-1)!)
  })
  afterAll(async () => {
    await servers?.stop()
    receiver?.stop()
  })

  it("follow a create at a follower through every service and every peer", async () => {
    const root = await receiver.until(rootOf(sessions.main, "create"), "the create")
    checkWrite(root, await writeTrace(receiver, root))
    assert.strictEqual(root.kind, 2)
    assert.strictEqual(root.attributes.get("zookeeper.peer"), follower)
    assert.strictEqual(root.attributes.get("zookeeper.path"), "/traced")
    assert.isAbove(Number(root.attributes.get("zookeeper.xid")), 0)
    assert.strictEqual(root.attributes.get("rpc.system.name"), "zookeeper")
    assert.strictEqual(root.resource.get("zookeeper.ensemble"), "zkmesh")
    assert.strictEqual(root.resource.get("service.instance.id"), `frontend.${follower}`)
  })

  it("follow a multi as one transaction", async () => {
    const root = await receiver.until(rootOf(sessions.main, "multi"), "the multi")
    checkWrite(root, await writeTrace(receiver, root))
    assert.strictEqual(root.attributes.get("zookeeper.multi.operations"), 2)
  })

  it("follow a read to the peer's own tree and back", async () => {
    const root = await receiver.until(rootOf(sessions.main, "getData"), "the read")
    const trace = await receiver.until(() => {
      const spans = receiver.trace(root.traceId)
      return spans.length === 4 ? spans : undefined
    }, "the read's trace")
    const session = one(trace, "session getData", follower)
    isParent(root, session)
    const read = one(trace, "read", follower)
    isParent(session, read)
    assert.strictEqual(serviceOf(read), "zkmesh-znode")
    isParent(read, one(trace, "reply", follower))
  })

  it("link a watch that has fired with the write that fired it", async () => {
    const write = await receiver.until(rootOf(sessions.other, "setData"), "the write")
    const trace = await writeTrace(receiver, write)
    const isOurs = (span: Span) =>
      span.name === "watch NodeDataChanged" && span.attributes.get("zookeeper.path") === "/traced"
    const watch = await receiver.until((spans) => spans.find(isOurs), "the watch")
    assert.strictEqual(watch.attributes.get("zookeeper.session.id"), sessions.main)
    assert.strictEqual(serviceOf(watch), "zkmesh-session")
    assert.notStrictEqual(watch.traceId, write.traceId)
    const link = [{ traceId: write.traceId, spanId: one(trace, "apply", follower).spanId }]
    assert.deepStrictEqual(watch.links, link)
    // Its delivery to the client, by the frontend.
    const delivery = await receiver.until(
      () => receiver.trace(watch.traceId).find((span) => span.name === "notify NodeDataChanged"),
      "the notification's delivery"
    )
    isParent(watch, delivery)
    assert.strictEqual(serviceOf(delivery), "zkmesh-frontend")
    assert.deepStrictEqual(delivery.links, link)
    assert.strictEqual(delivery.attributes.get("zookeeper.session.id"), sessions.main)
    assert.strictEqual(delivery.attributes.get("zookeeper.path"), "/traced")
    assert.strictEqual(delivery.attributes.get("zookeeper.zxid"), write.attributes.get("zookeeper.zxid"))
    assert.strictEqual(receiver.trace(watch.traceId).length, 2)
  })

  it("link the spans of batches with the requests that they carried", async () => {
    const root = await receiver.until(rootOf(sessions.main, "create"), "the create")
    const append = one(await writeTrace(receiver, root), "append", leader)
    const group = await receiver.until(
      (spans) => spans.find((span) => span.name === "group commit" && span.spanId === append.links[0]?.spanId),
      "the group commit"
    )
    assert.isTrue(group.links.some((link) => link.traceId === root.traceId && link.spanId === append.spanId))
  })

  it("show the beginning and the expiry of a session", async () => {
    const isCreated = rootOf(sessions.silent, "createSession")
    const created = await receiver.until(isCreated, "the session's beginning")
    checkWrite(created, await writeTrace(receiver, created))
    const isExpired = (span: Span) =>
      span.name === "expire session" && span.attributes.get("zookeeper.session.id") === sessions.silent
    const expiry = await receiver.until((spans) => spans.find(isExpired), "the expiry")
    assert.strictEqual(expiry.resource.get("service.instance.id"), `session.${leader}`)
    const trace = await receiver.until(() => {
      const spans = receiver.trace(expiry.traceId)
      return spans.filter((span) => span.name === "apply").length === 3 ? spans : undefined
    }, "the expiry at every peer")
    isParent(expiry, one(trace, "prepare", leader))
  })

  it("show the election, and how the learners came to the leader's epoch", async () => {
    const ofLeader = (span: Span) =>
      span.name === "elect leader" && span.resource.get("zookeeper.peer") === leader && span.status !== 2
    const election = await receiver.until((spans) => spans.find(ofLeader), "the leader's election")
    assert.strictEqual(election.attributes.get("zookeeper.leader"), leader)
    const epoch = await receiver.until(
      (spans) => spans.find((span) => span.name === "establish epoch" && span.traceId === election.traceId),
      "the leader's epoch"
    )
    isParent(election, epoch)
    const synchronised = await receiver.until(
      (spans) => spans.find((span) => span.name === "synchronise DIFF" && span.traceId === election.traceId),
      "a learner's synchronisation"
    )
    isParent(epoch, synchronised)
    assert.notStrictEqual(synchronised.resource.get("zookeeper.peer"), leader)
  })

  it("show checkpoints, with their database's part", async () => {
    const checkpoint = await receiver.until(
      (spans) => spans.find((span) => span.name === "checkpoint" && span.status !== 2),
      "a checkpoint"
    )
    const insert = await receiver.until(
      (spans) => spans.find((span) => span.parentId === checkpoint.spanId && span.name === "INSERT znodes"),
      "its insert"
    )
    isParent(checkpoint, insert)
  })
})
