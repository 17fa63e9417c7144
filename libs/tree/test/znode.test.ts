import type { SessionToPrepare } from "@zkmesh/messages"
import { zxid } from "@zkmesh/numbers"
import { CreateMode, OpCode } from "@zkmesh/protocol"
import type { TxnBatch } from "@zkmesh/txn"
import { assert, describe, it } from "vitest"
import { Tree, TreeCorrupt } from "../src/index.ts"
import { committed, create, history, open, Peer, reads, remove, role, SESSION } from "./peer.ts"
import { text } from "./world.ts"

describe("the stream to the session service", () => {
  it("begins with the table of sessions and the role", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" })
    peer.hear(...committed(history(1)), role("following", 1))
    peer.step({ _tag: "StreamOpened", link: "s" })
    const [hello] = peer.streams.get("s")!
    assert(hello?._tag === "Hello")
    assert.equal(hello.zxid, zxid(1, 2))
    assert.deepEqual(hello.role, role("following", 1))
    assert.deepEqual(
      hello.sessions.map((session) => [session.id, session.seq]),
      [[SESSION, 1]]
    )
  })
  it("keeps reads, transactions and roles in the order in which they came, neighbours together", () => {
    const peer = new Peer()
    const [first, second] = committed(history(1))
    peer.step({ _tag: "BroadcastOpened" }, { _tag: "StreamOpened", link: "s" })
    peer.streams.clear()
    const read = { _tag: "FromStream", link: "s", messages: [reads(SESSION, "/n0", "/n0")] } as const
    peer.step(
      read,
      read,
      { _tag: "FromBroadcast", messages: [first!, second!] },
      read,
      { _tag: "FromBroadcast", messages: [role("following", 1)] },
      { _tag: "FromStream", link: "s", messages: [{ _tag: "Query", id: 7 }] },
      read
    )
    const messages = peer.streams.get("s")!
    assert.deepEqual(
      messages.map((message) => message._tag),
      ["ReadReplies", "Applied", "ReadReplies", "Role", "Answer", "ReadReplies"]
    )
    const [before, applied, after] = messages
    assert(before?._tag === "ReadReplies" && applied?._tag === "Applied" && after?._tag === "ReadReplies")
    assert.equal(before.ends.length, 4)
    assert.equal(before.zxid, 0)
    assert.equal(applied.txns.length, 2)
    assert.equal(applied.zxid, zxid(1, 2))
    assert.equal(after.zxid, zxid(1, 2))
    assert.isAbove(after.buffer.length, before.buffer.length / 2, "the znode is there now")
  })
  it("answers every link by itself, and tells all of them what is applied", () => {
    const peer = new Peer()
    peer.step({ _tag: "StreamOpened", link: "a" }, { _tag: "StreamOpened", link: "b" })
    peer.step(
      { _tag: "FromStream", link: "a", messages: [reads(SESSION, "/")] },
      { _tag: "FromStream", link: "b", messages: [reads(SESSION, "/", "/")] },
      { _tag: "FromBroadcast", messages: committed(history(0)) }
    )
    const replies = (link: string) =>
      peer.streams.get(link)!.flatMap((message) => (message._tag === "ReadReplies" ? [message.ends.length] : []))
    assert.deepEqual([replies("a"), replies("b")], [[1], [2]])
    assert.equal(peer.applied("a").length, 1)
    assert.equal(peer.applied("b").length, 1)
  })
  it("counts for the operator", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" }, { _tag: "StreamOpened", link: "s" })
    peer.hear({ _tag: "Stats", stats: { quorum_size: 3 } }, ...committed(history(3)), role("following", 1))
    peer.step({ _tag: "FromStream", link: "s", messages: [{ _tag: "Query", id: 9 }] })
    const answer = peer.streams.get("s")!.find((message) => message._tag === "Answer")
    assert.equal(answer?.id, 9)
    assert.include(answer?.stats, {
      quorum_size: 3,
      znode_count: 8,
      role: "following",
      global_sessions: 1,
      last_processed_zxid: "0x100000004"
    })
  })
})

describe("broadcast", () => {
  it("is told what has been applied, with a digest at every 128th", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" })
    assert.deepEqual(peer.toBroadcast, [{ _tag: "Hello", applied: 0, checkpoint: 0 }])
    peer.toBroadcast = []
    const world = history(300)
    peer.hear(...committed(world))
    assert.deepEqual(
      peer.toBroadcast.map((message) => (message._tag === "Applied" ? message.digest?.zxid : "?")),
      [zxid(1, 128), zxid(1, 256), undefined]
    )
    const last = peer.toBroadcast.at(-1)
    assert.equal(last?._tag === "Applied" && last.zxid, zxid(1, 301))
    peer.step({ _tag: "Tick" })
    assert.equal(peer.toBroadcast.length, 3, "nothing new is nothing to say")
  })
  it("announces the leader's digests: one that differs stops the peer, whenever it comes", () => {
    const world = history(200)
    const digestOf = (): number => {
      const peer = new Peer()
      peer.step({ _tag: "BroadcastOpened" })
      peer.hear(...committed(world))
      const applied = peer.toBroadcast.find((message) => message._tag === "Applied" && message.digest !== undefined)
      assert(applied?._tag === "Applied" && applied.digest !== undefined)
      return applied.digest.digest
    }
    const digest = (value: number) => ({ _tag: "Digest", digest: { zxid: zxid(1, 128), digest: value } }) as const
    new Peer().hear(digest(digestOf()), ...committed(world))
    new Peer().hear(...committed(world), digest(digestOf()))
    assert.throws(() => new Peer().hear(digest(1), ...committed(world)), TreeCorrupt)
    assert.throws(() => new Peer().hear(...committed(world), digest(1)), TreeCorrupt)
  })
  it("is greeted with what is applied when it comes back; meanwhile the role is looking", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" }, { _tag: "StreamOpened", link: "s" })
    peer.hear(...committed(history(1)), role("following", 1))
    peer.step({ _tag: "BroadcastBroken" })
    assert.deepEqual(peer.streams.get("s")!.at(-1), role("looking", 1))
    peer.toBroadcast = []
    peer.step({ _tag: "BroadcastOpened" })
    assert.deepEqual(peer.toBroadcast, [{ _tag: "Hello", applied: zxid(1, 2), checkpoint: 0 }])
  })
})

describe("prepare links", () => {
  it("wait for their epoch, then are served in order", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" }, { _tag: "PrepareOpened", link: "p" })
    peer.ask("p", { _tag: "Hello", peer: 2, epoch: 4 }, open(1))
    peer.ask("p", open(2))
    peer.hear(role("looking", 3))
    assert.deepEqual(peer.takeProposals(), [])
    peer.hear(role("leading", 4))
    const [batch] = peer.takeProposals()
    assert.equal(batch?.first, zxid(4, 1))
    assert.equal(batch?.count, 2)
    assert.deepEqual(peer.broken, [])
  })
  it("are broken when their epoch is over, or another's", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" })
    for (const link of ["old", "ours", "next", "silent"]) peer.step({ _tag: "PrepareOpened", link })
    peer.ask("old", { _tag: "Hello", peer: 2, epoch: 1 })
    peer.ask("ours", { _tag: "Hello", peer: 2, epoch: 2 })
    peer.ask("next", { _tag: "Hello", peer: 2, epoch: 3 })
    peer.hear(role("leading", 2))
    assert.deepEqual(peer.broken, ["old"])
    peer.hear(role("looking", 2))
    assert.deepEqual(peer.broken, ["old", "ours"])
    peer.hear(role("following", 3))
    assert.deepEqual(peer.broken, ["old", "ours", "next"])
    peer.step({ _tag: "PrepareOpened", link: "late" })
    peer.ask("late", { _tag: "Hello", peer: 2, epoch: 3 })
    assert.deepEqual(peer.broken, ["old", "ours", "next", "late"])
  })
  it("are told what never became a transaction, and broken at a hole", () => {
    const peer = new Peer().lead()
    peer.ask("p", { _tag: "Writes", requests: [create(SESSION, 1, "/a")] })
    assert.deepEqual(peer.prepares.get("p"), [
      { _tag: "Rejected", token: 0, session: SESSION, connection: SESSION, seq: 1, reason: "expired" }
    ])
    peer.ask("p", open(1), { _tag: "Writes", requests: [create(SESSION, 2, "/a")] })
    assert.deepEqual(peer.broken, ["p"])
    assert.equal(peer.takeProposals().length, 1, "what came before the hole stands")
  })
  it("prepare no further ahead than the window, and go on as it opens", () => {
    const peer = new Peer({ proposalWindowBytes: 5000 }).lead()
    peer.ask("p", open(1))
    const writes = (seq: number): SessionToPrepare => ({
      _tag: "Writes",
      requests: [create(SESSION, seq, `/n${seq}`, new Uint8Array(3000))]
    })
    for (let seq = 1; seq <= 6; seq++) peer.ask("p", writes(seq))
    const batches = peer.takeProposals()
    assert.isBelow(
      batches.reduce((sum, batch) => sum + batch.count, 0),
      4
    )
    peer.hear(...batches.map((batch) => ({ _tag: "Committed", batch }) as const))
    peer.commitAll()
    assert.deepEqual(
      peer.applied().map((txn) => txn.seq),
      [0, 1, 2, 3, 4, 5, 6]
    )
  })
  it("propose large batches in pieces that a message can carry", () => {
    const peer = new Peer({ proposalWindowBytes: 1e9 }).lead()
    const requests = [1, 2, 3, 4, 5].map((seq) => create(SESSION, seq, `/n${seq}`, new Uint8Array(600_000)))
    peer.ask("p", open(1), { _tag: "Writes", requests })
    const sizes = peer.takeProposals().map((batch) => batch.bytes.length)
    assert.isTrue(sizes.length > 1 && sizes.every((size) => size < 2_000_000))
  })
  it("keep what is in flight when the same role is told again", () => {
    const peer = new Peer().lead()
    peer.ask("p", open(1))
    peer.hear(role("leading", 1))
    peer.ask("p", { _tag: "Writes", requests: [create(SESSION, 1, "/a")] })
    assert.deepEqual(
      peer.takeProposals().map((batch) => batch.first),
      [zxid(1, 1), zxid(1, 2)]
    )
  })
  it("have sessions of lost leaders ask again, and drop what made it into the log", () => {
    const peer = new Peer().lead()
    peer.ask("p", open(1))
    peer.commitAll()
    peer.ask("p", { _tag: "Writes", requests: [create(SESSION, 1, "/kept"), create(SESSION, 2, "/lost")] })
    const [batch] = peer.takeProposals()
    // Only the first of the two survives: the epoch ends with it.
    const end = batch!.bytes.length - (batch!.bytes.length >> 1)
    const first: TxnBatch = { first: batch!.first, last: batch!.first, count: 1, bytes: batch!.bytes.subarray(0, end) }
    peer.hear(role("looking", 1), { _tag: "Committed", batch: first }, role("leading", 2))
    peer.step({ _tag: "PrepareOpened", link: "p2" })
    peer.ask("p2", { _tag: "Hello", peer: 1, epoch: 2 })
    peer.ask("p2", { _tag: "Writes", requests: [create(SESSION, 1, "/kept"), create(SESSION, 2, "/lost")] })
    const [again] = peer.takeProposals()
    assert.equal(again?.count, 1)
    assert.equal(again?.first, zxid(2, 1))
  })
  it("sweep containers once a minute", () => {
    const peer = new Peer().lead()
    const container = create(SESSION, 1, "/c", text(""), CreateMode.CONTAINER, OpCode.createContainer)
    peer.ask("p", open(1), {
      _tag: "Writes",
      requests: [container, create(SESSION, 2, "/c/x"), remove(SESSION, 3, "/c/x")]
    })
    peer.commitAll()
    peer.now = 59_999
    peer.step({ _tag: "Tick" })
    assert.deepEqual(peer.takeProposals(), [])
    peer.now = 60_000
    peer.step({ _tag: "Tick" })
    peer.commitAll()
    assert.equal(peer.applied().at(-1)?.type, OpCode.deleteContainer)
  })
})

describe("checkpoints", () => {
  it("are written after so many transactions, one at a time, and told to broadcast when durable", () => {
    const peer = new Peer({ snapCount: 10 })
    const world = history(35)
    peer.step({ _tag: "BroadcastOpened" })
    peer.hear(...committed(world).slice(0, 25))
    assert.equal(peer.checkpoints.length, 1)
    const [first] = peer.checkpoints
    assert.equal(first?.from, 0)
    assert.equal(first?.to, zxid(1, 10))
    peer.hear(...committed(world).slice(25))
    assert.equal(peer.checkpoints.length, 1, "the first is still being written")
    const paths = [...first!.upserted].map((node) => node.path)
    assert.includeMembers(paths, ["/", "/n0", "/n8"])
    assert.notInclude(paths, "/n9")
    peer.step({ _tag: "CheckpointWritten" })
    assert.deepInclude(peer.toBroadcast, { _tag: "Checkpointed", zxid: zxid(1, 10) })
    assert.equal(peer.checkpoints.length, 2)
    assert.equal(peer.checkpoints[1]!.from, zxid(1, 10))
    assert.equal(peer.checkpoints[1]!.to, zxid(1, 36))
  })
  it("are written after a while if anything has changed at all", () => {
    const peer = new Peer()
    peer.step({ _tag: "BroadcastOpened" }, { _tag: "Tick" })
    peer.now = 5000
    peer.step({ _tag: "Tick" })
    assert.equal(peer.checkpoints.length, 0)
    peer.hear(...committed(history(1)))
    peer.step({ _tag: "Tick" })
    assert.equal(peer.checkpoints.length, 1)
  })
})

describe("a tree that is replaced (SNAP)", () => {
  const treeAt = (at: number): Tree => {
    const tree = new Tree()
    tree.zxid = at
    return tree
  }
  it("breaks every link, and takes none until the new one is there", () => {
    const peer = new Peer().lead()
    peer.hear(role("looking", 1), { _tag: "Reload", zxid: zxid(1, 6) })
    assert.equal(peer.reloads, 1)
    assert.sameMembers(peer.broken, ["s", "p"])
    peer.step({ _tag: "StreamOpened", link: "s2" }, { _tag: "PrepareOpened", link: "p2" })
    assert.sameMembers(peer.broken, ["s", "p", "s2", "p2"])
    peer.toBroadcast = []
    peer.step({ _tag: "Loaded", tree: treeAt(zxid(1, 6)) })
    assert.deepEqual(peer.toBroadcast, [{ _tag: "Hello", applied: zxid(1, 6), checkpoint: zxid(1, 6) }])
    peer.step({ _tag: "StreamOpened", link: "s3" })
    assert.equal(peer.streams.get("s3")?.[0]?._tag, "Hello")
  })
  it("lets a checkpoint of the old one fail, and begins none meanwhile", () => {
    const peer = new Peer({ snapCount: 1 })
    peer.step({ _tag: "BroadcastOpened" })
    peer.hear(...committed(history(1)))
    assert.isTrue(peer.core.needsCheckpoint)
    peer.hear({ _tag: "Reload", zxid: zxid(1, 9) })
    assert.isFalse(peer.core.needsCheckpoint)
    peer.step({ _tag: "Loaded", tree: treeAt(zxid(1, 2)) })
    const world = history(3)
    peer.hear(...committed(world).slice(2))
    assert.equal(peer.checkpoints.length, 1)
    peer.step({ _tag: "CheckpointAbandoned" })
    peer.now = 10_000
    peer.step({ _tag: "Tick" })
    assert.equal(peer.checkpoints.length, 2)
    assert.equal(peer.checkpoints[1]!.from, zxid(1, 2))
  })
})
