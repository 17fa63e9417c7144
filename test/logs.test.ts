/** What an operator finds by a line of the log: the trace of a request that was slow or has failed, of an election, of an end. */
import { ZkClient } from "@zkmesh/client"
import { CreateMode, ErrorCode } from "@zkmesh/protocol"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Session } from "./recorder/session.ts"
import { OtlpReceiver, type Span } from "./setup/otlp.ts"
import { checkWrite, isParent, one, PEERS, peerOf, serviceOf, writeTrace } from "./setup/traceTree.ts"
import { Servers } from "./setup/zkmesh.ts"

/** A line of the log, as it is written where nobody sits at a terminal. */
type Line = Readonly<Record<string, string | number | undefined>>

describe("the log of servers over NATS, as JSON", () => {
  let receiver: OtlpReceiver
  let servers: Servers
  let client: ZkClient
  let leader = 0

  beforeAll(async () => {
    receiver = await OtlpReceiver.start()
    // Nothing is traced by chance: what is slow here is anything that takes a millisecond.
    servers = await Servers.start({
      settings: [
        `telemetry.traces.endpoint=${receiver.url}/v1/traces`,
        "telemetry.traces.ratio=0",
        "telemetry.traces.slowMs=1",
        "audit.enable=true",
        "tickTime=500"
      ]
    })
    leader = (await servers.leader()) + 1
    client = new ZkClient(servers.connect)
    await client.connected()
  })
  afterAll(async () => {
    await client?.close()
    await servers?.stop()
    receiver?.stop()
  })

  const linesOf = (sid: number): ReadonlyArray<Line> =>
    servers.peer(sid - 1).lines.map((line) => {
      assert.match(line, /^\{.*\}$/, "every line is an object")
      return JSON.parse(line)
    })

  /** The first line at one of these peers that is like that, once it is there. */
  const until = async (
    what: string,
    isIt: (line: Line) => boolean,
    sids: ReadonlyArray<number> = PEERS
  ): Promise<Line> => {
    const find = (sid: number) => () => linesOf(sid).find(isIt)
    return Promise.any(sids.map((sid) => servers.peer(sid - 1).until(find(sid), what, 30_000)))
  }

  const rootOf =
    ({ trace_id }: Line) =>
    (spans: ReadonlyArray<Span>) =>
      spans.find((span) => span.traceId === trace_id && span.parentId === "")

  it("leads from a slow request to its trace, by session, zxid and path", async () => {
    await client.create("/slow", "x", { mode: CreateMode.EPHEMERAL })
    const line = await until("the slow request", ({ op, path }) => op === "create" && path === "/slow")
    assert.strictEqual(line["session"], client.sessionId)
    assert.strictEqual(line["service"], "frontend")
    assert.match(`${line["message"]}`, /^create \/slow of session 0x[0-9a-f]+ took \d+ ms$/)
    assert.isAtLeast(Number(line["duration_ms"]), 1)
    assert.deepStrictEqual([typeof line["timestamp"], line["level"]], ["string", "WARN"])
    const root = await receiver.until(rootOf(line), "the slow request's trace")
    assert.strictEqual(root.attributes.get("zookeeper.zxid"), line["zxid"])
    assert.strictEqual(root.attributes.get("zookeeper.peer"), line["peer"])
    checkWrite(root, await writeTrace(receiver, root))
    // The same transaction in the audit log.
    const audit = await until("the audit line", ({ logger, zxid }) => logger === "audit" && zxid === line["zxid"])
    assert.match(`${audit["message"]}`, /operation=create\tznode=\/slow/)
    assert.deepStrictEqual([audit["session"], audit["peer"]], [line["session"], line["peer"]])
  })

  it("leads from a request that has failed to its trace", async () => {
    // Clients see to it themselves that paths are right: this one does not.
    const careless = await Session.open({ ports: servers.ports, timeoutMs: 10_000 })
    assert.strictEqual((await careless.create("/.", "x")).error, ErrorCode.BADARGUMENTS)
    await careless.close()
    const line = await until("the failed request", ({ error }) => error === "BADARGUMENTS")
    assert.match(`${line["message"]}`, /failed: BADARGUMENTS$/)
    const root = await receiver.until(rootOf(line), "the failed request's trace")
    assert.strictEqual(root.attributes.get("error.type"), "BADARGUMENTS")
    assert.strictEqual(root.status, 2)
    assert.strictEqual(root.attributes.get("zookeeper.session.id"), line["session"])
    assert.strictEqual(root.attributes.get("zookeeper.xid"), line["xid"])
  })

  it("leads from the loss of a leader to the election, the new epoch, and the old leader's return", async () => {
    await servers.peer(leader - 1).kill()
    const rest = PEERS.filter((sid) => sid !== leader)
    const led = ({ message, epoch }: Line) => Number(epoch) > 1 && `${message}`.includes("leading in epoch")
    const line = await until("the new leader", led, rest)
    assert.strictEqual(line["service"], "broadcast")
    const trace = await receiver.until(() => {
      const spans = receiver.trace(`${line["trace_id"]}`)
      const names = spans.map((span) => span.name)
      return names.includes("establish epoch") && names.some((name) => name.startsWith("synchronise"))
        ? spans
        : undefined
    }, "the new epoch's trace")
    const election = one(trace, "elect leader")
    assert.strictEqual(peerOf(election), line["peer"])
    assert.strictEqual(election.attributes.get("zookeeper.leader"), line["peer"])
    assert.strictEqual(serviceOf(election), "zkmesh-election")
    const epoch = one(trace, "establish epoch")
    isParent(election, epoch)
    assert.strictEqual(epoch.attributes.get("zookeeper.epoch"), line["epoch"])
    assert.strictEqual(serviceOf(epoch), "zkmesh-broadcast")
    const follower = rest.find((sid) => sid !== line["peer"])!
    const learner = trace.find((span) => span.name.startsWith("synchronise"))!
    assert.strictEqual(peerOf(learner), follower)
    isParent(epoch, learner)
    // The other one's own election ended with the same leader.
    const other = await receiver.until(
      (spans) =>
        spans.find((span) => span.name === "elect leader" && learner.links.some((to) => to.spanId === span.spanId)),
      "the follower's election"
    )
    assert.strictEqual(peerOf(other), follower)
    assert.strictEqual(other.attributes.get("zookeeper.leader"), line["peer"])
    // Whoever comes later synchronises in a trace of its own.
    await servers.startPeers(leader - 1)
    const back = await until("the old leader's return", ({ message }) => `${message}`.includes("following"), [leader])
    const synchronised = await receiver.until(
      (spans) => spans.find((span) => span.traceId === back["trace_id"] && span.name.startsWith("synchronise")),
      "the old leader's synchronisation"
    )
    assert.strictEqual(peerOf(synchronised), leader)
    assert.strictEqual(synchronised.attributes.get("zookeeper.leader"), line["peer"])
  })
})
