/** A peer whose log was lost: what it is told counts, what it says does not. */
import { zxid } from "@zkmesh/numbers"
import { describe, expect, it } from "vitest"
import { Script } from "./script.ts"

const lost = { acceptedEpoch: 4, currentEpoch: 3, rebuilding: true } as const
const rebuilding = (sid: number, acceptedEpoch = 0) =>
  ({ _tag: "FollowerInfo", sid, acceptedEpoch, observer: false, rebuilding: true }) as const
const followerInfo = (sid: number) => ({ _tag: "FollowerInfo", sid, acceptedEpoch: 0, observer: false }) as const
const ackEpoch = (lastZxid: number) => ({ _tag: "AckEpoch", currentEpoch: 0, lastZxid, counts: true }) as const

describe("a peer that has lost its log", () => {
  it("looks without a vote, and does not lead though it be elected", () => {
    const peer = new Script({}, lost)
    peer.pass({ _tag: "ElectionOpened" })
    peer.peer.step(0, { _tag: "ZnodeOpened", link: 1 })
    peer.peer.step(0, { _tag: "FromZnode", link: 1, message: { _tag: "Hello", applied: 0, checkpoint: 0 } })
    expect(peer.peer.flush()).toContainEqual({
      _tag: "ToElection",
      message: { _tag: "Look", zxid: 0, currentEpoch: 0, voteless: true }
    })
    peer.elected(3)
    expect(peer.peer.role).toBe("looking")
  })

  it("votes again once an established leader has given it everything, and its store knows", () => {
    const peer = new Script({}, lost)
    peer.elect(1)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 5 })
    peer.stored()
    expect(peer.leader({ _tag: "Diff", after: 0 }, { _tag: "NewLeader", epoch: 5, last: 0 })).toEqual([
      "disk: SetCurrentEpoch 5"
    ])
    expect(peer.stored()).toEqual(["leader: AckNewLeader 5"])
    expect(peer.leader({ _tag: "UpToDate", committed: 0 })).toContain("disk: SetRebuilt")
    expect(peer.peer.role).toBe("observing")
    const after = peer.stored()
    expect(after).toContain("note: looking: its log is whole again: it votes")
    expect(after).toContain("election: Look 5 0.0")
    peer.elected(1)
    expect(peer.leaderOpens()).toEqual(["leader: FollowerInfo 3 accepted 5"])
    expect(peer.peer.role).toBe("following")
  })

  it("has no vote while that is on its way to the disk, whatever else happens", () => {
    const peer = new Script({}, lost)
    peer.follow(5)
    expect(peer.leaderBreaks().some((line) => line.startsWith("election: Look"))).toBe(false)
    expect(peer.stored()).toContain("election: Look 5 0.0")
  })

  it("does not follow a leader of an epoch before the one that it had logged", () => {
    const peer = new Script({}, lost)
    peer.elect(1)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 2 })[0]).toBe(
      "note: looking: leader 1 proposes epoch 2, older than 3"
    )
  })

  it("lets its znode forget what only the lost log had", () => {
    const peer = new Script({}, lost)
    peer.pass({ _tag: "ElectionOpened" })
    expect(peer.hello(zxid(3, 7)).some((line) => line.includes("Reload"))).toBe(true)
  })
})

describe("a leader", () => {
  it("counts neither the epoch nor the acknowledgements of one that has lost its log", () => {
    const peer = new Script({}, { last: zxid(2, 5), acceptedEpoch: 2, currentEpoch: 2 })
    peer.elect(3)
    peer.learnerOpens(1)
    // It would be a quorum.
    expect(peer.learner(1, rebuilding(1, 2))).toEqual([])
    peer.learnerOpens(2)
    expect(peer.learner(2, followerInfo(2))).toEqual(["disk: SetAcceptedEpoch 3"])
    peer.stored()
    expect(peer.learner(1, ackEpoch(0))).toEqual([])
    expect(peer.learner(2, ackEpoch(zxid(2, 5)))).toEqual(["disk: SetCurrentEpoch 3"])
    peer.stored()
    peer.found(undefined)
    peer.snapshotOpened(zxid(2, 5))
    peer.snapshotRead(new Uint8Array(4), true)
    peer.learner(1, { _tag: "AckEpoch", currentEpoch: 2, lastZxid: zxid(2, 5), counts: false })
    peer.learner(1, { _tag: "AckNewLeader", epoch: 3 })
    expect(peer.peer.phase).toBe("synchronization")
    peer.learner(2, { _tag: "AckNewLeader", epoch: 3 })
    expect(peer.peer.phase).toBe("broadcast")
  })

  it("is none any more when only such a one is left", () => {
    const peer = new Script()
    peer.lead()
    peer.learnerOpens(2)
    peer.learner(2, rebuilding(2), ackEpoch(0), { _tag: "AckNewLeader", epoch: 1 })
    expect(peer.learnerBreaks(1)).toContain("note: looking: a quorum of learners has gone")
  })
})
