import { zxid } from "@zkmesh/numbers"
import { describe, expect, it } from "vitest"
import { batch, Script } from "./script.ts"

const followerInfo = (sid: number, acceptedEpoch = 0, observer = false) =>
  ({ _tag: "FollowerInfo", sid, acceptedEpoch, observer }) as const
const ackEpoch = (currentEpoch: number, lastZxid: number, counts = true) =>
  ({ _tag: "AckEpoch", currentEpoch, lastZxid, counts }) as const
const propose = (epoch: number, from: number, to = from) =>
  ({ _tag: "Propose", epoch, batch: batch(epoch, from, to) }) as const

describe("discovery", () => {
  it("takes an epoch beyond all that a quorum has accepted, on disk before it is told", () => {
    const peer = new Script({}, { acceptedEpoch: 4, currentEpoch: 4 })
    expect(peer.elect(3)).toMatchInlineSnapshot(`[]`)
    peer.learnerOpens(1)
    expect(peer.learner(1, followerInfo(1, 6))).toMatchInlineSnapshot(`
      [
        "disk: SetAcceptedEpoch 7",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "learner #1: LeaderInfo 7",
      ]
    `)
    expect(peer.learner(1, ackEpoch(3, 0))).toMatchInlineSnapshot(`
      [
        "disk: SetCurrentEpoch 7",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "learner #1: Diff after 0.0",
        "learner #1: NewLeader 7 0.0",
      ]
    `)
    expect(peer.learner(1, { _tag: "AckNewLeader", epoch: 7 })).toMatchInlineSnapshot(`
      [
        "election: Settled leading 7",
        "note: leading in epoch 7 from 0x0",
        "learner #1: UpToDate 0.0",
        "all: Commit 0.0",
        "znode: leading 3 in 7",
      ]
    `)
  })

  it("holds a learner that comes before this peer knows that it leads", () => {
    const peer = new Script()
    peer.pass({ _tag: "ElectionOpened" })
    peer.hello()
    peer.learnerOpens(1)
    expect(peer.learner(1, followerInfo(1))).toEqual([])
    expect(peer.elected(3)).toMatchInlineSnapshot(`
      [
        "disk: SetAcceptedEpoch 1",
      ]
    `)
  })

  it("sends an early learner away if somebody else leads", () => {
    const peer = new Script()
    peer.learnerOpens(1)
    expect(peer.elect(2)).toMatchInlineSnapshot(`
      [
        "dial 2",
        "break learner #1: not leading: following 2",
      ]
    `)
  })

  it("does not count an epoch that was accepted before", () => {
    const peer = new Script()
    peer.elect(3)
    peer.learnerOpens(1)
    peer.learner(1, followerInfo(1))
    peer.stored()
    expect(peer.learner(1, ackEpoch(0, 0, false))).toEqual([])
    peer.learnerOpens(2)
    peer.learner(2, followerInfo(2))
    expect(peer.learner(2, ackEpoch(0, 0))).toMatchInlineSnapshot(`
      [
        "disk: SetCurrentEpoch 1",
      ]
    `)
  })

  it("gives way when too many have a better history", () => {
    const peer = new Script({}, { acceptedEpoch: 2, currentEpoch: 2, last: zxid(2, 5) })
    peer.elect(3)
    peer.learnerOpens(1)
    peer.learner(1, followerInfo(1, 2))
    peer.stored()
    expect(peer.learner(1, ackEpoch(2, zxid(2, 6)))).toMatchInlineSnapshot(`
      [
        "note: learner 1 is sent away: it is ahead: epoch 2, 0x200000006",
        "break learner #1: it is ahead: epoch 2, 0x200000006",
      ]
    `)
    peer.learnerOpens(2)
    peer.learner(2, followerInfo(2, 2))
    expect(peer.learner(2, ackEpoch(3, 0))).toMatchInlineSnapshot(`
      [
        "note: learner 2 is sent away: it is ahead: epoch 3, 0x0",
        "break learner #2: it is ahead: epoch 3, 0x0",
        "note: looking: epoch 3 finds no quorum",
        "znode: looking 0 in 2",
        "election: Look 2 2.5",
      ]
    `)
  })

  it("gives way to a voter that has promised more than it can be offered", () => {
    const peer = new Script()
    peer.lead()
    peer.learnerOpens(2)
    expect(peer.learner(2, followerInfo(2, 9))).toMatchInlineSnapshot(`
      [
        "note: looking: server 2 has accepted epoch 9, beyond 1",
        "break learner #1: server 2 has accepted epoch 9, beyond 1",
        "break learner #2: server 2 has accepted epoch 9, beyond 1",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
  })

  it("waits for a quorum of learners, but not for ever", () => {
    const peer = new Script()
    peer.elect(3)
    expect(peer.tick(900)).toEqual([])
    expect(peer.tick(200)).toMatchInlineSnapshot(`
      [
        "note: looking: no quorum of learners has come",
        "znode: looking 0 in 0",
        "election: Look 0 0.0",
      ]
    `)
  })
})

describe("synchronisation", () => {
  const leading = () => {
    const peer = new Script({ sid: 3 }, { acceptedEpoch: 1, currentEpoch: 1 })
    peer.lead()
    peer.znode(propose(2, 1, 3))
    peer.stored()
    peer.learner(1, { _tag: "Ack", zxid: zxid(2, 3) })
    peer.learnerOpens(2)
    peer.learner(2, followerInfo(2))
    return peer
  }

  it("joins a learner with all that it lacks, NewLeader and the fan-out in one step", () => {
    const peer = leading()
    peer.znode(propose(2, 4))
    expect(peer.learner(2, ackEpoch(1, zxid(2, 1)))).toMatchInlineSnapshot(`
      [
        "learner #2: Diff after 2.1",
        "learner #2: Sync 2.2…2.3",
        "learner #2: Sync 2.4",
        "learner #2: NewLeader 2 2.4",
      ]
    `)
    expect(peer.learner(2, { _tag: "AckNewLeader", epoch: 2 })).toMatchInlineSnapshot(`
      [
        "learner #2: UpToDate 2.3",
      ]
    `)
  })

  it("tells a learner to cut what this history does not have, and asks again where it stands", () => {
    const peer = leading()
    expect(peer.learner(2, ackEpoch(2, zxid(2, 9)))).toMatchInlineSnapshot(`
      [
        "learner #2: Trunc 2.3",
      ]
    `)
    // It had neither 2.3: the largest that it has is 2.2.
    expect(peer.learner(2, ackEpoch(2, zxid(2, 2), false))).toMatchInlineSnapshot(`
      [
        "learner #2: Diff after 2.2",
        "learner #2: Sync 2.3",
        "learner #2: NewLeader 2 2.3",
      ]
    `)
  })

  it("reads the log for a learner behind the window, and sends no more than its window", () => {
    const recovered = { acceptedEpoch: 1, currentEpoch: 1, last: zxid(1, 6) }
    const peer = new Script({ syncWindowBytes: 100 }, recovered)
    peer.lead(zxid(1, 6))
    peer.learnerOpens(2)
    peer.learner(2, followerInfo(2))
    expect(peer.learner(2, ackEpoch(1, zxid(1, 1)))).toMatchInlineSnapshot(`
      [
        "disk: Find 1.1",
      ]
    `)
    expect(peer.found(zxid(1, 1))).toMatchInlineSnapshot(`
      [
        "learner #2: Diff after 1.1",
        "disk: read after 1.1",
      ]
    `)
    expect(peer.read(batch(1, 2, 5))).toMatchInlineSnapshot(`
      [
        "learner #2: Sync 1.2…1.5",
      ]
    `)
    expect(peer.learner(2, { _tag: "SyncAck", bytes: 4 * 44 })).toMatchInlineSnapshot(`
      [
        "disk: read after 1.5",
      ]
    `)
    expect(peer.read(batch(1, 6))).toMatchInlineSnapshot(`
      [
        "learner #2: Sync 1.6",
        "learner #2: NewLeader 2 1.6",
      ]
    `)
  })

  it("gives the checkpoint to a learner that the log does not reach, then the rest", () => {
    const recovered = { acceptedEpoch: 1, currentEpoch: 1, checkpoint: zxid(1, 4), floor: zxid(1, 3), last: zxid(1, 5) }
    const peer = new Script({}, recovered)
    peer.lead(zxid(1, 4))
    peer.read(batch(1, 5))
    peer.learnerOpens(2)
    peer.learner(2, followerInfo(2))
    expect(peer.learner(2, ackEpoch(0, 0))).toMatchInlineSnapshot(`
      [
        "disk: Find 0.0",
      ]
    `)
    expect(peer.found(undefined)).toMatchInlineSnapshot(`
      [
        "disk: OpenSnapshot for 2",
      ]
    `)
    expect(peer.snapshotOpened(zxid(1, 4))).toMatchInlineSnapshot(`
      [
        "learner #2: Snap 1.4",
        "disk: ReadSnapshot for 2",
      ]
    `)
    expect(peer.snapshotRead(new Uint8Array(7), false)).toMatchInlineSnapshot(`
      [
        "learner #2: SnapChunk 7",
        "disk: ReadSnapshot for 2",
      ]
    `)
    expect(peer.snapshotRead(new Uint8Array(2), true)).toMatchInlineSnapshot(`
      [
        "learner #2: SnapChunk 2 last",
        "disk: CloseSnapshot for 2",
      ]
    `)
    expect(peer.learner(2, ackEpoch(0, zxid(1, 4), false))).toMatchInlineSnapshot(`
      [
        "disk: Find 1.4",
      ]
    `)
    expect(peer.found(zxid(1, 4))).toMatchInlineSnapshot(`
      [
        "learner #2: Diff after 1.4",
        "disk: read after 1.4",
      ]
    `)
    expect(peer.read(batch(1, 5))).toMatchInlineSnapshot(`
      [
        "learner #2: Sync 1.5",
        "learner #2: NewLeader 2 1.5",
      ]
    `)
  })

  it("sends away a learner whose synchronisation does not move", () => {
    const peer = leading()
    peer.learner(2, ackEpoch(1, zxid(2, 1)))
    for (let at = 0; at < 10; at++) {
      peer.tick(1000)
      peer.learner(1, { _tag: "Ack", zxid: zxid(2, 3) })
    }
    expect(peer.tick(1000)).toMatchInlineSnapshot(`
      [
        "note: learner 2 is sent away: its synchronisation does not move",
        "break learner #2: its synchronisation does not move",
        "all: Commit 2.3",
      ]
    `)
  })
})

describe("broadcast", () => {
  it("publishes and appends in parallel; what queues behind an append leaves as one", () => {
    const peer = new Script()
    peer.lead()
    expect(peer.znode(propose(1, 1))).toMatchInlineSnapshot(`
      [
        "all: Propose 1.1 after 0.0",
        "disk: append 1.1",
      ]
    `)
    expect(peer.znode(propose(1, 2, 3))).toMatchInlineSnapshot(`
      [
        "all: Propose 1.2…1.3 after 1.1",
      ]
    `)
    expect(peer.znode(propose(1, 4))).toMatchInlineSnapshot(`
      [
        "all: Propose 1.4 after 1.3",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "disk: append 1.2…1.4",
      ]
    `)
    expect(peer.learner(1, { _tag: "Ack", zxid: zxid(1, 3) })).toMatchInlineSnapshot(`
      [
        "all: Commit 1.1",
        "znode: Committed 1.1",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "all: Commit 1.3",
        "znode: Committed 1.2…1.3",
      ]
    `)
  })

  it("commits on a quorum without its own disk, but delivers only what it has itself", () => {
    const peer = new Script()
    peer.lead()
    peer.join(2, 2)
    peer.znode(propose(1, 1))
    peer.learner(1, { _tag: "Ack", zxid: zxid(1, 1) })
    expect(peer.learner(2, { _tag: "Ack", zxid: zxid(1, 1) })).toMatchInlineSnapshot(`
      [
        "all: Commit 1.1",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.1",
      ]
    `)
  })

  it("lets a commit that nobody elsewhere waits for ride with the next proposal, or go after a moment", () => {
    const peer = new Script()
    peer.lead()
    peer.join(2, 2)
    const patient = (counter: number) => ({ ...propose(1, counter), waiter: 0 })
    // Two learners are a quorum without the own disk, which this leader never hears of.
    const acknowledged = (counter: number) => {
      peer.learner(1, { _tag: "Ack", zxid: zxid(1, counter) })
      return peer.learner(2, { _tag: "Ack", zxid: zxid(1, counter) })
    }
    peer.znode(patient(1))
    expect(acknowledged(1)).toEqual(["linger with the commit"])
    expect(peer.znode(patient(2))).toEqual(["all: Propose 1.2 after 1.1, 1.1 is committed, sparing 2"])
    expect(peer.pass({ _tag: "Lingered" })).toEqual([])
    expect(acknowledged(2)).toEqual(["linger with the commit"])
    expect(peer.pass({ _tag: "Lingered" })).toEqual(["all: Commit 1.2"])
    // One that has come late into another one's wait begins its own, once.
    peer.znode(patient(3))
    expect(acknowledged(3)).toEqual(["linger with the commit"])
    peer.znode(patient(4))
    expect(acknowledged(4)).toEqual([])
    expect(peer.pass({ _tag: "Lingered" })).toEqual(["linger with the commit"])
    peer.znode(patient(5))
    expect(peer.pass({ _tag: "Lingered" })).toEqual([])
    expect(acknowledged(5)).toEqual(["linger with the commit"])
    expect(peer.pass({ _tag: "Lingered" })).toEqual(["all: Commit 1.5"])
    // One that somebody waits for takes the others along at once.
    peer.znode(patient(6))
    peer.znode(propose(1, 7))
    expect(acknowledged(6)).toEqual(["all: Commit 1.6"])
    expect(acknowledged(7)).toEqual(["all: Commit 1.7"])
  })

  describe("with nothing else under way", () => {
    const lone = (counter: number, waiter: number) => ({ ...propose(1, counter), waiter })
    const ack = (counter: number) => ({ _tag: "Ack", zxid: zxid(1, counter) }) as const
    const sole = (output: Array<string>) => output.filter((line) => line.startsWith("all: Propose"))

    it("spares the voters beyond a quorum: whoever waits is in it, then whoever was the first to acknowledge", () => {
      const peer = new Script()
      peer.lead()
      peer.join(2, 2)
      expect(sole(peer.znode(lone(1, 2)))).toEqual(["all: Propose 1.1 after 0.0, sparing 1"])
      peer.stored()
      peer.learner(2, ack(1))
      expect(sole(peer.znode(lone(2, 0)))).toEqual(["all: Propose 1.2 after 1.1, 1.1 is committed, sparing 1"])
      // The one that was counted on is slow, and the other one has it first.
      peer.stored()
      peer.learner(1, ack(2))
      peer.learner(2, ack(2))
      expect(sole(peer.znode(lone(3, 0)))).toEqual(["all: Propose 1.3 after 1.2, 1.2 is committed, sparing 2"])
    })

    it("and spares nobody while there is, nor whom it needs", () => {
      const peer = new Script()
      peer.lead()
      expect(sole(peer.znode(lone(1, 0)))).toEqual(["all: Propose 1.1 after 0.0"])
      peer.stored()
      peer.learner(1, ack(1))
      peer.join(2, 2)
      expect(sole(peer.znode(lone(2, 0)))).toEqual(["all: Propose 1.2 after 1.1, 1.1 is committed, sparing 2"])
      expect(sole(peer.znode(lone(3, 0)))).toEqual(["all: Propose 1.3 after 1.2, 1.1 is committed"])
      peer.stored()
      peer.stored()
      peer.learner(1, ack(3))
      peer.learnerBreaks(2)
      expect(sole(peer.znode(lone(4, 0)))).toEqual(["all: Propose 1.4 after 1.3, 1.3 is committed"])
    })
  })

  describe("when one learner's clients alone wait", () => {
    const lone = (counter: number, waiter: number) => ({ ...propose(1, counter), waiter })
    const ack = (counter: number) => ({ _tag: "Ack", zxid: zxid(1, counter) }) as const
    const leading = (sids: ReadonlyArray<number>, size = 3) => {
      const peer = new Script({ voters: Array.from({ length: size }, (_, i) => i + 1) })
      peer.elect(3)
      sids.forEach((sid, i) => {
        peer.learnerOpens(i + 1)
        peer.learner(i + 1, { _tag: "FollowerInfo", sid, acceptedEpoch: 0, observer: false })
      })
      peer.stored()
      for (const link of sids.keys()) {
        peer.learner(link + 1, { _tag: "AckEpoch", currentEpoch: 0, lastZxid: 0, counts: true })
      }
      peer.stored()
      for (const link of sids.keys()) peer.learner(link + 1, { _tag: "AckNewLeader", epoch: 1 })
      return peer
    }

    it("tells it that its own word will do, and the others with what comes next", () => {
      const peer = leading([1, 2])
      peer.znode(lone(1, 2))
      expect(peer.stored()).toEqual(["learner #2: Suffices 1.1"])
      expect(peer.learner(2, ack(1))).toEqual(["linger with the commit", "znode: Committed 1.1"])
      expect(peer.pass({ _tag: "Lingered" })).toEqual(["all: Commit 1.1"])
    })

    it("tells it alone even if its word has come before", () => {
      const peer = leading([1, 2])
      peer.znode(lone(1, 2))
      expect(peer.learner(2, ack(1))).toEqual([])
      expect(peer.stored()).toEqual(["learner #2: Suffices 1.1", "linger with the commit", "znode: Committed 1.1"])
    })

    it("of five, once another one has it, too", () => {
      const peer = leading([1, 2, 4, 5], 5)
      peer.znode(lone(1, 2))
      expect(peer.stored()).toEqual([])
      expect(peer.learner(4, ack(1))).toEqual(["learner #2: Suffices 1.1"])
    })

    it("tells everybody as ever if others write meanwhile, or if it has gone", () => {
      const busy = leading([1, 2])
      busy.znode(lone(1, 2))
      busy.znode(lone(2, 1))
      expect(busy.stored()).toEqual(["disk: append 1.2"])
      expect(busy.learner(2, ack(1))).toEqual(["all: Commit 1.1", "znode: Committed 1.1"])
      const left = leading([1, 2])
      left.znode(lone(1, 2))
      left.learnerBreaks(2)
      expect(left.stored()).toEqual([])
      expect(left.learner(1, ack(1))).toEqual(["all: Commit 1.1", "znode: Committed 1.1"])
    })
  })

  it("sends the znode's digest with the next commit", () => {
    const peer = new Script()
    peer.lead()
    peer.znode(propose(1, 1))
    peer.stored()
    peer.learner(1, { _tag: "Ack", zxid: zxid(1, 1) })
    peer.znode({ _tag: "Applied", zxid: zxid(1, 1), digest: { zxid: zxid(1, 1), digest: 42 } })
    peer.znode(propose(1, 2))
    peer.stored()
    expect(peer.learner(1, { _tag: "Ack", zxid: zxid(1, 2) })).toMatchInlineSnapshot(`
      [
        "all: Commit 1.2 digest of 1.1",
        "znode: Committed 1.2",
      ]
    `)
  })

  it("steps down at once when its quorum or its znode has gone", () => {
    const one = new Script()
    one.lead()
    expect(one.learnerBreaks(1)).toMatchInlineSnapshot(`
      [
        "note: learner 1 has gone: dead",
        "note: looking: a quorum of learners has gone",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
    const other = new Script()
    other.lead()
    expect(other.znodeBreaks()).toMatchInlineSnapshot(`
      [
        "note: looking: the znode has gone: what it had prepared is lost",
        "break learner #1: the znode has gone: what it had prepared is lost",
        "election: Look 0 0.0",
      ]
    `)
    expect(other.hello()).toMatchInlineSnapshot(`
      [
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
  })

  it("waits for its disk before it looks, and forgets what it had not begun to write", () => {
    const peer = new Script()
    peer.lead()
    peer.znode(propose(1, 1))
    peer.znode(propose(1, 2))
    expect(peer.learnerBreaks(1)).toMatchInlineSnapshot(`
      [
        "note: learner 1 has gone: dead",
        "note: looking: a quorum of learners has gone",
        "znode: looking 0 in 1",
        "election: Stop",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "election: Look 1 1.1",
      ]
    `)
  })

  it("steps down when the quorum is silent, and sends away who does not keep up", () => {
    const silent = new Script()
    silent.lead()
    for (let at = 0; at < 5; at++) silent.tick(1000)
    expect(silent.tick(1000)).toMatchInlineSnapshot(`
      [
        "note: learner 1 is sent away: silent for 6000 ms",
        "break learner #1: silent for 6000 ms",
        "all: Commit 0.0",
        "note: looking: a quorum of learners has gone",
        "znode: looking 0 in 1",
        "election: Look 1 0.0",
      ]
    `)
    const slow = new Script()
    slow.lead()
    slow.join(2, 2)
    slow.znode(propose(1, 1))
    slow.stored()
    for (let at = 0; at < 6; at++) {
      slow.tick(1000)
      slow.learner(1, { _tag: "Ack", zxid: zxid(1, 1) })
      slow.learner(2, { _tag: "Ack", zxid: 0 })
    }
    expect(slow.tick(1000)).toMatchInlineSnapshot(`
      [
        "note: learner 2 is sent away: it does not keep up",
        "break learner #2: it does not keep up",
        "all: Commit 1.1",
      ]
    `)
  })

  it("stops on a proposal with a hole, drops one of another reign, gives up a used-up epoch", () => {
    const peer = new Script({ counterLimit: 2 })
    peer.lead()
    expect(() => peer.znode(propose(1, 2))).toThrow("expected 0x100000001")
    expect(peer.znode(propose(0, 7))).toEqual([])
    peer.znode(propose(1, 1))
    peer.stored()
    peer.learner(1, { _tag: "Ack", zxid: zxid(1, 1) })
    expect(peer.znode(propose(1, 2, 3))).toMatchInlineSnapshot(`
      [
        "note: looking: epoch 1 has no zxids left",
        "break learner #1: epoch 1 has no zxids left",
        "znode: looking 0 in 1",
        "election: Look 1 1.1",
      ]
    `)
  })
})

describe("one voter", () => {
  it("is a quorum", () => {
    const peer = new Script({ voters: [3] }, { acceptedEpoch: 1, currentEpoch: 1, last: zxid(1, 2) })
    expect(peer.elect(3)).toMatchInlineSnapshot(`
      [
        "disk: SetAcceptedEpoch 2",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "disk: SetCurrentEpoch 2",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "election: Settled leading 2",
        "note: leading in epoch 2 from 0x100000002",
        "all: Commit 1.2",
        "disk: read after 0.0",
      ]
    `)
    expect(peer.read(batch(1, 1, 2))).toMatchInlineSnapshot(`
      [
        "znode: Committed 1.1…1.2",
        "znode: leading 3 in 2",
      ]
    `)
    expect(peer.znode(propose(2, 1))).toMatchInlineSnapshot(`
      [
        "all: Propose 2.1 after 1.2, 1.2 is committed",
        "disk: append 2.1",
      ]
    `)
    expect(peer.stored()).toMatchInlineSnapshot(`
      [
        "all: Commit 2.1",
        "znode: Committed 2.1",
      ]
    `)
  })
})
