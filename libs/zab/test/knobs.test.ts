/** What an operator may have otherwise: forced snapshots, turns, waits. */
import { zxid } from "@zkmesh/numbers"
import type { PeerConfig } from "@zkmesh/zab"
import { describe, expect, it } from "vitest"
import { batch, Script } from "./script.ts"

const followerInfo = (sid: number, observer = false) =>
  ({ _tag: "FollowerInfo", sid, acceptedEpoch: 0, observer }) as const
const ackEpoch = (lastZxid: number, counts = true) => ({ _tag: "AckEpoch", currentEpoch: 1, lastZxid, counts }) as const

/** Leads with 1.1 … 1.5, of which the checkpoint has four. */
const leading = (config: Partial<PeerConfig>): Script => {
  const log = { acceptedEpoch: 1, currentEpoch: 1, checkpoint: zxid(1, 4), floor: zxid(1, 1), last: zxid(1, 5) }
  const peer = new Script(config, log)
  peer.elect(3, zxid(1, 4))
  peer.join(1, 1)
  peer.read(batch(1, 5))
  return peer
}
const comes = (peer: Script, link: number, lastZxid: number, observer = false): Array<string> => {
  peer.learnerOpens(link)
  peer.learner(link, followerInfo(link, observer))
  return peer.learner(link, ackEpoch(lastZxid))
}

describe("forceSnapshotSync", () => {
  it("gives the checkpoint to a learner that the log would do for, then the rest", () => {
    const peer = leading({ forceSnapshotSync: true })
    expect(comes(peer, 2, zxid(1, 3))).toEqual(["disk: Find 1.3"])
    expect(peer.found(zxid(1, 3))).toEqual(["disk: OpenSnapshot for 2"])
    peer.snapshotOpened(zxid(1, 4))
    expect(peer.snapshotRead(new Uint8Array(7), true)).toEqual([
      "learner #2: SnapChunk 7 last",
      "disk: CloseSnapshot for 2"
    ])
    peer.learner(2, ackEpoch(zxid(1, 4), false))
    expect(peer.found(zxid(1, 4))).toContain("learner #2: Diff after 1.4")
    expect(peer.peer.stats()).toMatchObject({ snap_count: 1 })
  })

  it("also to one that would have to cut its log", () => {
    const peer = leading({ forceSnapshotSync: true })
    comes(peer, 2, zxid(1, 3))
    expect(peer.found(zxid(1, 2))).toEqual(["disk: OpenSnapshot for 2"])
  })

  it("not to one that has acknowledged what the checkpoint lacks", () => {
    const peer = leading({ forceSnapshotSync: true })
    expect(comes(peer, 2, zxid(1, 5))).toContain("learner #2: Diff after 1.5")
  })
})

describe("turns", () => {
  /** Finds that a learner, which is at 1.3, needs the log alone. */
  const found = (peer: Script) => peer.found(zxid(1, 3))
  const diff = (link: number) => [`learner #${link}: Diff after 1.3`, "disk: read after 1.3"]

  it("are waited for by observers, not by voters, and come when others have joined or gone", () => {
    const peer = leading({ maxDiffSyncs: 1 })
    comes(peer, 11, zxid(1, 3), true)
    expect(found(peer)).toEqual(diff(11))
    for (const link of [12, 13, 14]) {
      comes(peer, link, zxid(1, 3), true)
      peer.readLater()
      expect(found(peer)).toEqual([])
    }
    comes(peer, 2, zxid(1, 3))
    peer.readLater()
    expect(found(peer)).toEqual(diff(2))
    expect(peer.learnerBreaks(11)).toEqual(["note: learner 11 has gone: dead"])
    peer.read()
    expect(peer.read(batch(1, 4, 5))).toEqual([
      "learner #2: Sync 1.4…1.5",
      "learner #2: NewLeader 2 1.5",
      "disk: Find 1.3"
    ])
    expect(found(peer)).toEqual(diff(12))
    peer.learnerBreaks(13)
    expect(peer.learnerBreaks(12)).toContain("disk: Find 1.3")
    peer.readLater()
    expect(found(peer)).toEqual(diff(14))
  })

  it("are as long as they take: who waits for one is not sent away", () => {
    const peer = leading({ maxSnapSyncs: 1, forceSnapshotSync: true })
    comes(peer, 11, zxid(1, 3), true)
    expect(found(peer)).toEqual(["disk: OpenSnapshot for 11"])
    comes(peer, 12, zxid(1, 3), true)
    peer.readLater()
    expect(found(peer)).toEqual([])
    const beats = [1, 11, 12]
    for (let ms = 0; ms < 9000; ms += 1000) {
      peer.tick(1000)
      for (const link of beats) peer.learner(link, { _tag: "Ack", zxid: zxid(1, 3) })
    }
    expect(peer.tick(1001)).toEqual([
      "note: learner 11 is sent away: its synchronisation does not move",
      "disk: CloseSnapshot for 11",
      "disk: OpenSnapshot for 12",
      "break learner #11: its synchronisation does not move",
      "all: Commit 1.5"
    ])
  })
})

describe("leader.maxTimeToWaitForEpoch", () => {
  it("ends the wait for a quorum's epochs, and that alone", () => {
    const waiting = new Script({ maxEpochWaitMs: 200 })
    waiting.elect(3)
    expect(waiting.tick(200)).toEqual([])
    expect(waiting.tick(1)).toContain("note: looking: no quorum has told its epoch for 200 ms")
    const asked = new Script({ maxEpochWaitMs: 200 })
    asked.elect(3)
    asked.learnerOpens(1)
    asked.learner(1, followerInfo(1))
    expect(asked.tick(400)).toEqual([])
    expect(asked.peer.role).toBe("leading")
  })
})

describe("the delays of an observer that has lost its leader", () => {
  const observerDelays = { election: () => 150, reconnect: () => 70 }

  it("come before it looks, and before it dials", () => {
    const peer = new Script({ sid: 4, observerDelays })
    peer.follow(2)
    expect(peer.leaderBreaks()).toEqual([
      "note: looking: the link to leader 1 broke: dead",
      "break leader: the link to leader 1 broke: dead",
      "znode: looking 0 in 2",
      "election: Stop"
    ])
    expect(peer.tick(149)).toEqual([])
    expect(peer.tick(1)).toEqual(["election: Look 2 0.0"])
    expect(peer.elected(1)).toEqual([])
    expect(peer.tick(69)).toEqual([])
    expect(peer.tick(1)).toEqual(["dial 1"])
  })

  it("are none of a voter's", () => {
    const peer = new Script({ observerDelays })
    peer.follow(2)
    expect(peer.leaderBreaks()).toContain("election: Look 2 0.0")
    expect(peer.elected(1)).toEqual(["dial 1"])
  })
})
