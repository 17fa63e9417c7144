/** What a trace of ours must look like. */
import { assert } from "vitest"
import type { OtlpReceiver, Span } from "./otlp.ts"

/** Clocks of processes on one machine differ by less. */
export const SKEW_NS = 2_000_000n
export const PEERS = [1, 2, 3]

/** The peer that a span is of. */
export const peerOf = (span: Span): unknown =>
  span.attributes.get("zookeeper.peer") ?? span.resource.get("zookeeper.peer")

/** The one span of a trace by this name, at this peer if it is given. */
export const one = (trace: ReadonlyArray<Span>, name: string, peer?: number): Span => {
  const found = trace.filter((span) => span.name === name && (peer === undefined || peerOf(span) === peer))
  assert.strictEqual(found.length, 1, `${name} at ${peer ?? "any peer"} among ${trace.map((span) => span.name)}`)
  return found[0]!
}

export const isParent = (parent: Span, child: Span): void => {
  assert.strictEqual(child.parentId, parent.spanId, `${child.name} follows from ${parent.name}`)
  assert.isTrue(parent.start <= child.start + SKEW_NS, `${child.name} begins before ${parent.name}`)
  assert.isTrue(child.start <= child.end, `${child.name} ends before it begins`)
}

export const serviceOf = (span: Span): unknown => span.resource.get("service.name")

/** The whole trace of a write, once every peer has told its part. */
export const writeTrace = (receiver: OtlpReceiver, root: Span): Promise<ReadonlyArray<Span>> =>
  receiver.until(() => {
    const trace = receiver.trace(root.traceId)
    const counts = (name: string) => trace.filter((span) => span.name === name).length
    return counts("append") === 3 && counts("apply") === 3 && counts("commit") === 1 && counts("reply") === 1
      ? trace
      : undefined
  }, `the trace of ${root.name}`)

/** Checks a write's way through the ensemble, from the frontend to every log and back. */
export const checkWrite = (root: Span, trace: ReadonlyArray<Span>): void => {
  const follower = root.attributes.get("zookeeper.peer") as number
  assert.strictEqual(root.parentId, "")
  assert.strictEqual(serviceOf(root), "zkmesh-frontend")
  const session = one(trace, `session ${root.attributes.get("zookeeper.op")}`)
  isParent(root, session)
  assert.strictEqual(peerOf(session), follower)
  const leader = one(trace, "propose").resource.get("zookeeper.peer") as number
  const prepare = one(trace, "prepare", leader)
  isParent(session, prepare)
  assert.strictEqual(serviceOf(prepare), "zkmesh-znode")
  const propose = one(trace, "propose")
  isParent(prepare, propose)
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
  for (const sid of PEERS) {
    const apply = one(trace, "apply", sid)
    // A follower whose own word is the last of a quorum's need not wait for the leader's commit.
    const isOwn = sid === follower && apply.parentId !== commit.spanId
    isParent(isOwn ? one(trace, "append", sid) : commit, apply)
  }
  const reply = one(trace, "reply", follower)
  isParent(one(trace, "apply", follower), reply)
  assert.isTrue(root.start <= session.start + SKEW_NS && reply.end <= root.end + SKEW_NS, "the reply is within")
  const zxids = new Set(trace.map((span) => span.attributes.get("zookeeper.zxid")).filter((zxid) => zxid))
  assert.strictEqual(zxids.size, 1, "all speak of one transaction")
  const ids = new Set(trace.map((span) => span.spanId))
  assert.strictEqual(ids.size, trace.length)
  for (const span of trace) assert.isTrue(span.parentId === "" || ids.has(span.parentId), `${span.name} is an orphan`)
}
