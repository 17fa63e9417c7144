import { assert, describe, it } from "@effect/vitest"
import type { Notification, Role, Vote } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import { zxid } from "@zkmesh/numbers"
import type { ElectionOutput } from "../src/index.ts"
import { better, FastLeaderElection } from "../src/index.ts"
import { CALM, Network, STORM } from "./network.ts"

const core = (sid: Sid, voters: ReadonlyArray<Sid> = [1, 2, 3], observer = false) =>
  new FastLeaderElection({
    sid,
    voters,
    observer,
    minNotificationMs: 200,
    maxNotificationMs: 1000,
    finalizeWaitMs: 50
  })

const vote = (from: Sid, leader: Sid, fields: Partial<Notification> = {}): Notification => ({
  _tag: "Notification",
  from,
  to: 0,
  state: "looking",
  round: 1,
  leader,
  zxid: zxid(1, leader),
  peerEpoch: 1,
  ...fields
})

const look = (election: FastLeaderElection, sid: Sid, now = 0) =>
  election.step({ _tag: "Look", now, zxid: zxid(1, sid), currentEpoch: 1 })
const heard = (election: FastLeaderElection, notification: Notification, now = 10) =>
  election.step({ _tag: "Heard", now, notification })

const sends = (outputs: ReadonlyArray<ElectionOutput>) =>
  outputs.flatMap((output) =>
    output._tag === "Send"
      ? [[output.notification.to, output.notification.leader, output.notification.state, output.notification.round]]
      : []
  )
const elected = (outputs: ReadonlyArray<ElectionOutput>) => outputs.find((output) => output._tag === "Elected")?.leader
const timer = (outputs: ReadonlyArray<ElectionOutput>) => outputs.findLast((output) => output._tag === "Timer")

describe("a vote", () => {
  it("is better by epoch, then zxid, then id", () => {
    const base = { leader: 2, zxid: 10, peerEpoch: 3 }
    assert.isTrue(better({ leader: 1, zxid: 1, peerEpoch: 4 }, base))
    assert.isTrue(better({ leader: 1, zxid: 11, peerEpoch: 3 }, base))
    assert.isTrue(better({ leader: 3, zxid: 10, peerEpoch: 3 }, base))
    assert.isFalse(better(base, base))
  })
})

describe("a looking voter", () => {
  it("that is alone in its ensemble leads at once", () => {
    const outputs = look(core(1, [1]), 1)
    assert.strictEqual(elected(outputs), 1)
    assert.deepStrictEqual(sends(outputs), [
      [0, 1, "looking", 1],
      [0, 1, "leading", 1]
    ])
  })

  it("adopts a better vote and tells everybody", () => {
    const election = core(1)
    look(election, 1)
    assert.deepStrictEqual(sends(heard(election, vote(3, 3))), [[0, 3, "looking", 1]])
  })

  it("answers a worse vote, so that the sender learns of the better one", () => {
    const election = core(3)
    look(election, 3)
    assert.deepStrictEqual(sends(heard(election, vote(1, 1))), [[1, 3, "looking", 1]])
    // An answer is not answered.
    assert.deepStrictEqual(sends(heard(election, vote(1, 1, { to: 3 }))), [])
  })

  it("answers one who repeats itself long after it spoke last", () => {
    const election = core(3, [1, 2, 3, 4, 5])
    look(election, 3)
    assert.deepStrictEqual(sends(heard(election, vote(1, 3), 10)), [])
    assert.deepStrictEqual(sends(heard(election, vote(1, 3), 200)), [[1, 3, "looking", 1]])
  })

  it("waits for a better vote when a majority agrees, but not when all have been heard", () => {
    const election = core(3)
    look(election, 3)
    const majority = heard(election, vote(1, 3), 10)
    assert.isUndefined(elected(majority))
    assert.deepStrictEqual(timer(majority), { _tag: "Timer", at: 60 })
    assert.isUndefined(elected(election.step({ _tag: "Tick", now: 59 })))
    assert.strictEqual(elected(election.step({ _tag: "Tick", now: 60 })), 3)

    const other = core(3)
    look(other, 3)
    heard(other, vote(1, 3), 10)
    assert.strictEqual(elected(heard(other, vote(2, 2), 11)), 3)
  })

  it("changes its mind when a better vote comes within that wait", () => {
    const election = core(2, [1, 2, 3, 4, 5])
    look(election, 2)
    heard(election, vote(1, 2), 5)
    assert.deepStrictEqual(timer(heard(election, vote(4, 2), 10)), { _tag: "Timer", at: 60 })
    assert.deepStrictEqual(sends(heard(election, vote(3, 3), 20)), [[0, 3, "looking", 1]])
    assert.isUndefined(elected(election.step({ _tag: "Tick", now: 61 })))
    heard(election, vote(1, 3), 62)
    assert.strictEqual(elected(election.step({ _tag: "Tick", now: 112 })), 3)
  })

  it("repeats its vote, ever more slowly, also after a tick that came early", () => {
    const election = core(1)
    assert.deepStrictEqual(timer(look(election, 1)), { _tag: "Timer", at: 200 })
    assert.deepStrictEqual(timer(election.step({ _tag: "Tick", now: 199 })), { _tag: "Timer", at: 200 })
    const at = [200, 600, 1400, 2400, 3400]
    for (const [index, now] of at.slice(0, -1).entries()) {
      const outputs = election.step({ _tag: "Tick", now })
      assert.strictEqual(sends(outputs).length, 1)
      assert.deepStrictEqual(timer(outputs), { _tag: "Timer", at: at[index + 1] })
    }
  })

  it("moves to a later round with its own offer, and calls others up to its round", () => {
    const election = core(2)
    look(election, 2)
    heard(election, vote(3, 3))
    assert.deepStrictEqual(sends(heard(election, vote(1, 1, { round: 7 }))), [[0, 2, "looking", 7]])
    assert.deepStrictEqual(sends(heard(election, vote(3, 3, { round: 2 }))), [[3, 2, "looking", 7]])
  })

  it("ignores votes from or for strangers, but answers an observer", () => {
    const election = core(1)
    look(election, 1)
    assert.deepStrictEqual(heard(election, vote(2, 9, { zxid: zxid(9, 9), peerEpoch: 9 })), [])
    assert.deepStrictEqual(sends(heard(election, vote(9, 0, { zxid: -1, peerEpoch: -1 }))), [[9, 1, "looking", 1]])
    assert.deepStrictEqual(heard(election, vote(2, 2, { to: 3 })), [])
  })
})

describe("an established ensemble", () => {
  const settled = (from: Sid, state: Role, fields: Partial<Notification> = {}) =>
    vote(from, 3, { state, round: 5, peerEpoch: 2, to: 1, ...fields })

  it("is joined as soon as its leader and a majority have answered", () => {
    const election = core(1)
    look(election, 1)
    assert.isUndefined(elected(heard(election, settled(2, "following", { zxid: 0 }))))
    const outputs = heard(election, settled(3, "leading"))
    assert.strictEqual(elected(outputs), 3)
    assert.deepStrictEqual(sends(outputs), [[0, 3, "following", 5]])
  })

  it("is not joined without its leader, nor across epochs", () => {
    const election = core(1, [1, 2, 3, 4, 5])
    look(election, 1)
    for (const sid of [2, 4, 5]) assert.isUndefined(elected(heard(election, settled(sid, "following"))))
    assert.isUndefined(elected(heard(election, settled(3, "leading", { peerEpoch: 3 }))))
    assert.strictEqual(elected(heard(election, settled(3, "leading"))), 3)
  })

  it("that still names a restarted leader does not make it lead again", () => {
    const election = core(3)
    look(election, 3)
    assert.isUndefined(elected(heard(election, settled(1, "following", { round: 1, to: 3 }))))
    assert.isUndefined(elected(heard(election, settled(2, "following", { round: 1, to: 3 }))))
  })

  it("answers whoever looks, and only them", () => {
    const election = core(1, [1])
    look(election, 1)
    election.step({ _tag: "Settled", now: 5, role: "leading", epoch: 2, leader: 1 })
    assert.deepStrictEqual(sends(heard(election, vote(9, 0, { zxid: -1 }))), [[9, 1, "leading", 1]])
    const follower = core(1)
    look(follower, 1)
    heard(follower, settled(2, "following"))
    heard(follower, settled(3, "leading"))
    assert.deepStrictEqual(heard(follower, settled(2, "following", { to: 0 })), [])
    assert.deepStrictEqual(sends(heard(follower, vote(2, 2))), [[2, 3, "following", 5]])
  })

  it("tells everybody the established epoch", () => {
    const election = core(1, [1])
    look(election, 1)
    const [output] = election.step({ _tag: "Settled", now: 5, role: "leading", epoch: 2, leader: 1 })
    assert.deepInclude(output, { _tag: "Send" })
    assert.deepInclude(output?._tag === "Send" ? output.notification : {}, { peerEpoch: 2, state: "leading", to: 0 })
  })
})

describe("a peer that follows whom an earlier election has named", () => {
  it("votes for nobody else, though it has asked again meanwhile", () => {
    const election = core(1, [1, 2, 3])
    look(election, 1)
    heard(election, vote(2, 3, { state: "following", round: 5 }))
    assert.strictEqual(elected(heard(election, vote(3, 3, { state: "leading", round: 5 }))), 3)
    // The answer and this have crossed each other.
    look(election, 1)
    const outputs = election.step({ _tag: "Settled", now: 5, role: "following", epoch: 6, leader: 3 })
    assert.deepStrictEqual(sends(outputs), [[0, 3, "following", 6]])
    assert.deepStrictEqual(sends(heard(election, vote(2, 2, { round: 9 }))), [[2, 3, "following", 6]])
  })

  it("nor keeps to whom they have chosen in its name before it said so", () => {
    const election = core(1, [1, 2, 3])
    look(election, 1)
    assert.strictEqual(elected([...heard(election, vote(2, 2)), ...heard(election, vote(3, 2))]), 2)
    const outputs = election.step({ _tag: "Settled", now: 5, role: "following", epoch: 6, leader: 3 })
    assert.deepStrictEqual(sends(outputs), [[0, 3, "following", 1]])
  })
})

describe("a peer that has not looked yet", () => {
  it("says nothing", () => {
    assert.deepStrictEqual(heard(core(1), vote(2, 2)), [])
  })

  it("tells joiners of the leader that its peer has, if it has only just been started", () => {
    const again = core(2)
    again.step({ _tag: "Settled", now: 0, role: "following", epoch: 7, leader: 3 })
    const other = core(3)
    other.step({ _tag: "Settled", now: 0, role: "leading", epoch: 7, leader: 3 })
    const joiner = core(1)
    look(joiner, 1)
    const answers = [again, other].flatMap((one) => heard(one, vote(1, 1, { round: 1 })))
    assert.deepStrictEqual(sends(answers), [
      [1, 3, "following", 0],
      [1, 3, "leading", 0]
    ])
    const outputs = answers.flatMap((one) => (one._tag === "Send" ? heard(joiner, one.notification) : []))
    assert.strictEqual(elected(outputs), 3)
  })

  it("says nothing either once it has stopped, and remembers its round when it looks again", () => {
    const election = core(1, [1])
    look(election, 1)
    assert.deepStrictEqual(election.step({ _tag: "Stop" }), [])
    assert.deepStrictEqual(heard(election, vote(9, 0, { zxid: -1 })), [])
    assert.deepStrictEqual(sends(look(election, 1))[0], [0, 1, "looking", 2])
    const looking = core(1)
    look(looking, 1)
    assert.deepStrictEqual(looking.step({ _tag: "Stop" }), [{ _tag: "Timer", at: undefined }])
  })
})

describe("an observer", () => {
  it("asks, votes for nobody, and adopts what a majority says", () => {
    const election = core(9, [1, 2, 3], true)
    assert.deepStrictEqual(sends(look(election, 9)), [[0, 0, "looking", 1]])
    heard(election, vote(1, 3, { state: "following", round: 4 }))
    const outputs = heard(election, vote(3, 3, { state: "leading", round: 4 }))
    assert.strictEqual(elected(outputs), 3)
    assert.deepStrictEqual(sends(outputs), [])
  })
})

describe("an ensemble", () => {
  for (const size of [1, 3, 5]) {
    const voters = Array.from({ length: size }, (_, index) => index + 1)

    it(`of ${size} elects the best on a calm network within milliseconds, in few messages`, () => {
      for (let seed = 1; seed <= 50; seed++) {
        const network = new Network(seed, voters)
        for (const sid of voters) {
          network.peer(sid).epoch = network.int(3)
          network.peer(sid).zxid = zxid(1, network.int(3) + 1)
        }
        const best = voters.reduce((a, b) => (better(offer(network, a), offer(network, b)) ? a : b))
        for (const sid of voters) network.start(sid)
        assert.isTrue(
          network.runUntil(() => network.agreed, 1000),
          `seed ${seed}`
        )
        assert.strictEqual(network.leader, best, `seed ${seed}`)
        assert.isBelow(network.now, 100, `seed ${seed}`)
        assert.isAtMost(network.sent, 3 * size * size + 2, `seed ${seed}`)
      }
    })
  }

  for (const size of [3, 5]) {
    const voters = Array.from({ length: size }, (_, index) => index + 1)

    it(`of ${size} that could not hear each other for long elects the best once it can`, () => {
      for (let seed = 1; seed <= 50; seed++) {
        const network = new Network(seed, voters)
        network.weather = { ...CALM, loss: 1 }
        const offers = new Map<Sid, Vote>()
        for (const sid of voters) {
          network.peer(sid).epoch = network.int(3)
          network.peer(sid).zxid = zxid(1, network.int(3) + 1)
          offers.set(sid, offer(network, sid))
          network.at(network.int(4000), () => network.start(sid))
        }
        network.runUntil(() => false, 30_000)
        network.weather = CALM
        assert.isTrue(
          network.runUntil(() => network.agreed, 6000),
          `seed ${seed}`
        )
        const best = voters.reduce((a, b) => (better(offers.get(a)!, offers.get(b)!) ? a : b))
        assert.strictEqual(network.leader, best, `seed ${seed}`)
      }
    })

    it(`of ${size} with an observer always converges once the network heals`, () => {
      for (let seed = 1; seed <= 200; seed++) {
        const network = new Network(seed, voters, [9])
        network.weather = STORM
        for (const sid of [...voters, 9]) {
          network.peer(sid).zxid = zxid(1, network.int(3) + 1)
          network.at(network.int(2000), () => network.start(sid))
        }
        // Peers come and go while messages are lost, doubled and overtaken.
        for (let crash = 0; crash < 4; crash++) {
          const sid = 1 + network.int(size)
          const at = 500 + network.int(8000)
          network.at(at, () => network.kill(sid))
          network.at(at + network.int(1500), () => network.start(sid))
        }
        network.runUntil(() => false, 10_000)
        network.weather = CALM
        assert.isTrue(
          network.runUntil(() => network.agreed, 15_000),
          `seed ${seed}`
        )
      }
    })

    it(`of ${size} replaces a dead leader by the best of the rest, and takes it back as a follower`, () => {
      for (let seed = 1; seed <= 50; seed++) {
        const network = new Network(seed, voters)
        for (const sid of voters) network.start(sid)
        network.runUntil(() => network.agreed, 1000)
        const dead = network.leader!
        assert.strictEqual(dead, size)
        network.runUntil(() => false, 3000)
        network.kill(dead)
        const killedAt = network.now
        assert.isTrue(
          network.runUntil(() => network.agreed, 2000),
          `seed ${seed}`
        )
        assert.strictEqual(network.leader, size - 1, `seed ${seed}`)
        // A tenth of a second to notice in this sketch, the rest is the election.
        assert.isBelow(network.now - killedAt, 250, `seed ${seed}`)
        network.runUntil(() => false, 3000)
        const restartedAt = network.now
        network.start(dead)
        assert.isTrue(
          network.runUntil(() => network.agreed, 2000),
          `seed ${seed}`
        )
        assert.strictEqual(network.leader, size - 1)
        assert.isBelow(network.now - restartedAt, 20, `seed ${seed}`)
      }
    })
  }
})

const offer = (network: Network, sid: Sid) => {
  const { zxid, epoch } = network.peer(sid)
  return { leader: sid, zxid, peerEpoch: epoch }
}
