import { assert, it } from "@effect/vitest"
import { Bus, faultyBusLayer, loopbackLayer, Network } from "@zkmesh/bus"
import { Context, Effect, Layer, Queue } from "effect"
import { broken, dial, listen, messages, opened, protocol, topic } from "./ends.ts"

/** Three owners on one bus, with a network between them. */
const ensemble = Effect.gen(function* () {
  const shared = yield* Layer.build(
    Layer.merge(
      Layer.fresh(loopbackLayer),
      Network.layer(() => 0.5)
    )
  )
  const busOf = (owner: string) =>
    Effect.map(Layer.build(faultyBusLayer(owner).pipe(Layer.provide(Layer.succeedContext(shared)))), (context) =>
      Context.get(context, Bus)
    )
  return {
    network: Context.get(shared, Network),
    one: yield* busOf("1"),
    two: yield* busOf("2"),
    three: yield* busOf("3")
  }
})

it.live("is a bus like any other while nothing is wrong", () =>
  Effect.gen(function* () {
    const { one, two } = yield* ensemble
    const taken = yield* listen(two, "znode.2")
    const { link, events } = yield* dial(one, "session.1", "znode.2")
    const there = yield* opened(taken)
    yield* opened(events)
    link.send("a")
    link.send("b")
    assert.deepStrictEqual(yield* messages(taken, 2), ["a", "b"])
    there.send("c")
    assert.deepStrictEqual(yield* messages(events, 1), ["c"])
    there.break("enough")
    for (const event of [yield* broken(events), yield* broken(taken)]) {
      assert.deepStrictEqual([event.reason, event.detail], ["closed", "enough"])
    }
    assert.strictEqual((yield* broken((yield* dial(one, "session.1", "znode.9")).events)).reason, "absent")
  }).pipe(Effect.scoped)
)

it.live("goes silent through a partition, and not elsewhere", () =>
  Effect.gen(function* () {
    const { network, one, two, three } = yield* ensemble
    const taken = yield* listen(two, "znode.2")
    const limited = yield* dial(one, "session.1", "znode.2", { limitMs: 50 })
    yield* opened(taken)
    yield* opened(limited.events)
    const other = yield* dial(three, "session.3", "znode.2", { limitMs: 50 })
    yield* opened(taken)
    yield* opened(other.events)

    network.partition(["1"], ["2", "3"])
    assert.isTrue(limited.link.send("into the void"))
    const mine = yield* broken(limited.events)
    const theirs = yield* broken(taken)
    assert.deepStrictEqual([mine.reason, theirs.reason], ["silent", "silent"])
    other.link.send("still here")
    assert.deepStrictEqual(yield* messages(taken, 1), ["still here"])
    const late = yield* dial(one, "session.1", "znode.2", { limitMs: 50 })
    assert.strictEqual((yield* broken(late.events)).reason, "silent")

    network.heal()
    const again = yield* dial(one, "session.1", "znode.2")
    yield* opened(again.events)
    yield* opened(taken)
    again.link.send("here again")
    assert.deepStrictEqual(yield* messages(taken, 1), ["here again"])
  }).pipe(Effect.scoped)
)

it.live("survives a short isolation if nothing was said, else has a gap", () =>
  Effect.gen(function* () {
    const { network, one, two } = yield* ensemble
    const taken = yield* listen(two, "znode.2")
    const quiet = yield* dial(one, "session.1", "znode.2")
    yield* opened(quiet.events)
    const talking = yield* dial(one, "session.1", "znode.2")
    yield* opened(talking.events)
    yield* opened(taken)
    yield* opened(taken)
    network.isolate("2")
    talking.link.send("lost")
    yield* Effect.yieldNow
    network.heal()
    const [mine, theirs] = [yield* broken(talking.events), yield* broken(taken)]
    assert.deepStrictEqual([mine.reason, theirs.reason], ["gap", "gap"])
    quiet.link.send("never lost")
    assert.deepStrictEqual(yield* messages(taken, 1), ["never lost"])
  }).pipe(Effect.scoped)
)

it.live("breaks a link that has lost a message, for both", () =>
  Effect.gen(function* () {
    const { network, one, two } = yield* ensemble
    const taken = yield* listen(two, "znode.2")
    const { link, events } = yield* dial(one, "session.1", "znode.2")
    yield* opened(events)
    network.lose("1", "2", 0.4)
    link.send("lucky")
    yield* opened(taken)
    assert.deepStrictEqual(yield* messages(taken, 1), ["lucky"])
    network.lose("1", "2", 0.6)
    link.send("unlucky")
    assert.deepStrictEqual([(yield* broken(events)).reason, (yield* broken(taken)).reason], ["gap", "gap"])
  }).pipe(Effect.scoped)
)

it.live("delays messages and topics alike, in order", () =>
  Effect.gen(function* () {
    const { network, one, two } = yield* ensemble
    const order = yield* Queue.unbounded<string>()
    yield* two.subscribe(topic, (news) => Queue.offerUnsafe(order, `topic ${news}`))
    yield* two.listen("znode.2", protocol, (event) => {
      if (event._tag === "Received") for (const message of event.messages) Queue.offerUnsafe(order, `link ${message}`)
    })
    const { link, events } = yield* dial(one, "session.1", "znode.2")
    yield* opened(events)
    network.delay("1", "2", 30)
    const at = performance.now()
    for (let index = 0; index < 3; index++) {
      link.send(`${index}`)
      one.publish(topic, `${index}`)
    }
    const expected = ["link 0", "topic 0", "link 1", "topic 1", "link 2", "topic 2"]
    assert.deepStrictEqual(yield* Queue.takeBetween(order, 6, 6), expected)
    assert.isAtLeast(performance.now() - at, 29)
  }).pipe(Effect.scoped)
)

it.live("keeps topics from those behind a partition", () =>
  Effect.gen(function* () {
    const { network, one, two, three } = yield* ensemble
    const heard = yield* Queue.unbounded<string>()
    for (const [name, bus] of [
      ["2", two],
      ["3", three],
      ["1", one]
    ] as const) {
      yield* bus.subscribe(topic, (news) => Queue.offerUnsafe(heard, `${name}: ${news}`))
    }
    network.partition(["1"], ["2"])
    one.publish(topic, "x")
    assert.deepStrictEqual(yield* Queue.takeBetween(heard, 2, 2), ["3: x", "1: x"])
    network.heal()
    one.publish(topic, "y")
    assert.deepStrictEqual(yield* Queue.takeBetween(heard, 3, 3), ["2: y", "3: y", "1: y"])
  }).pipe(Effect.scoped)
)
