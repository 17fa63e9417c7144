import { assert, describe, it } from "@effect/vitest"
import { Bus, natsLayer, ownedBusLayer } from "@zkmesh/bus"
import { Context, Effect, Exit, Fiber, Layer, Queue, Scope } from "effect"
import {
  process as aProcess,
  broken,
  byteProtocol,
  byteTopic,
  dial,
  listen,
  messages,
  opened,
  protocol,
  topic
} from "./ends.ts"
import { hasNats, natsServer } from "./natsServer.ts"

const layer = (servers: string, more: Partial<Parameters<typeof natsLayer>[0]> = {}) =>
  natsLayer({ servers, ensemble: "test", ...more })

/** Two processes with a broker between them. */
const pair = Effect.gen(function* () {
  const server = yield* natsServer()
  const left = yield* aProcess(layer(server.url))
  const right = yield* aProcess(layer(server.url))
  return { server, left, right }
})

const pattern = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index++) bytes[index] = (index * 31 + (index >> 8)) & 0xff
  return bytes
}
const same = (actual: Uint8Array, expected: Uint8Array): boolean => Buffer.compare(actual, expected) === 0

describe.skipIf(!hasNats)("links over NATS", () => {
  it.live("open, deliver in order both ways, and break for both", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      const taken = yield* listen(right, "znode.1")
      const { link, events } = yield* dial(left, "session.1", "znode.1")
      assert.isFalse(link.isOpen)
      const there = yield* opened(taken)
      yield* opened(events)
      assert.deepStrictEqual([there.id, there.local, there.remote], [link.id, "znode.1", "session.1"])
      const many = Array.from({ length: 5000 }, (_, index) => `message ${index}`)
      for (const message of many) assert.isTrue(link.send(message))
      assert.deepStrictEqual(yield* messages(taken, many.length), many)
      for (const message of many) there.send(message)
      assert.deepStrictEqual(yield* messages(events, many.length), many)
      link.send("last words")
      link.break("enough")
      assert.isFalse(link.send("never"))
      assert.deepStrictEqual(yield* messages(taken, 1), ["last words"])
      const mine = yield* broken(events)
      const theirs = yield* broken(taken)
      for (const event of [mine, theirs]) assert.deepStrictEqual([event.reason, event.detail], ["closed", "enough"])
      assert.isFalse(there.isOpen)
    }).pipe(Effect.scoped)
  )

  it.live("carry messages larger than the broker's payload, among small ones", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      const taken = yield* listen(right, "znode.1", byteProtocol)
      const { link, events } = yield* dial(left, "session.1", "znode.1", { spoken: byteProtocol })
      yield* opened(events)
      yield* opened(taken)
      const sizes = [0, 1, 5 * 1024 * 1024, 7, 256 * 1024, 256 * 1024 - 50, 1024 * 1024, 3]
      const sent = sizes.map(pattern)
      for (const message of sent) assert.isTrue(link.send(message))
      assert.isTrue(link.inFlight > 6 * 1024 * 1024)
      const received = yield* messages(taken, sent.length)
      assert.deepStrictEqual(
        received.map((message) => message.length),
        sizes
      )
      for (const [index, message] of received.entries()) assert.isTrue(same(message, sent[index]!), `message ${index}`)
      while (link.inFlight > 0) yield* Effect.sleep("10 millis")
    }).pipe(Effect.scoped)
  )

  it.live("break when more is in flight than they may hold", () =>
    Effect.gen(function* () {
      const server = yield* natsServer()
      const left = yield* aProcess(layer(server.url, { maxInFlightBytes: 1_000_000 }))
      const right = yield* aProcess(layer(server.url))
      const taken = yield* listen(right, "znode.1", byteProtocol)
      const { link, events } = yield* dial(left, "session.1", "znode.1", { spoken: byteProtocol })
      yield* opened(events)
      let sent = 0
      while (link.send(pattern(100_000))) sent++
      assert.strictEqual(sent, 9)
      assert.strictEqual((yield* broken(events)).reason, "overrun")
      assert.strictEqual((yield* broken(taken)).reason, "overrun")
    }).pipe(Effect.scoped)
  )

  it.live("say that nobody listens: at the address, or for the protocol", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      assert.strictEqual((yield* broken((yield* dial(left, "a.1", "znode.7")).events)).reason, "absent")
      yield* listen(right, "znode.1")
      const other = yield* dial(left, "a.1", "znode.1", { spoken: byteProtocol })
      assert.strictEqual((yield* broken(other.events)).reason, "absent")
    }).pipe(Effect.scoped)
  )

  it.live("refuse a second listener in one process, and names that are no subjects", () =>
    Effect.gen(function* () {
      const { left } = yield* pair
      yield* listen(left, "znode.1")
      assert.match((yield* Effect.flip(listen(left, "znode.1"))).message, /znode\.1 is already listened at/)
      yield* listen(left, "znode.1", byteProtocol)
      assert.match((yield* Effect.flip(listen(left, "znode.*"))).message, /cannot be an address/)
    }).pipe(Effect.scoped)
  )

  it.live("stay in the process if the other end is there", () =>
    Effect.gen(function* () {
      const { left } = yield* pair
      const refuse = () => assert.fail("nothing is serialised within a process")
      const spoken = { ...protocol, up: { encode: refuse, decode: refuse } }
      const taken = yield* listen(left, "znode.1", spoken)
      const { link, events } = yield* dial(left, "session.1", "znode.1", { spoken })
      yield* opened(events)
      link.send("by reference")
      yield* opened(taken)
      assert.deepStrictEqual(yield* messages(taken, 1), ["by reference"])
    }).pipe(Effect.scoped)
  )

  it.live("end with the listener's scope, and with the owner who dialled", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      const listening = yield* Scope.make()
      yield* Scope.provide(listen(right, "znode.1"), listening)
      const first = yield* dial(left, "session.1", "znode.1")
      yield* opened(first.events)
      yield* Scope.close(listening, Exit.void)
      assert.strictEqual((yield* broken(first.events)).reason, "dead")
      assert.strictEqual((yield* broken((yield* dial(left, "session.1", "znode.1")).events)).reason, "absent")

      const taken = yield* listen(right, "znode.1")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const owned = yield* Layer.build(Layer.provide(ownedBusLayer, Layer.succeed(Bus, left)))
          const { events } = yield* dial(Context.get(owned, Bus), "session.1", "znode.1")
          yield* opened(events)
        })
      )
      assert.match((yield* broken(taken)).detail, /session\.1 has ended/)
    }).pipe(Effect.scoped)
  )

  it.live("end with their process, at once", () =>
    Effect.gen(function* () {
      const { server, right } = yield* pair
      const taken = yield* listen(right, "znode.1")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const third = yield* aProcess(layer(server.url))
          yield* opened((yield* dial(third, "session.1", "znode.1")).events)
        })
      )
      assert.strictEqual((yield* broken(taken)).reason, "dead")
    }).pipe(Effect.scoped)
  )

  it.live("are silent if the other end has stopped before it could answer", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      // Somebody subscribes to the address's subject, but it is not a zkmesh.
      const { connect } = yield* Effect.promise(() => import("@nats-io/transport-node"))
      const server = yield* natsServer()
      const stranger = yield* Effect.promise(() => connect({ servers: server.url }))
      stranger.subscribe("zkmesh.test.znode.1", { callback: () => undefined })
      yield* Effect.promise(() => stranger.flush())
      const alone = yield* aProcess(layer(server.url))
      const { events } = yield* dial(alone, "session.1", "znode.1", { limitMs: 200 })
      assert.strictEqual((yield* broken(events)).reason, "silent")
      yield* Effect.promise(() => stranger.close())
      assert.notStrictEqual(left, right)
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(!hasNats)("topics over NATS", () => {
  it.live("reach every subscriber once, the publisher's own process too, however large", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      const heard = yield* Queue.unbounded<Uint8Array>()
      yield* left.subscribe(byteTopic, (blob) => Queue.offerUnsafe(heard, blob))
      yield* right.subscribe(byteTopic, (blob) => Queue.offerUnsafe(heard, blob))
      yield* right.subscribe(byteTopic, (blob) => Queue.offerUnsafe(heard, blob))
      const blobs = [10, 3_000_000, 20].map(pattern)
      for (const blob of blobs) assert.isTrue(left.publish(byteTopic, blob))
      const all = yield* Queue.takeBetween(heard, 9, 10)
      const lengths = all.map((blob) => blob.length).sort((a, b) => a - b)
      assert.deepStrictEqual(lengths, [10, 10, 10, 20, 20, 20, 3_000_000, 3_000_000, 3_000_000])
      for (const blob of all) assert.isTrue(same(blob, pattern(blob.length)))
    }).pipe(Effect.scoped)
  )

  it.live("keep their place among the publisher's messages on links", () =>
    Effect.gen(function* () {
      const { left, right } = yield* pair
      const order = yield* Queue.unbounded<string>()
      yield* right.subscribe(topic, (news) => Queue.offerUnsafe(order, `topic ${news}`))
      yield* right.listen("znode.1", protocol, (event) => {
        if (event._tag === "Received") for (const message of event.messages) Queue.offerUnsafe(order, `link ${message}`)
      })
      const { link, events } = yield* dial(left, "session.1", "znode.1")
      yield* opened(events)
      const expected: Array<string> = []
      for (let index = 0; index < 50; index++) {
        link.send(`${index}`)
        link.send(`${index}+`)
        left.publish(topic, `${index}`)
        expected.push(`link ${index}`, `link ${index}+`, `topic ${index}`)
      }
      assert.deepStrictEqual(yield* Queue.takeBetween(order, expected.length, expected.length), expected)
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(!hasNats)("the broker", () => {
  it.live("may go and come back: links break at once, and can be dialled again", () =>
    Effect.gen(function* () {
      const { server, left, right } = yield* pair
      const taken = yield* listen(right, "znode.1")
      const first = yield* dial(left, "session.1", "znode.1")
      yield* opened(first.events)
      yield* server.stop
      assert.strictEqual((yield* broken(first.events)).reason, "disconnected")
      assert.strictEqual((yield* broken(taken)).reason, "disconnected")
      assert.isFalse(left.publish(topic, "to nobody"))
      assert.strictEqual((yield* broken((yield* dial(left, "session.1", "znode.1")).events)).reason, "disconnected")
      yield* natsServer(server.port)
      // As an actor does: dial until it is taken.
      let again = yield* dial(left, "session.1", "znode.1")
      while ((yield* Queue.take(again.events))._tag === "Broken") {
        yield* Effect.sleep("20 millis")
        again = yield* dial(left, "session.1", "znode.1")
      }
      again.link.send("here again")
      yield* opened(taken)
      assert.deepStrictEqual(yield* messages(taken, 1), ["here again"])
    }).pipe(Effect.scoped)
  )

  it.live("may come later than the processes", () =>
    Effect.gen(function* () {
      const first = yield* natsServer()
      yield* first.stop
      const waiting = yield* Effect.forkChild(aProcess(layer(first.url)))
      yield* Effect.sleep("300 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* natsServer(first.port)
      const bus = yield* Fiber.join(waiting)
      assert.isTrue(bus.publish(topic, "hello"))
    }).pipe(Effect.scoped)
  )

  it.live("that refuses the password, or cannot exist, is an error at once", () =>
    Effect.gen(function* () {
      const server = yield* natsServer(-1, ["--user", "zk", "--pass", "mesh"])
      const refused = yield* Effect.flip(aProcess(layer(server.url, { user: "zk", password: "wrong" })))
      assert.match(refused.message, /Authorization/)
      const bus = yield* aProcess(layer(server.url, { user: "zk", password: "mesh" }))
      assert.isTrue(bus.publish(topic, "hello"))
      const nonsense = yield* Effect.flip(aProcess(layer("nats://host:port:no")))
      assert.match(nonsense.message, /cannot reach NATS/)
      const unnamed = yield* Effect.flip(aProcess(layer(server.url, { user: "zk", password: "mesh", ensemble: "a b" })))
      assert.match(unnamed.message, /cannot be an ensemble/)
    }).pipe(Effect.scoped)
  )
})
