import { assert, describe, it } from "@effect/vitest"
import { makeConfiguration, parseMembers } from "@zkmesh/membership"
import type { Notification } from "@zkmesh/messages"
import { type Sid, zxid } from "@zkmesh/numbers"
import { type ElectionInput, type ElectionOutput, FastLeaderElection } from "../src/index.ts"

const text = (version: number, voters: ReadonlyArray<Sid>, extra: ReadonlyArray<string> = []): string => {
  const lines = [...voters.map((sid) => `server.${sid}=h${sid}:1:2;3`), ...extra]
  const { members, groups } = parseMembers(lines.join("\n"))
  return makeConfiguration(version, members, groups).text
}

const OLD = text(zxid(1, 0), [1, 2, 3])
const NEW = text(zxid(2, 5), [3, 4, 5])

const core = (sid: Sid) =>
  new FastLeaderElection({
    sid,
    voters: [1, 2, 3],
    observer: sid > 3,
    minNotificationMs: 200,
    maxNotificationMs: 1000,
    finalizeWaitMs: 50
  })

const members = (committed: string, proposed?: string): ElectionInput => ({
  _tag: "Members",
  now: 0,
  committed,
  proposed
})
const look = (sid: Sid): ElectionInput => ({ _tag: "Look", now: 0, zxid: zxid(1, sid), currentEpoch: 1 })
const heard = (from: Sid, leader: Sid, more: Partial<Notification> = {}): ElectionInput => ({
  _tag: "Heard",
  now: 10,
  notification: {
    _tag: "Notification",
    from,
    to: 0,
    state: "looking",
    round: 1,
    leader,
    zxid: zxid(1, leader),
    peerEpoch: 1,
    ...more
  }
})
const elected = (outputs: ReadonlyArray<ElectionOutput>) => outputs.find((one) => one._tag === "Elected")?.leader
const newer = (outputs: ReadonlyArray<ElectionOutput>) => outputs.find((one) => one._tag === "Newer")?.configuration
const sent = (outputs: ReadonlyArray<ElectionOutput>) =>
  outputs.flatMap((one) => (one._tag === "Send" ? [one.notification] : []))
const tick: ElectionInput = { _tag: "Tick", now: 100 }

describe("while a reconfiguration is not known to be committed", () => {
  it("a leader needs a quorum of the old voters and one of the new", () => {
    const election = core(3)
    election.step(members(OLD, NEW))
    election.step(look(3))
    election.step(heard(1, 3))
    assert.isUndefined(elected(election.step(tick)))
    election.step(heard(4, 3))
    assert.strictEqual(elected(election.step({ ...tick, now: 200 })), 3)
  })

  it("the new voters' votes alone are not enough", () => {
    const election = core(3)
    election.step(members(OLD, NEW))
    election.step(look(3))
    election.step(heard(4, 3))
    election.step(heard(5, 3))
    assert.isUndefined(elected(election.step(tick)))
  })

  it("does not keep anybody from a leader whom a quorum of the old voters follows", () => {
    const election = core(1)
    election.step(members(OLD, NEW))
    election.step(look(1))
    const settled = (from: Sid) =>
      heard(from, 2, { state: from === 2 ? "leading" : "following", round: 7, peerEpoch: 2 })
    assert.isUndefined(elected(election.step(settled(3))))
    assert.strictEqual(elected(election.step(settled(2))), 2)
  })

  it("who has not got it votes for a newcomer with a better log, and waits for what others know", () => {
    const election = core(2)
    election.step(members(OLD))
    election.step(look(2))
    const known = { configuration: OLD, proposed: NEW }
    election.step(heard(1, 1, known))
    election.step(heard(3, 1, known))
    const [vote] = sent(election.step(heard(3, 5, known)))
    assert.strictEqual(vote?.leader, 5)
    election.step(heard(1, 5, known))
    assert.strictEqual(elected(election.step(tick)), 5)
  })
})

describe("a configuration that is committed", () => {
  it("travels with every notification, and is told on to whoever looks by an old one", () => {
    const one = core(3)
    one.step(members(NEW))
    const [notification] = sent(one.step(look(3)))
    assert.strictEqual(notification?.configuration, NEW)
    const other = core(1)
    other.step(members(OLD))
    other.step(look(1))
    assert.strictEqual(newer(other.step({ _tag: "Heard", now: 1, notification: notification! })), NEW)
    assert.isUndefined(newer(one.step(heard(1, 1, { configuration: OLD }))))
  })

  it("makes an observer of who is not in it", () => {
    const election = core(1)
    election.step(members(NEW))
    assert.deepStrictEqual(
      sent(election.step(look(1))).map(({ leader }) => leader),
      [0]
    )
    election.step(heard(3, 5))
    const outputs = [...election.step(heard(5, 5)), ...election.step(tick)]
    assert.strictEqual(elected(outputs), 5)
    assert.isEmpty(sent(outputs).filter(({ state }) => state !== "looking"))
  })

  it("lets nobody without weight be voted for", () => {
    const weighed = text(zxid(1, 0), [1, 2, 3], ["group.1=1:2:3", "weight.3=0"])
    const election = core(2)
    election.step(members(weighed))
    election.step(look(2))
    assert.isEmpty(sent(election.step(heard(3, 3))).filter(({ leader }) => leader === 3))
    assert.strictEqual(elected(election.step(heard(1, 2))), 2)
  })
})

it("two that are no voters to each other come to an end", () => {
  const peers = new Map([
    [1, core(1)],
    [4, core(4)]
  ])
  peers.get(4)!.step(members(NEW))
  const said = [...peers].flatMap(([sid, peer]) => sent(peer.step(look(sid))))
  let count = 0
  for (; said.length > 0 && count < 100; count++) {
    const notification = said.shift()!
    for (const [sid, peer] of peers) {
      if (sid !== notification.from) said.push(...sent(peer.step({ _tag: "Heard", now: 10, notification })))
    }
  }
  // What each has said to all, and the other's answer.
  assert.strictEqual(count, 4)
})
