import { zxid } from "@zkmesh/numbers"
import type { RecoveredLog } from "@zkmesh/zab"
import { describe, expect, it } from "vitest"
import { batch, Script } from "./script.ts"

const propose = (epoch: number, previous: number, from: number, committed = 0) =>
  ({ _tag: "Propose", leader: 1, epoch, previous, committed, batch: batch(epoch, from) }) as const
const commit = (epoch: number, at: number, digest?: { zxid: number; digest: number }) =>
  ({ _tag: "Commit", leader: 1, epoch, zxid: at, digest }) as const

describe("discovery", () => {
  it("makes the epoch durable before it is acknowledged", () => {
    const peer = new Script({}, { acceptedEpoch: 3, currentEpoch: 2, last: zxid(2, 5) })
    expect(peer.elect(1)).toMatchInlineSnapshot(`
      [
        "dial 1",
      ]
    `)
    expect(peer.leaderOpens()).toMatchInlineSnapshot(`
      [
        "leader: FollowerInfo 3 accepted 3",
      ]
    `)
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 4 })).toMatchInlineSnapshot(`
      [
        "disk: SetAcceptedEpoch 4",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 2 2.5",
      ]
    `)
  })

  it("acknowledges an epoch that it had accepted before, without counting; again to the same leader it counts", () => {
    const peer = new Script({}, { acceptedEpoch: 4, currentEpoch: 2 })
    peer.elect(1)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 4 })).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 2 0.0 (not counted)",
      ]
    `)
    peer.leaderBreaks()
    peer.elected(1)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 5 })
    peer.stored()
    peer.leaderBreaks()
    peer.elected(1)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 5 })).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 2 0.0",
      ]
    `)
    // The same epoch from another leader: two of them may have thought of it, and only one can have this promise.
    peer.leaderBreaks()
    peer.elected(2)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 5 })).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 2 0.0 (not counted)",
      ]
    `)
  })

  it("does not take a promise for that of a leader that it left before the disk had it", () => {
    const peer = new Script()
    peer.elect(1)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 1 })
    peer.stored()
    peer.leaderBreaks()
    peer.elected(2)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 2 })
    peer.leaderBreaks()
    peer.stored()
    peer.elected(1)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 2 })).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 0 0.0 (not counted)",
      ]
    `)
  })

  it("looks again when the leader proposes an older epoch, does not answer or cannot be reached", () => {
    const old = new Script({}, { acceptedEpoch: 4 })
    old.elect(1)
    old.leaderOpens()
    expect(old.leader({ _tag: "LeaderInfo", epoch: 3 })).toMatchInlineSnapshot(`
      [
        "note: looking: leader 1 proposes epoch 3, older than 4",
        "break leader: leader 1 proposes epoch 3, older than 4",
        "znode: looking 0 in 0",
        "election: Look 0 0.0",
      ]
    `)
    const mute = new Script()
    mute.elect(1)
    mute.leaderOpens()
    expect(mute.tick(1900)).toEqual([])
    expect(mute.tick(200)).toMatchInlineSnapshot(`
      [
        "note: looking: leader 1 does not answer",
        "break leader: leader 1 does not answer",
        "znode: looking 0 in 0",
        "election: Look 0 0.0",
      ]
    `)
    const absent = new Script()
    absent.elect(1)
    expect(absent.leaderBreaks()).toEqual([])
    expect(absent.tick(100)).toMatchInlineSnapshot(`
      [
        "dial 1",
      ]
    `)
    for (let dial = 0; dial < 3; dial++) {
      absent.leaderBreaks()
      absent.tick(100)
    }
    expect(absent.leaderBreaks()).toMatchInlineSnapshot(`
      [
        "note: looking: the link to leader 1 broke: dead",
        "break leader: the link to leader 1 broke: dead",
        "znode: looking 0 in 0",
        "election: Look 0 0.0",
      ]
    `)
  })
})

describe("synchronisation", () => {
  const standing = (recovered: Partial<RecoveredLog> = {}) => {
    const peer = new Script({}, recovered)
    peer.elect(1, recovered.checkpoint)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 2 })
    peer.stored()
    return peer
  }

  it("log first, epoch second, acknowledgement last (ZOOKEEPER-4643)", () => {
    const peer = standing()
    expect(peer.leader({ _tag: "Diff", after: 0 }, { _tag: "Sync", batch: batch(1, 1, 2) })).toMatchInlineSnapshot(`
      [
        "disk: append 1.1…1.2",
      ]
    `)
    expect(
      peer.leader({ _tag: "Sync", batch: batch(1, 3) }, { _tag: "NewLeader", epoch: 2, last: zxid(1, 3) })
    ).toEqual([])
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: SyncAck 88",
        "disk: append 1.3",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: SyncAck 44",
        "disk: SetCurrentEpoch 2",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: AckNewLeader 2",
      ]
    `)
    expect(peer.leader({ _tag: "UpToDate", committed: zxid(1, 3) })).toMatchInlineSnapshot(`
      [
        "election: Settled following 2",
        "note: following 1 in epoch 2",
        "znode: Committed 1.1…1.2",
        "znode: Committed 1.3",
        "znode: following 1 in 2",
      ]
    `)
  })

  it("keeps what the fan-out brings early, drops what came by Sync as well (ZOOKEEPER-4394)", () => {
    const peer = standing()
    peer.leader({ _tag: "Diff", after: 0 })
    expect(peer.fanOut(propose(2, 0, 1), propose(2, zxid(2, 1), 2), commit(2, zxid(2, 2)))).toEqual([])
    peer.leader({ _tag: "Sync", batch: batch(2, 1) }, { _tag: "NewLeader", epoch: 2, last: zxid(2, 1) })
    peer.stored()
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: AckNewLeader 2",
        "disk: append 2.2",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: Ack 2.2",
      ]
    `)
    expect(peer.leader({ _tag: "UpToDate", committed: zxid(2, 1) })).toMatchInlineSnapshot(`
      [
        "election: Settled following 2",
        "note: following 1 in epoch 2",
        "znode: Committed 2.1",
        "znode: Committed 2.2",
        "znode: following 1 in 2",
      ]
    `)
  })

  it("cuts its log to what the leader has, or to the largest before it, and says where it stands", () => {
    const peer = standing({ acceptedEpoch: 1, currentEpoch: 1, last: zxid(1, 9) })
    expect(peer.leader({ _tag: "Trunc", zxid: zxid(1, 7) })).toMatchInlineSnapshot(`
      [
        "disk: Truncate 1.7",
      ]
    `)
    expect(peer.stored(zxid(1, 6))).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 1 1.6 (not counted)",
      ]
    `)
    expect(peer.leader({ _tag: "Diff", after: zxid(1, 6) })).toEqual([])
  })

  it("stops rather than cut off what it has told its znode", () => {
    const peer = standing({ acceptedEpoch: 1, currentEpoch: 1, checkpoint: zxid(1, 8), last: zxid(1, 9) })
    peer.leader({ _tag: "Trunc", zxid: zxid(1, 7) })
    expect(() => peer.stored(zxid(1, 7))).toThrow("would lose committed 0x100000008")
  })

  it("takes a snapshot, tells the znode to load it, and says where it stands", () => {
    const peer = standing()
    expect(peer.leader({ _tag: "Snap", zxid: zxid(1, 8) })).toMatchInlineSnapshot(`
      [
        "disk: Restore 1.8",
      ]
    `)
    expect(peer.leader({ _tag: "SnapChunk", bytes: new Uint8Array(5), last: false })).toMatchInlineSnapshot(`
      [
        "disk: restore chunk 5",
      ]
    `)
    expect(peer.leader({ _tag: "SnapChunk", bytes: new Uint8Array(0), last: true })).toMatchInlineSnapshot(`
      [
        "disk: RestoreCommit 1.8",
      ]
    `)
    peer.stored()
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: SyncAck 5",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "znode: Reload 1.8",
        "leader: AckEpoch 0 1.8 (not counted)",
      ]
    `)
    expect(peer.znode({ _tag: "Hello", applied: zxid(1, 8), checkpoint: zxid(1, 8) })).toMatchInlineSnapshot(`
      [
        "znode: looking 0 in 0",
      ]
    `)
  })

  it("has the znode load a snapshot of the very tree that it has, for its checkpoints build on another one", () => {
    const peer = standing()
    peer.leader({ _tag: "Snap", zxid: zxid(1, 8) }, { _tag: "SnapChunk", bytes: new Uint8Array(0), last: true })
    peer.stored()
    expect(peer.stored()).toContain("znode: Reload 1.8")
    expect(peer.hello(zxid(1, 8), zxid(1, 3))).toContain("znode: Reload 1.8")
    expect(peer.hello(zxid(1, 8))).not.toContain("znode: Reload 1.8")
  })

  it("forgets half a snapshot when the leader goes (ZOOKEEPER-2872)", () => {
    const peer = standing()
    peer.leader({ _tag: "Snap", zxid: zxid(1, 8) })
    expect(peer.leaderBreaks()).toMatchInlineSnapshot(`
      [
        "note: looking: the link to leader 1 broke: dead",
        "break leader: the link to leader 1 broke: dead",
        "disk: restore abort",
        "znode: looking 0 in 0",
        "election: Stop",
      ]
    `)
    peer.stored()
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "election: Look 0 0.0",
      ]
    `)
  })
})

describe("broadcast", () => {
  const following = () => {
    const peer = new Script()
    peer.follow(1)
    return peer
  }

  it("acknowledges what is durable, cumulatively, and delivers what is committed as well", () => {
    const peer = following()
    expect(peer.fanOut(propose(1, 0, 1), propose(1, zxid(1, 1), 2))).toMatchInlineSnapshot(`
      [
        "disk: append 1.1…1.2",
      ]
    `)
    expect(peer.fanOut(propose(1, zxid(1, 2), 3), commit(1, zxid(1, 1)))).toEqual([])
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: Ack 1.2",
        "disk: append 1.3",
        "znode: Committed 1.1",
      ]
    `)
    expect(peer.fanOut(commit(1, zxid(1, 3)))).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.2",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: Ack 1.3",
        "znode: Committed 1.3",
      ]
    `)
  })

  it("delivers what a proposal says is committed", () => {
    const peer = following()
    peer.fanOut(propose(1, 0, 1))
    peer.stored()
    expect(peer.fanOut(propose(1, zxid(1, 1), 2, zxid(1, 1)))).toEqual(["disk: append 1.2", "znode: Committed 1.1"])
  })

  describe("spared by the leader", () => {
    const lone = (previous: number, from: number) => ({ ...propose(1, previous, from, previous), spared: [2, 3] })
    const peerWithOne = () => {
      const peer = new Script()
      peer.follow(1)
      expect(peer.fanOut(lone(0, 1))).toEqual(["linger with the append"])
      return peer
    }

    it("appends several at a time, after a moment", () => {
      const peer = peerWithOne()
      expect(peer.fanOut(lone(zxid(1, 1), 2))).toEqual([])
      expect(peer.pass({ _tag: "Lingered" })).toEqual(["disk: append 1.1…1.2"])
      expect(peer.stored()).toEqual(["leader: Ack 1.2", "znode: Committed 1.1"])
    })

    it("appends at once when nothing more is on its way", () => {
      expect(peerWithOne().fanOut(commit(1, zxid(1, 1)))).toEqual(["disk: append 1.1"])
    })

    it("appends at once with a proposal that needs its word", () => {
      expect(peerWithOne().fanOut(propose(1, zxid(1, 1), 2))).toEqual(["disk: append 1.1…1.2"])
      expect(peerWithOne().fanOut({ ...lone(zxid(1, 1), 2), spared: [1] })).toEqual(["disk: append 1.1…1.2"])
    })
  })

  describe("needed by a lone writer", () => {
    const lone = (previous: number, from: number) => ({ ...propose(1, previous, from, previous), spared: [2] })
    const peerWithTwo = () => {
      const peer = new Script()
      peer.follow(1)
      expect(peer.fanOut(lone(0, 1))).toEqual(["disk: append 1.1"])
      expect(peer.stored()).toEqual(["leader: Ack 1.1", "linger with the delivery"])
      peer.pass({ _tag: "Lingered" })
      expect(peer.fanOut(lone(zxid(1, 1), 2))).toEqual(["disk: append 1.2"])
      return peer
    }

    it("delivers what came committed once its word has left", () => {
      const peer = peerWithTwo()
      expect(peer.stored()).toEqual(["leader: Ack 1.2", "linger with the delivery"])
      expect(peer.pass({ _tag: "Lingered" })).toEqual(["znode: Committed 1.1"])
      expect(peer.fanOut(commit(1, zxid(1, 2)))).toEqual(["znode: Committed 1.2"])
    })

    it("delivers it at the next tick if the database stalls", () => {
      expect(peerWithTwo().tick(25)).toEqual(["znode: Committed 1.1"])
    })

    it("delivers it at once when others write, too", () => {
      expect(peerWithTwo().fanOut(propose(1, zxid(1, 2), 3))).toEqual(["znode: Committed 1.1"])
    })
  })

  describe("whose clients alone wait", () => {
    const lone = (previous: number, from: number) => ({ ...propose(1, previous, from, previous), spared: [2] })
    const suffices = (counter: number) => ({ _tag: "Suffices", zxid: zxid(1, counter) }) as const

    it("commits with its own word, be it the last of the quorum's or not", () => {
      const peer = following()
      peer.fanOut(lone(0, 1))
      expect(peer.leader(suffices(1))).toEqual([])
      expect(peer.stored()).toEqual(["leader: Ack 1.1", "znode: Committed 1.1"])
      peer.fanOut(lone(zxid(1, 1), 2))
      expect(peer.stored()).toEqual(["leader: Ack 1.2", "linger with the delivery"])
      expect(peer.leader(suffices(2))).toEqual(["znode: Committed 1.2"])
    })

    it("commits no more than it has itself, and no more than the others have", () => {
      const peer = following()
      peer.fanOut(propose(1, 0, 1))
      peer.fanOut(propose(1, zxid(1, 1), 2), propose(1, zxid(1, 2), 3))
      expect(peer.leader(suffices(2))).toEqual([])
      expect(peer.stored()).toEqual(["leader: Ack 1.1", "disk: append 1.2…1.3", "znode: Committed 1.1"])
      expect(peer.stored()).toEqual(["leader: Ack 1.3", "znode: Committed 1.2"])
    })

    it("takes no such word for a reign that is over", () => {
      const peer = following()
      peer.fanOut(lone(0, 1))
      peer.leader(suffices(1))
      peer.leaderBreaks()
      expect(peer.stored()).toEqual(["election: Look 1 1.1"])
      peer.elected(1)
      expect(peer.leader(suffices(1))).toEqual([])
    })
  })

  it("takes nothing from anybody but its leader in its epoch", () => {
    const peer = following()
    expect(peer.fanOut({ ...propose(1, 0, 1), leader: 2 }, propose(2, 0, 1), commit(2, zxid(2, 1)))).toEqual([])
  })

  it("looks again at a hole, whether a proposal or a commit shows it", () => {
    const peer = following()
    expect(peer.fanOut(propose(1, zxid(1, 1), 2))).toMatchInlineSnapshot(`
      [
        "note: looking: a proposal follows 0x100000001, but the log ends at 0x0",
        "break leader: a proposal follows 0x100000001, but the log ends at 0x0",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
    const other = following()
    expect(other.fanOut(commit(1, zxid(1, 1)))).toMatchInlineSnapshot(`
      [
        "note: looking: 0x100000001 is committed, but the log ends at 0x0",
        "break leader: 0x100000001 is committed, but the log ends at 0x0",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
  })

  it("looks again when the leader is silent; a commit repeated is a sign of life", () => {
    const peer = following()
    peer.tick(4000)
    peer.fanOut(commit(1, 0))
    expect(peer.tick(4000)).toMatchInlineSnapshot(`
      [
        "leader: Ack 0.0",
      ]
    `)
    expect(peer.tick(1100)).toMatchInlineSnapshot(`
      [
        "leader: Ack 0.0",
        "note: looking: leader 1 has been silent for 5100 ms",
        "break leader: leader 1 has been silent for 5100 ms",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
  })

  it("tells the znode the leader's digest", () => {
    const peer = following()
    peer.fanOut(propose(1, 0, 1))
    peer.stored()
    expect(peer.fanOut(commit(1, zxid(1, 1), { zxid: zxid(1, 1), digest: 7 }))).toMatchInlineSnapshot(`
      [
        "znode: Digest of 1.1",
        "znode: Committed 1.1",
      ]
    `)
  })

  it("feeds a znode that has come back, from the log where memory does not reach", () => {
    const peer = new Script({ windowBytes: 50 })
    peer.follow(1)
    peer.fanOut(propose(1, 0, 1))
    peer.stored()
    peer.fanOut(propose(1, zxid(1, 1), 2), commit(1, zxid(1, 2)))
    peer.stored()
    peer.znodeBreaks()
    expect(peer.hello()).toMatchInlineSnapshot(`
      [
        "disk: read after 0.0",
      ]
    `)
    expect(peer.read(batch(1, 1))).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.1",
        "znode: Committed 1.2",
        "znode: following 1 in 1",
      ]
    `)
  })

  it("keeps to the znode's window", () => {
    const peer = new Script({ znodeWindowBytes: 80 })
    peer.follow(1)
    peer.fanOut(propose(1, 0, 1), propose(1, zxid(1, 1), 2), propose(1, zxid(1, 2), 3), commit(1, zxid(1, 3)))
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "leader: Ack 1.3",
        "znode: Committed 1.1",
        "znode: Committed 1.2",
      ]
    `)
    expect(peer.znode({ _tag: "Applied", zxid: zxid(1, 1), digest: undefined })).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.3",
      ]
    `)
  })
})

describe("observer", () => {
  it("appends on commit and acknowledges nothing", () => {
    const peer = new Script({ sid: 4 })
    peer.follow(1)
    expect(peer.fanOut(propose(1, 0, 1), propose(1, zxid(1, 1), 2))).toEqual([])
    expect(peer.fanOut(commit(1, zxid(1, 1)))).toMatchInlineSnapshot(`
      [
        "disk: append 1.1",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.1",
      ]
    `)
  })
})

describe("looking", () => {
  it("gives the znode time to load its tree at the start, but not for ever", () => {
    const peer = new Script()
    expect(peer.pass({ _tag: "ElectionOpened" })).toEqual([])
    expect(peer.tick(4900)).toEqual([])
    expect(peer.tick(200)).toMatchInlineSnapshot(`
      [
        "election: Look 0 0.0",
      ]
    `)
  })

  it("offers nothing while its znode is away, and all it has when it is back", () => {
    const peer = new Script({}, { currentEpoch: 1, acceptedEpoch: 1, last: zxid(1, 3) })
    peer.elect(1)
    peer.znodeBreaks()
    peer.leaderOpens()
    expect(peer.leaderBreaks()).toMatchInlineSnapshot(`
      [
        "note: looking: the link to leader 1 broke: dead",
        "break leader: the link to leader 1 broke: dead",
        "election: Look 0 0.0",
      ]
    `)
    expect(peer.hello()).toMatchInlineSnapshot(`
      [
        "znode: looking 0 in 1",
        "election: Look 1 1.3",
      ]
    `)
  })

  it("asks again when the election service has started anew", () => {
    const peer = new Script()
    peer.pass({ _tag: "ElectionOpened" })
    expect(peer.hello()).toMatchInlineSnapshot(`
      [
        "znode: looking 0 in 0",
        "election: Look 0 0.0",
      ]
    `)
    expect(peer.pass({ _tag: "ElectionBroken" }, { _tag: "ElectionOpened" })).toMatchInlineSnapshot(`
      [
        "election: Look 0 0.0",
      ]
    `)
  })

  it("goes on as it is when the election service has started anew, and tells it so", () => {
    const peer = new Script()
    peer.follow(1)
    expect(peer.pass({ _tag: "ElectionBroken" }, { _tag: "ElectionOpened" })).toMatchInlineSnapshot(`
      [
        "election: Settled following 1",
      ]
    `)
    expect(peer.peer.role).toBe("following")
  })
})
