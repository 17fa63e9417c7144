import { assert, it } from "@effect/vitest"
import { Bus, type Codec, type LinkEvent, loopbackLayer, ownedBusLayer, type Protocol, type Topic } from "@zkmesh/bus"
import { Effect, Exit, Layer, Queue, Scope } from "effect"

const unused: Codec<string> = {
  encode: () => assert.fail("nothing is serialised within a process"),
  decode: () => assert.fail("nothing is serialised within a process")
}
const protocol: Protocol<string, string> = { name: "test", up: unused, down: unused }
const topic: Topic<string> = { name: "news", codec: unused }

type Event = LinkEvent<string, string>

const listenAt = (address: string) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const events = yield* Queue.unbounded<Event>()
    yield* bus.listen(address, protocol, (event) => Queue.offerUnsafe(events, event))
    return events
  })

const dialTo = (address: string) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const events = yield* Queue.unbounded<Event>()
    const link = bus.dial("a.1", address, protocol, (event) => Queue.offerUnsafe(events, event), 1000)
    return { link, events }
  })

const tags = (events: ReadonlyArray<Event>): ReadonlyArray<string> => events.map((event) => event._tag)

it.live("opens for both ends, delivers in order, one turn's messages together", () =>
  Effect.gen(function* () {
    const acceptor = yield* listenAt("b.1")
    const { link, events } = yield* dialTo("b.1")
    assert.isFalse(link.send("too early"))
    const opened = yield* Queue.take(events)
    assert.strictEqual(opened._tag, "Opened")
    for (const message of ["one", "two", "three"]) assert.isTrue(link.send(message))
    yield* Queue.take(acceptor)
    const received = yield* Queue.take(acceptor)
    assert.deepStrictEqual(received._tag === "Received" && received.messages, ["one", "two", "three"])
    assert.isTrue(received.link.send("back"))
    const answer = yield* Queue.take(events)
    assert.deepStrictEqual(answer._tag === "Received" && answer.messages, ["back"])
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)

it.live("tells both ends once when a link breaks, after what was sent before", () =>
  Effect.gen(function* () {
    const acceptor = yield* listenAt("b.1")
    const { link, events } = yield* dialTo("b.1")
    yield* Queue.take(events)
    link.send("last words")
    link.break("enough")
    link.break("again")
    assert.isFalse(link.send("never"))
    const heard = yield* Queue.takeBetween(acceptor, 3, 4)
    assert.deepStrictEqual(tags(heard), ["Opened", "Received", "Broken"])
    const mine = yield* Queue.take(events)
    assert.deepStrictEqual(mine._tag === "Broken" && [mine.reason, mine.detail], ["closed", "enough"])
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)

it.live("says at once that nobody listens, and refuses a second listener", () =>
  Effect.gen(function* () {
    const { events } = yield* dialTo("nobody.1")
    const broken = yield* Queue.take(events)
    assert.strictEqual(broken._tag === "Broken" && broken.reason, "absent")
    yield* listenAt("b.1")
    const error = yield* Effect.flip(listenAt("b.1"))
    assert.match(error.message, /b\.1 is already listened at/)
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)

it.live("breaks a listener's links when its scope closes, and an owner's when the owner ends", () =>
  Effect.gen(function* () {
    const listening = yield* Scope.make()
    yield* listenAt("b.1").pipe(Scope.provide(listening))
    const first = yield* dialTo("b.1")
    yield* Queue.take(first.events)
    yield* Scope.close(listening, Exit.void)
    const died = yield* Queue.take(first.events)
    assert.strictEqual(died._tag === "Broken" && died.reason, "dead")

    const acceptor = yield* listenAt("b.1")
    yield* Effect.scoped(
      Effect.gen(function* () {
        const owned = yield* Layer.build(ownedBusLayer)
        const { events } = yield* dialTo("b.1").pipe(Effect.provide(owned))
        yield* Queue.take(events)
      })
    )
    const heard = yield* Queue.takeBetween(acceptor, 2, 2)
    assert.deepStrictEqual(tags(heard), ["Opened", "Broken"])
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)

it.live("publishes to every subscriber, the publisher's own too", () =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const heard = yield* Queue.unbounded<string>()
    for (const name of ["x", "y"]) yield* bus.subscribe(topic, (news) => Queue.offerUnsafe(heard, `${name}:${news}`))
    assert.isTrue(bus.publish(topic, "1"))
    assert.isTrue(bus.publish(topic, "2"))
    assert.deepStrictEqual(yield* Queue.takeBetween(heard, 4, 4), ["x:1", "y:1", "x:2", "y:2"])
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)
