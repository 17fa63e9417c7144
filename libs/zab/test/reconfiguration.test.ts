import { makeConfiguration, parseMembers } from "@zkmesh/membership"
import { zxid } from "@zkmesh/numbers"
import { ENTRY_HEADER, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"
import { describe, expect, it } from "vitest"
import { batch, Script } from "./script.ts"

const text = (version: number, ...voters: ReadonlyArray<number>): string =>
  makeConfiguration(version, parseMembers(voters.map((sid) => `server.${sid}=h${sid}:1:2;3`).join("\n")).members).text

/** The transaction that makes these the voters. */
const reconfig = (counter: number, ...voters: ReadonlyArray<number>): TxnBatch => {
  const at = zxid(1, counter)
  const path = Buffer.from("/zookeeper/config")
  const data = Buffer.from(text(at, ...voters))
  const bytes = Buffer.alloc(ENTRY_HEADER + 4 + path.length + 4 + data.length + 4)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  writeEntryHeader(view, 0, bytes.length, { zxid: at, session: 0, seq: 0, cxid: 0, time: 0, type: 16 })
  bytes.writeInt32BE(path.length, ENTRY_HEADER)
  path.copy(bytes, ENTRY_HEADER + 4)
  bytes.writeInt32BE(data.length, ENTRY_HEADER + 4 + path.length)
  data.copy(bytes, ENTRY_HEADER + 8 + path.length)
  return { first: at, last: at, count: 1, bytes }
}
const proposes = (batch: TxnBatch) => ({ _tag: "Propose", epoch: 1, batch }) as const
const acks = (counter: number) => ({ _tag: "Ack", zxid: zxid(1, counter) }) as const
const whole = { reconfigurable: true, configuration: text(0, 1, 2, 3) }
const onlyWords = (lines: ReadonlyArray<string>) => lines.filter((line) => !line.startsWith("note:"))

describe("a leader", () => {
  /** Server 3 leads 1 and 2; 4 and 5 are there, and have no vote. */
  const leader = (): Script => {
    const peer = new Script(whole)
    peer.lead()
    for (const sid of [2, 4, 5]) peer.join(sid, sid)
    // The configuration of the first epoch.
    peer.stored()
    return peer
  }

  it("gives the file's configuration a version, and tells its znode who is up to date", () => {
    const peer = new Script(whole)
    peer.elect(3)
    peer.learnerOpens(1)
    peer.learner(1, { _tag: "FollowerInfo", sid: 1, acceptedEpoch: 0, observer: false })
    peer.stored()
    peer.learner(1, { _tag: "AckEpoch", currentEpoch: 0, lastZxid: 0, counts: true })
    peer.stored()
    expect(peer.learner(1, { _tag: "AckNewLeader", epoch: 1 })).toMatchInlineSnapshot(`
      [
        "election: Settled leading 1",
        "note: leading in epoch 1 from 0x0",
        "learner #1: UpToDate 0.0",
        "all: Commit 0.0",
        "note: configuration 0x100000000, voters 1, 2, 3",
        "disk: SetConfiguration 1.0",
        "election: Members 1.0",
        "znode: Configuration 1.0",
        "znode: leading 3 in 1",
        "znode: Synced 3, 1",
      ]
    `)
  })

  it("wants both quorums for a reconfiguration and for all that follows, and one again after it", () => {
    const peer = leader()
    peer.znode(proposes(batch(1, 1)))
    expect(onlyWords(peer.znode(proposes(reconfig(2, 3, 4, 5))))).toMatchInlineSnapshot(`
      [
        "all: Propose 1.2 after 1.1",
        "disk: SetConfiguration 1.0, proposed 1.2",
        "election: Members 1.0, proposed 1.2",
        "znode: Configuration 1.0",
      ]
    `)
    peer.znode(proposes(batch(1, 3)))
    // A quorum of the old ensemble is enough for what was before.
    peer.learner(1, acks(3))
    expect(onlyWords(peer.learner(2, acks(3)))).toMatchInlineSnapshot(`
      [
        "all: Commit 1.1",
      ]
    `)
    expect(onlyWords(peer.learner(4, acks(1)))).toEqual([])
    expect(onlyWords(peer.learner(4, acks(2)))).toEqual([])
    // The own disk has nothing yet; without it two of the new three are needed.
    expect(onlyWords(peer.learner(5, acks(2)))).toMatchInlineSnapshot(`
      [
        "all: Commit 1.2",
        "disk: SetConfiguration 1.2",
        "election: Members 1.2",
      ]
    `)
    // From here on 1 and 2 do not count.
    expect(onlyWords(peer.learner(4, acks(3)))).toEqual([])
    expect(onlyWords(peer.learner(5, acks(3)))).toMatchInlineSnapshot(`
      [
        "all: Commit 1.3",
      ]
    `)
  })

  it("steps down once the ensemble without it is committed", () => {
    const peer = leader()
    peer.znode(proposes(reconfig(1, 1, 2, 4)))
    peer.learner(4, acks(1))
    expect(peer.learner(1, acks(1))).toEqual([])
    expect(onlyWords(peer.learner(2, acks(1)))).toMatchInlineSnapshot(`
      [
        "all: Commit 1.1",
        "disk: SetConfiguration 1.1",
        "election: Members 1.1",
        "break learner #1: this server votes no more",
        "break learner #2: this server votes no more",
        "break learner #4: this server votes no more",
        "break learner #5: this server votes no more",
        "znode: looking 0 in 1",
        "election: Stop",
      ]
    `)
    expect(peer.peer.role).toBe("looking")
  })

  it("lets nobody in who knows a newer configuration", () => {
    const peer = leader()
    peer.learnerOpens(9)
    const info = { _tag: "FollowerInfo", sid: 9, acceptedEpoch: 0, observer: true } as const
    expect(onlyWords(peer.learner(9, { ...info, configuration: zxid(4, 4) }))).toEqual([
      "break learner #9: it knows a newer configuration"
    ])
  })

  it("takes in whoever comes, once the configuration may change", () => {
    const peer = leader()
    peer.learnerOpens(9)
    const info = { _tag: "FollowerInfo", sid: 9, acceptedEpoch: 0, observer: false } as const
    expect(onlyWords(peer.learner(9, info))).toEqual(["learner #9: LeaderInfo 1"])
  })
})

describe("a learner", () => {
  it("stores who votes before the log says so, and votes from there on", () => {
    const peer = new Script({ ...whole, sid: 4, configuration: text(zxid(1, 0), 1, 2, 3) })
    peer.follow(1)
    // It observes: what is not committed is not logged.
    expect(
      peer.fanOut({ _tag: "Propose", leader: 1, epoch: 1, previous: 0, committed: 0, batch: batch(1, 1) })
    ).toEqual([])
    const change = reconfig(2, 1, 2, 3, 4)
    expect(
      onlyWords(
        peer.fanOut({ _tag: "Propose", leader: 1, epoch: 1, previous: zxid(1, 1), committed: 0, batch: change })
      )
    ).toMatchInlineSnapshot(`
      [
        "disk: SetConfiguration 1.0, proposed 1.2",
        "election: Members 1.0, proposed 1.2",
        "znode: Configuration 1.0",
        "election: Settled following 1",
        "disk: append 1.1…1.2",
        "znode: following 1 in 1",
      ]
    `)
    peer.stored()
    expect(peer.stored()).toEqual(["leader: Ack 1.2"])
    expect(
      onlyWords(peer.fanOut({ _tag: "Commit", leader: 1, epoch: 1, zxid: zxid(1, 2), digest: undefined }))
    ).toMatchInlineSnapshot(`
      [
        "disk: SetConfiguration 1.2",
        "election: Members 1.2",
        "znode: Committed 1.1",
        "znode: Committed 1.2",
      ]
    `)
  })

  it("forgets a reconfiguration with the part of the log that it was in", () => {
    const stored = { committed: text(zxid(1, 0), 1, 2, 3), proposed: text(zxid(1, 2), 1, 2) }
    const peer = new Script(whole, { acceptedEpoch: 1, currentEpoch: 1, last: zxid(1, 2), configuration: stored })
    peer.elect(1)
    peer.leaderOpens()
    peer.leader({ _tag: "LeaderInfo", epoch: 2, configuration: zxid(1, 0) })
    peer.stored()
    expect(peer.leader({ _tag: "Trunc", zxid: zxid(1, 1) })).toEqual(["disk: Truncate 1.1"])
    expect(onlyWords(peer.stored(zxid(1, 1)))).toMatchInlineSnapshot(`
      [
        "leader: AckEpoch 1 1.1 (not counted)",
        "disk: SetConfiguration 1.0",
        "election: Members 1.0",
        "znode: Configuration 1.0",
      ]
    `)
  })

  it("does not let somebody lead who is not one of its voters", () => {
    const peer = new Script(whole)
    peer.elect(4)
    peer.leaderOpens()
    expect(peer.leader({ _tag: "LeaderInfo", epoch: 1 })[0]).toBe(
      "note: looking: server 4 may not lead by configuration 0x0"
    )
    // Unless it knows better: then this peer's configuration is old.
    peer.elected(4)
    peer.leaderOpens()
    expect(onlyWords(peer.leader({ _tag: "LeaderInfo", epoch: 1, configuration: zxid(1, 9) }))).toEqual([
      "disk: SetAcceptedEpoch 1"
    ])
  })

  it("learns from an election that it votes no more, and looks again as an observer", () => {
    const peer = new Script(whole)
    peer.pass({ _tag: "ElectionOpened" })
    peer.hello()
    const newer = { _tag: "Newer", configuration: text(zxid(3, 7), 1, 2) } as const
    expect(onlyWords(peer.pass({ _tag: "FromElection", message: newer }))).toMatchInlineSnapshot(`
      [
        "disk: SetConfiguration 3.7",
        "election: Members 3.7",
      ]
    `)
    expect(onlyWords(peer.stored())).toMatchInlineSnapshot(`
      [
        "election: Look 0 0.0",
      ]
    `)
  })
})
