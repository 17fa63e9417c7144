/** A voter that has lost its log hears who wins, and helps nobody to. */
import { assert, describe, it } from "@effect/vitest"
import type { Notification } from "@zkmesh/messages"
import { zxid } from "@zkmesh/numbers"
import { FastLeaderElection } from "../src/index.ts"

const core = (sid: number) =>
  new FastLeaderElection({
    sid,
    voters: [1, 2, 3],
    observer: false,
    minNotificationMs: 200,
    maxNotificationMs: 1000,
    finalizeWaitMs: 50
  })

const says = (from: number, fields: Partial<Notification> = {}): Notification => ({
  _tag: "Notification",
  from,
  to: 0,
  state: "looking",
  round: 1,
  leader: 2,
  zxid: zxid(1, 5),
  peerEpoch: 1,
  ...fields
})

const lookVoteless = (election: FastLeaderElection) =>
  election.step({ _tag: "Look", now: 0, zxid: 0, currentEpoch: 0, voteless: true })

describe("a voter that has lost its log", () => {
  it("says that it looks, and repeats nobody's vote", () => {
    const election = core(1)
    const said = [
      ...lookVoteless(election),
      ...election.step({ _tag: "Heard", now: 1, notification: says(2) }),
      ...election.step({ _tag: "Tick", now: 300 })
    ].flatMap((output) => (output._tag === "Send" ? [output.notification] : []))
    assert.isAtLeast(said.length, 2)
    for (const { leader, zxid: offered, state } of said)
      assert.deepStrictEqual([leader, offered, state], [0, -1, "looking"])
  })

  it("is no part of the majority that elects", () => {
    const election = core(1)
    lookVoteless(election)
    const outputs = [
      ...election.step({ _tag: "Heard", now: 1, notification: says(2) }),
      ...election.step({ _tag: "Tick", now: 100 })
    ]
    assert.isUndefined(outputs.find((output) => output._tag === "Elected"))
    const other = core(2)
    other.step({ _tag: "Look", now: 0, zxid: zxid(1, 5), currentEpoch: 1 })
    const voteless = says(1, { leader: 0, zxid: -1, peerEpoch: -1 })
    const heard = [
      ...other.step({ _tag: "Heard", now: 1, notification: voteless }),
      ...other.step({ _tag: "Tick", now: 200 })
    ]
    assert.isUndefined(heard.find((output) => output._tag === "Elected"))
  })

  it("learns whom the others have elected, and says nothing of it", () => {
    const election = core(1)
    lookVoteless(election)
    election.step({ _tag: "Heard", now: 1, notification: says(3, { state: "following" }) })
    const outputs = election.step({ _tag: "Heard", now: 2, notification: says(2, { state: "leading" }) })
    assert.isDefined(outputs.find((output) => output._tag === "Elected" && output.leader === 2))
    assert.isUndefined(outputs.find((output) => output._tag === "Send"))
  })

  it("votes again when it looks again", () => {
    const election = core(1)
    lookVoteless(election)
    const outputs = election.step({ _tag: "Look", now: 5, zxid: zxid(1, 7), currentEpoch: 1 })
    assert.isDefined(outputs.find((output) => output._tag === "Send" && output.notification.leader === 1))
  })
})
