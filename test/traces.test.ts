import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { OtlpReceiver, type Span } from "./setup/otlp.ts"
import { tools } from "./setup/packages.ts"
import { run } from "./setup/processes.ts"
import { Servers } from "./setup/zkmesh.ts"

/** Clocks of processes on one machine differ by less. */
const SKEW_NS = 2_000_000n
const PEERS = [1, 2, 3]

/** The one span of a trace by this name, at this peer if it is given. */
const one = (trace: ReadonlyArray<Span>, name: string, peer?: number): Span => {
  const found = trace.filter(
    (span) => span.name === name && (peer === undefined || span.attributes.get("zookeeper.peer") === peer)
  )
  assert.strictEqual(found.length, 1, `${name} at ${peer ?? "any peer"} among ${trace.map((span) => span.name)}`)
  return found[0]!
}

const isParent = (parent: Span, child: Span): void => {
  assert.strictEqual(child.parentId, parent.spanId, `${child.name} follows from ${parent.name}`)
  assert.isTrue(parent.start <= child.start + SKEW_NS, `${child.name} begins before ${parent.name}`)
  assert.isTrue(child.start <= child.end, `${child.name} ends before it begins`)
}

const serviceOf = (span: Span): unknown => span.resource.get("service.name")

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
      settings: ["telemetry.traces.ratio=1", `telemetry.traces.endpoint=${receiver.url}/v1/traces`, "tickTime=500"]
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

  /** The whole trace of a write, once every peer has told its part. */
  const writeTrace = async (root: Span): Promise<ReadonlyArray<Span>> =>
    receiver.until(() => {
      const trace = receiver.trace(root.traceId)
      const counts = (name: string) => trace.filter((span) => span.name === name).length
      return counts("append") === 3 && counts("apply") === 3 && counts("commit") === 1 && counts("reply") === 1
        ? trace
        : undefined
    }, `the trace of ${root.name}`)

  /** Checks a write's way through the ensemble, from the frontend to every log and back. */
  const checkWrite = (root: Span, trace: ReadonlyArray<Span>): void => {
    assert.strictEqual(root.parentId, "")
    assert.strictEqual(serviceOf(root), "zkmesh-frontend")
    const session = one(trace, `session ${root.attributes.get("zookeeper.op")}`)
    isParent(root, session)
    assert.strictEqual(session.attributes.get("zookeeper.peer"), follower)
    const prepare = one(trace, "prepare", leader)
    isParent(session, prepare)
    assert.strictEqual(serviceOf(prepare), "zkmesh-znode")
    const propose = one(trace, "propose")
    isParent(prepare, propose)
    assert.strictEqual(propose.resource.get("zookeeper.peer"), leader)
    for (const sid of PEERS) {
      const append = one(trace, "append", sid)
      isParent(propose, append)
      const flush = trace.filter((span) => span.parentId === append.spanId && span.name === "INSERT log")
      assert.strictEqual(flush.length, 1)
      isParent(append, flush[0]!)
      assert.strictEqual(flush[0]!.attributes.get("db.system.name"), "postgresql")
      assert.strictEqual(flush[0]!.resource.get("service.instance.id"), `broadcast.${sid}`)
    }
    const acknowledge = one(trace, "acknowledge")
    const acker = acknowledge.attributes.get("zookeeper.ack.peer")
    assert.strictEqual(acknowledge.attributes.get("zookeeper.ack.made_quorum"), true)
    isParent(one(trace, "append", acker as number), acknowledge)
    const commit = one(trace, "commit")
    isParent(acknowledge, commit)
    for (const sid of PEERS) isParent(commit, one(trace, "apply", sid))
    const reply = one(trace, "reply", follower)
    isParent(one(trace, "apply", follower), reply)
    assert.isTrue(root.start <= session.start + SKEW_NS && reply.end <= root.end + SKEW_NS, "the reply is within")
    const zxids = new Set(trace.map((span) => span.attributes.get("zookeeper.zxid")).filter((zxid) => zxid))
    assert.strictEqual(zxids.size, 1, "all speak of one transaction")
    const ids = new Set(trace.map((span) => span.spanId))
    assert.strictEqual(ids.size, trace.length)
    for (const span of trace) assert.isTrue(span.parentId === "" || ids.has(span.parentId), `${span.name} is an orphan`)
  }

  it("follow a create at a follower through every service and every peer", async () => {
    const root = await receiver.until(rootOf(sessions.main, "create"), "the create")
    checkWrite(root, await writeTrace(root))
    assert.strictEqual(root.kind, 2)
    assert.strictEqual(root.attributes.get("zookeeper.path"), "/traced")
    assert.isAbove(Number(root.attributes.get("zookeeper.xid")), 0)
    assert.strictEqual(root.attributes.get("rpc.system.name"), "zookeeper")
    assert.strictEqual(root.resource.get("zookeeper.ensemble"), "zkmesh")
    assert.strictEqual(root.resource.get("service.instance.id"), `frontend.${follower}`)
  })

  it("follow a multi as one transaction", async () => {
    const root = await receiver.until(rootOf(sessions.main, "multi"), "the multi")
    checkWrite(root, await writeTrace(root))
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
    const trace = await writeTrace(write)
    const isOurs = (span: Span) =>
      span.name === "watch NodeDataChanged" && span.attributes.get("zookeeper.path") === "/traced"
    const watch = await receiver.until((spans) => spans.find(isOurs), "the watch")
    assert.strictEqual(watch.attributes.get("zookeeper.watch.session.id"), sessions.main)
    assert.notStrictEqual(watch.traceId, write.traceId)
    assert.deepStrictEqual(watch.links, [{ traceId: write.traceId, spanId: one(trace, "apply", follower).spanId }])
  })

  it("link the spans of batches with the requests that they carried", async () => {
    const root = await receiver.until(rootOf(sessions.main, "create"), "the create")
    const append = one(await writeTrace(root), "append", leader)
    const group = await receiver.until(
      (spans) => spans.find((span) => span.name === "group commit" && span.spanId === append.links[0]?.spanId),
      "the group commit"
    )
    assert.isTrue(group.links.some((link) => link.traceId === root.traceId && link.spanId === append.spanId))
  })

  it("show the beginning and the expiry of a session", async () => {
    const isCreated = rootOf(sessions.silent, "createSession")
    const created = await receiver.until(isCreated, "the session's beginning")
    checkWrite(created, await writeTrace(created))
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
