import { type Identity, WriteRequest } from "@zkmesh/messages"
import type { SessionId } from "@zkmesh/numbers"
import { CreateMode, ErrorCode, EventType, JuteWriter, OpCode } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"
import { SnapshotWriter } from "@zkmesh/store/snapshot"
import { EntryReader } from "@zkmesh/txn"
import { assert, describe, it } from "vitest"
import { Tree, TreeLoader } from "../src/index.ts"
import { ROOT } from "../src/nodes.ts"
import { create, open, Peer, remove } from "./peer.ts"
import { IP, readReply, text } from "./world.ts"

const SUPER: Identity = [...IP, { scheme: "super", id: "" }]
const STAGING = "/zookeeper/restore-1"

const nodesOf = (tree: Tree): Array<StoredNode> => {
  const nodes: Array<StoredNode> = []
  tree.nodes.visit(ROOT, (slot) => nodes.push(tree.stored(slot)))
  return nodes
}
const snapshotOf = (tree: Tree): Uint8Array => {
  const writer = new SnapshotWriter(tree.zxid, tree.digest())
  for (const session of tree.sessions.copies()) writer.session(session)
  for (const node of nodesOf(tree)) writer.node(node)
  writer.finish()
  return Buffer.concat(writer.take())
}
const restore = (session: SessionId, seq: number, identity: Identity = SUPER, path = STAGING): WriteRequest => {
  const writer = new JuteWriter()
  writer.ustring(path)
  const bytes = writer.take()
  return new WriteRequest(session, session, seq, seq, OpCode.restore, identity, bytes, 0, bytes.length)
}
const byPath = (nodes: Iterable<StoredNode>) =>
  [...nodes].filter(({ path }) => path !== "/zookeeper/config").sort((a, b) => (a.path < b.path ? -1 : 1))

/** A leader with a session of its own and one of another peer's, each with some requests behind it. */
class Scene {
  readonly tree = new Tree()
  readonly peer = new Peer({ extendedTypes: true }, this.tree).lead()
  private readonly seqs = new Map<SessionId, number>()
  readonly own = this.session("p", 1)
  readonly other: SessionId

  constructor() {
    this.peer.step({ _tag: "PrepareOpened", link: "q" })
    this.peer.ask("q", { _tag: "Hello", peer: 2, epoch: 1 })
    this.other = this.session("q", 2)
  }

  session(link: string, token: number): SessionId {
    this.peer.ask(link, open(token))
    this.peer.commitAll()
    return this.tree.zxid
  }

  next(session: SessionId): number {
    const seq = (this.seqs.get(session) ?? 0) + 1
    this.seqs.set(session, seq)
    return seq
  }

  write(link: string, ...requests: ReadonlyArray<WriteRequest>): void {
    this.peer.ask(link, { _tag: "Writes", requests })
  }

  /** By its own session, and applied. */
  create(path: string, value: Uint8Array = text(path), flags = 0): void {
    this.write("p", create(this.own, this.next(this.own), path, value, flags))
    this.peer.commitAll()
  }

  /** Brings the pieces of a snapshot. */
  stage(snapshot: Uint8Array, pieces = 3): void {
    this.create(STAGING)
    const size = Math.ceil(snapshot.length / pieces)
    for (let i = 0; i < pieces; i++) {
      this.create(`${STAGING}/${i}`, snapshot.slice(i * size, (i + 1) * size), CreateMode.EPHEMERAL)
    }
  }

  /** The error of the last transaction, as its client reads it. */
  lastError(): number {
    return readReply(this.peer.applied().at(-1)!.reply!).err
  }
}

describe("a restore", () => {
  it("makes every znode what it was, and writes the difference into the checkpoint", () => {
    const scene = new Scene()
    const { peer, tree } = scene
    for (const path of ["/a", "/a/b", "/a/b/c", "/gone", "/kept", "/changed"]) scene.create(path)
    scene.create("/mine", text("1"), CreateMode.EPHEMERAL)
    const wanted = nodesOf(tree)
    const digest = tree.digest()
    const snapshot = snapshotOf(tree)
    scene.write("p", remove(scene.own, scene.next(scene.own), "/gone"))
    scene.write("p", remove(scene.own, scene.next(scene.own), "/mine"))
    scene.write("p", remove(scene.own, scene.next(scene.own), "/a/b/c"))
    scene.write("p", remove(scene.own, scene.next(scene.own), "/changed"))
    peer.commitAll()
    scene.create("/changed", text("another"))
    for (const path of ["/new", "/new/er", "/a/x"]) scene.create(path)
    const late = scene.session("q", 9)
    scene.stage(snapshot)
    // What has been written down before is what the next checkpoint builds on.
    peer.now += 5000
    peer.step({ _tag: "Tick" })
    const [before] = peer.checkpoints
    const stored = new Map([...before!.upserted].map((node) => [node.path, node]))
    peer.step({ _tag: "CheckpointWritten" })

    scene.write("p", restore(scene.own, scene.next(scene.own)))
    peer.commitAll()
    assert.deepEqual(byPath(nodesOf(tree)), byPath(wanted))
    assert.equal(tree.digest(), digest)
    const loader = new TreeLoader()
    loader.add(nodesOf(tree))
    assert.equal(loader.finish(tree.zxid, digest, []).digest(), digest)
    assert.isUndefined(tree.sessions.get(late))
    const txn = peer.applied().at(-1)!
    assert.deepEqual(txn.sessionChange, { kind: "restored", closed: [late], opened: [] })
    assert.deepEqual(
      txn
        .events!.filter(({ path }) => !path.startsWith(STAGING))
        .map(({ type, path }) => `${type} ${path}`)
        .sort(),
      [
        ...["/gone", "/mine", "/a/b/c"].map((path) => `${EventType.NodeCreated} ${path}`),
        ...["/new", "/new/er", "/a/x"].map((path) => `${EventType.NodeDeleted} ${path}`),
        `${EventType.NodeDataChanged} /changed`
      ].sort()
    )
    peer.now += 5000
    peer.step({ _tag: "Tick" })
    const delta = peer.checkpoints[1]!
    for (const path of delta.deleted) stored.delete(path)
    for (const node of delta.upserted) stored.set(node.path, node)
    assert.deepEqual(byPath(stored.values()), byPath(wanted))
    assert.deepEqual([...delta.closedSessions], [late])
  })

  it("brings sessions back that have ended since, with what they owned", () => {
    const scene = new Scene()
    const { peer, tree } = scene
    const brief = scene.session("q", 7)
    scene.write("q", create(brief, 1, "/theirs", text("x"), CreateMode.EPHEMERAL))
    peer.commitAll()
    const snapshot = snapshotOf(tree)
    const close = new WriteRequest(brief, brief, 2, 2, OpCode.closeSession, IP, new Uint8Array(0), 0, 0)
    scene.write("q", close)
    peer.commitAll()
    assert.isUndefined(tree.sessions.get(brief))
    scene.stage(snapshot)
    scene.write("p", restore(scene.own, scene.next(scene.own)))
    peer.commitAll()
    assert.deepEqual([...tree.ephemerals.keys()], [brief])
    const change = peer.applied().at(-1)!.sessionChange
    assert(change?.kind === "restored")
    assert.deepEqual(
      change.opened.map(({ id, peer: at }) => [id, at]),
      [[brief, 0]]
    )
    // It expires like any other.
    scene.write("p", new WriteRequest(brief, 0, 0, 0, OpCode.closeSession, [], new Uint8Array(0), 0, 0))
    peer.commitAll()
    assert.equal(tree.nodes.findPath("/theirs"), 0)
  })

  it("waits for what is in flight, and nothing is prepared before it has been applied", () => {
    const scene = new Scene()
    const { peer, tree, own, other } = scene
    const snapshot = snapshotOf(tree)
    scene.stage(snapshot)
    scene.write("q", create(other, 1, "/in-flight"))
    const [first] = peer.takeProposals()
    scene.write("p", restore(own, scene.next(own)), create(own, scene.next(own), "/behind"))
    scene.write("q", create(other, 2, "/later"))
    assert.deepEqual(peer.takeProposals(), [])
    peer.hear({ _tag: "Committed", batch: first! })
    const [second, ...more] = peer.takeProposals()
    assert.deepEqual(more, [])
    const entries = new EntryReader(second!.bytes)
    assert.isTrue(entries.next())
    assert.equal(entries.type, OpCode.restore)
    assert.isFalse(entries.next())
    peer.hear({ _tag: "Committed", batch: second! })
    peer.commitAll()
    assert.equal(tree.nodes.findPath("/in-flight"), 0)
    assert.notEqual(tree.nodes.findPath("/behind"), 0)
    assert.notEqual(tree.nodes.findPath("/later"), 0)
    assert.deepEqual(peer.broken, [])
  })

  it("lets the others go on if whoever asked for it has gone", () => {
    const scene = new Scene()
    const { peer, tree, own, other } = scene
    scene.write("q", create(other, 1, "/in-flight"))
    const [first] = peer.takeProposals()
    scene.write("p", restore(own, scene.next(own)))
    scene.write("q", create(other, 2, "/later"))
    peer.step({ _tag: "PrepareBroken", link: "p" })
    peer.hear({ _tag: "Committed", batch: first! })
    peer.step({ _tag: "Tick" })
    peer.commitAll()
    assert.notEqual(tree.nodes.findPath("/later"), 0)
  })

  it("is refused to anybody but the super user, and of anything but a whole snapshot", () => {
    const scene = new Scene()
    const { own, tree, peer } = scene
    const attempt = (identity: Identity, path?: string) => {
      scene.write("p", restore(own, scene.next(own), identity, path))
      peer.commitAll()
      return scene.lastError()
    }
    assert.equal(attempt(SUPER), ErrorCode.NONODE)
    scene.create("/elsewhere")
    assert.equal(attempt(SUPER, "/elsewhere"), ErrorCode.BADARGUMENTS)
    const snapshot = snapshotOf(tree)
    scene.stage(snapshot.subarray(0, snapshot.length - 1))
    assert.equal(attempt(SUPER), ErrorCode.BADARGUMENTS)
    assert.equal(attempt(IP), ErrorCode.NOAUTH)
    assert.notEqual(tree.nodes.findPath("/elsewhere"), 0)
  })
})
