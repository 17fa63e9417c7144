import { assert, describe, it } from "@effect/vitest"
import { makeSupervisor, Supervisor } from "@zkmesh/actor"
import { Bus, type Link, loopbackLayer } from "@zkmesh/bus"
import {
  type BroadcastToElection,
  electionProtocol,
  electionTopic,
  type Notification,
  type Role
} from "@zkmesh/messages"
import { type Sid, zxid } from "@zkmesh/numbers"
import { Effect, Exit, Queue, Scope } from "effect"
import { runElection } from "../src/index.ts"

const VOTERS = [1, 2, 3]

interface Peer {
  readonly look: (counter: number, currentEpoch?: number) => void
  readonly settled: (role: Role, epoch: number, leader: Sid) => void
  /** The next decision. */
  readonly elected: Effect.Effect<Sid>
  readonly broken: Effect.Effect<string>
  /** Dials anew, as a restarted broadcast does. */
  readonly redial: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
}

/** The election of a peer, with the test as its broadcast. */
const startPeer = (sid: Sid, observer = false): Effect.Effect<Peer, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const scope = yield* Scope.fork(yield* Effect.scope)
    const supervisor = yield* Scope.provide(makeSupervisor(`peer ${sid}`), scope)
    yield* Effect.orDie(
      Scope.provide(
        Effect.provideService(runElection({ sid, voters: VOTERS, observer }), Supervisor, supervisor),
        scope
      )
    )
    const decisions = yield* Queue.unbounded<Sid>()
    const ends = yield* Queue.unbounded<string>()
    const opened = yield* Queue.unbounded<void>()
    let link: Link<BroadcastToElection> | undefined
    const redial = Effect.suspend(() => {
      link = bus.dial(
        `broadcast.${sid}`,
        `election.${sid}`,
        electionProtocol,
        (event) => {
          if (event._tag === "Opened") Queue.offerUnsafe(opened, undefined)
          else if (event._tag === "Broken") Queue.offerUnsafe(ends, event.detail)
          else
            for (const message of event.messages)
              if (message._tag === "Elected") Queue.offerUnsafe(decisions, message.leader)
        },
        5000
      )
      return Queue.take(opened)
    })
    yield* redial
    return {
      look: (counter, currentEpoch = 1) => link?.send({ _tag: "Look", zxid: zxid(1, counter), currentEpoch }),
      settled: (role, epoch, leader) => link?.send({ _tag: "Settled", role, epoch, leader }),
      elected: Queue.take(decisions),
      broken: Queue.take(ends),
      redial,
      kill: Scope.close(scope, Exit.void)
    }
  })

const test = (title: string, body: Effect.Effect<void, never, Bus | Scope.Scope>) =>
  it.live(title, () => Effect.provide(Effect.scoped(body), loopbackLayer))

describe("the election service", () => {
  test(
    "elects the peer with the longest log, at once when all are there",
    Effect.gen(function* () {
      const peers = yield* Effect.all(VOTERS.map((sid) => startPeer(sid)))
      const started = performance.now()
      for (const [index, peer] of peers.entries()) peer.look(index === 1 ? 9 : 3)
      for (const peer of peers) assert.strictEqual(yield* peer.elected, 2)
      assert.isBelow(performance.now() - started, 45)
    })
  )

  test(
    "elects among those who are there, and tells latecomers and observers",
    Effect.gen(function* () {
      const [one, two] = [yield* startPeer(1), yield* startPeer(2)]
      one.look(3)
      two.look(3)
      assert.strictEqual(yield* one.elected, 2)
      assert.strictEqual(yield* two.elected, 2)
      one.settled("following", 2, 2)
      two.settled("leading", 2, 2)
      const [late, observer] = [yield* startPeer(3), yield* startPeer(9, true)]
      const started = performance.now()
      late.look(99)
      observer.look(0)
      // Its log is longer, but there is a leader that a majority follows.
      assert.strictEqual(yield* late.elected, 2)
      assert.strictEqual(yield* observer.elected, 2)
      assert.isBelow(performance.now() - started, 200)
    })
  )

  test(
    "elects another when the leader's peer has gone",
    Effect.gen(function* () {
      const [one, two, three] = [yield* startPeer(1), yield* startPeer(2), yield* startPeer(3)]
      for (const peer of [one, two, three]) peer.look(3)
      for (const peer of [one, two, three]) assert.strictEqual(yield* peer.elected, 3)
      yield* three.kill
      const started = performance.now()
      one.look(5)
      two.look(5)
      assert.strictEqual(yield* one.elected, 2)
      assert.strictEqual(yield* two.elected, 2)
      assert.isBelow(performance.now() - started, 300)
    })
  )

  test(
    "serves one broadcast at a time, and says nothing for one that has gone",
    Effect.gen(function* () {
      const bus = yield* Bus
      const peer = yield* startPeer(1)
      const said = yield* Queue.unbounded<Notification>()
      yield* Effect.orDie(bus.subscribe(electionTopic, (notification) => void Queue.offerUnsafe(said, notification)))
      peer.look(1)
      assert.strictEqual((yield* Queue.take(said)).from, 1)
      yield* peer.redial
      assert.match(yield* peer.broken, /another broadcast/)
      yield* Queue.clear(said)
      const ask: Notification = {
        ...{ _tag: "Notification", from: 9, to: 0, state: "looking" },
        ...{ round: 1, leader: 0, zxid: -1, peerEpoch: -1 }
      }
      bus.publish(electionTopic, ask)
      assert.strictEqual((yield* Queue.take(said)).from, 9)
      peer.look(2)
      // Nothing came in between: the first that it says is its new vote.
      assert.deepInclude(yield* Queue.take(said), { from: 1, zxid: zxid(1, 2), round: 2 })
    })
  )
})
