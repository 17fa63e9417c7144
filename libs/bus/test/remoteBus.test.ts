/** Links between processes over a broker that a test holds in its hand: it loses what the test wants lost. */
import { realMachine } from "@zkmesh/actor"
import type { Protocol } from "@zkmesh/bus"
import { assert, describe, it } from "vitest"
import type { AnyEvent } from "../src/delivery.ts"
import { Loopback } from "../src/loopback.ts"
import type { Broker, BrokerMessage } from "../src/remote/broker.ts"
import { RemoteBus } from "../src/remote/remoteBus.ts"
import { protocol } from "./ends.ts"

/** Delivers in order of publishing when told to; `lose` decides what is lost on the way to whom. */
class Wire {
  readonly stations: Array<Station> = []
  lose: (to: Station, subject: string, payload: Uint8Array) => boolean = () => false
  private queue: Array<() => void> = []

  publish(from: Station, subject: string, payload: Uint8Array, reply: string | undefined): void {
    this.queue.push(() => {
      const takers = this.stations.filter((station) => station !== from && station.takes(subject))
      for (const taker of takers) if (!this.lose(taker, subject, payload)) taker.deliver(subject, payload, false)
      if (takers.length === 0 && reply !== undefined) from.deliver(reply, new Uint8Array(0), true)
    })
  }

  /** Delivers until nothing is under way, with the microtasks that lie between. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      const queue = this.queue
      this.queue = []
      if (queue.length > 0) idle = 0
      for (const run of queue) run()
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }
}

class Station implements Broker {
  isUp = true
  readonly maxPayload: number
  onDown: (() => void) | undefined
  private readonly wire: Wire
  private readonly subscriptions = new Map<string, (message: BrokerMessage) => void>()

  constructor(wire: Wire, maxPayload: number) {
    this.wire = wire
    this.maxPayload = maxPayload
    wire.stations.push(this)
  }

  publish(subject: string, payload: Uint8Array, reply?: string): boolean {
    if (this.isUp) this.wire.publish(this, subject, payload, reply)
    return this.isUp
  }

  subscribe(subject: string, listener: (message: BrokerMessage) => void): () => void {
    this.subscriptions.set(subject, listener)
    return () => void this.subscriptions.delete(subject)
  }

  takes(subject: string): boolean {
    return this.isUp && this.find(subject) !== undefined
  }

  deliver(subject: string, payload: Uint8Array, noResponders: boolean): void {
    this.find(subject)?.({ subject, payload, noResponders })
  }

  private find(subject: string): ((message: BrokerMessage) => void) | undefined {
    return this.subscriptions.get(subject) ?? this.subscriptions.get(subject.replace(/\.[^.]+$/, ".*"))
  }
}

const any = protocol as unknown as Protocol<unknown, unknown>

class Process {
  readonly station: Station
  readonly loopback: Loopback
  readonly bus: RemoteBus
  readonly reports: Array<string> = []
  readonly heard: Array<AnyEvent> = []
  readonly hear = (event: AnyEvent): void => void this.heard.push(event)

  constructor(wire: Wire, clock: { ms: number }, maxPayload = 1024 * 1024) {
    this.station = new Station(wire, maxPayload)
    const machine = { ...realMachine, now: () => clock.ms }
    this.loopback = new Loopback((message) => this.reports.push(message), machine)
    const options = {
      ensemble: "test",
      heartbeatMs: 50,
      deadAfterProbes: 1,
      maxInFlightBytes: 1_000_000,
      maxPacketBytes: 1024 * 1024
    }
    this.bus = new RemoteBus(this.loopback, this.station, options, machine)
  }

  listen(address: string): void {
    this.loopback.listen(address, any, this.hear)
    this.bus.attend(address)
  }

  get messages(): ReadonlyArray<unknown> {
    return this.heard.flatMap((event) => (event._tag === "Received" ? event.messages : []))
  }

  get breaks(): ReadonlyArray<string> {
    return this.heard.flatMap((event) => (event._tag === "Broken" ? [event.reason] : []))
  }
}

const setUp = async (maxPayload?: number) => {
  const wire = new Wire()
  const clock = { ms: 0 }
  const left = new Process(wire, clock, maxPayload)
  const right = new Process(wire, clock, maxPayload)
  right.listen("znode.1")
  const link = left.bus.dial("session.1", "znode.1", any, left.hear, 1000)
  await wire.settle()
  assert.isTrue(link.isOpen)
  const tick = async (ms = 50): Promise<void> => {
    clock.ms += ms
    left.bus.tick()
    right.bus.tick()
    await wire.settle()
  }
  return { wire, clock, left, right, link, tick }
}

describe("two processes that dial each other", () => {
  it("number their links each for itself: the end of the one does not end the dialling of the other", async () => {
    const { wire, left, right, link } = await setUp()
    left.listen("session.1")
    const back = right.bus.dial("znode.1", "session.1", any, right.hear, 1000)
    link.break("done")
    await wire.settle()
    assert.isTrue(back.isOpen)
    assert.isTrue(back.send("hello"))
    await wire.settle()
    assert.deepStrictEqual(left.messages, ["hello"])
  })
})

describe("a lost packet", () => {
  it("is noticed by the next one, and both ends hear of it", async () => {
    const { wire, left, right, link } = await setUp()
    link.send("one")
    await wire.settle()
    wire.lose = () => true
    link.send("two")
    await wire.settle()
    wire.lose = () => false
    link.send("three")
    await wire.settle()
    assert.deepStrictEqual(right.messages, ["one"])
    assert.deepStrictEqual([left.breaks, right.breaks], [["gap"], ["gap"]])
  })

  it("that was the last one is noticed by a heartbeat", async () => {
    const { wire, left, right, link, tick } = await setUp()
    wire.lose = () => true
    link.send("last")
    await wire.settle()
    wire.lose = () => false
    await tick()
    assert.deepStrictEqual([left.breaks, right.breaks], [["gap"], ["gap"]])
  })

  it("with a Break in it leaves no half of a link", async () => {
    const { wire, left, right, link, tick } = await setUp()
    wire.lose = () => true
    link.break("enough")
    await wire.settle()
    wire.lose = () => false
    assert.deepStrictEqual([left.breaks, right.breaks], [["closed"], []])
    await tick()
    assert.deepStrictEqual([left.breaks, right.breaks], [["closed"], ["gap"]])
  })

  it.each([
    ["Open", "right"],
    ["Accept", "left"]
  ] as const)("with an %s in it is asked for, or answered, again with the next heartbeat", async (_, loser) => {
    const { wire, left, right, tick } = await setUp()
    const { station } = loser === "left" ? left : right
    wire.lose = (to) => to === station
    const link = left.bus.dial("session.2", "znode.1", any, left.hear, 1000)
    await wire.settle()
    wire.lose = () => false
    assert.isFalse(link.isOpen)
    await tick()
    assert.isTrue(link.isOpen)
    link.send("hello")
    await tick()
    assert.deepStrictEqual(right.messages, ["hello"])
    for (const { heard, breaks } of [left, right]) {
      assert.deepStrictEqual(breaks, [])
      assert.strictEqual(heard.filter((event) => event._tag === "Opened").length, 2)
    }
  })

  it("with all answers in it leaves no half of a link either", async () => {
    const { wire, left, right, tick } = await setUp()
    wire.lose = (to) => to === left.station
    left.bus.dial("session.2", "znode.1", any, left.hear, 100)
    for (let beats = 0; beats < 3; beats++) await tick()
    wire.lose = () => false
    assert.deepStrictEqual([left.breaks, right.breaks], [["silent"], []])
    assert.strictEqual(right.heard.filter((event) => event._tag === "Opened").length, 2)
    await tick()
    await tick()
    assert.deepStrictEqual(right.breaks.length, 1)
  })

  it("with an answer that comes after all is not taken for another link", async () => {
    const { wire, left, right, tick } = await setUp()
    const late: Array<Uint8Array> = []
    wire.lose = (to, subject, payload) => to === right.station && subject.endsWith("znode.1") && late.push(payload) > 0
    const link = left.bus.dial("session.2", "znode.1", any, left.hear, 1000)
    await tick()
    await tick()
    wire.lose = () => false
    assert.isAtLeast(late.length, 2)
    for (const payload of late) wire.publish(left.station, "zkmesh.test.znode.1", payload, undefined)
    await wire.settle()
    assert.isTrue(link.isOpen)
    link.send("once")
    await tick()
    assert.deepStrictEqual([right.messages, left.breaks, right.breaks], [["once"], [], []])
  })
})

describe("a process", () => {
  it("that leaves the broker is dead at the next heartbeat", async () => {
    const { left, right, tick } = await setUp()
    left.station.isUp = false
    left.station.onDown?.()
    await tick()
    assert.deepStrictEqual([left.breaks, right.breaks], [["disconnected"], ["dead"]])
  })

  it("that comes back is another one: its old links are gone, new ones open", async () => {
    const { wire, left, right, link, tick } = await setUp()
    left.station.isUp = false
    left.station.onDown?.()
    left.station.isUp = true
    assert.isFalse(link.send("into the old link"))
    const again = left.bus.dial("session.1", "znode.1", any, left.hear, 1000)
    await wire.settle()
    assert.isTrue(again.isOpen)
    again.send("hello again")
    await tick()
    assert.deepStrictEqual(right.messages, ["hello again"])
    assert.deepStrictEqual([left.breaks, right.breaks], [["disconnected"], ["dead"]])
  })

  it("that says nothing is silent after the limit, unless it was this one that stood still", async () => {
    const { wire, left, right, tick } = await setUp()
    await tick(5000)
    assert.deepStrictEqual([left.breaks, right.breaks], [[], []])
    wire.lose = () => true
    for (let passed = 0; passed < 950; passed += 50) await tick()
    assert.deepStrictEqual([left.breaks, right.breaks], [[], []])
    for (let passed = 0; passed < 150; passed += 50) await tick()
    assert.deepStrictEqual([left.breaks, right.breaks], [["silent"], ["silent"]])
  })

  it("reports a stranger's packets and goes on", async () => {
    const { wire, left, right, link } = await setUp()
    for (const junk of [[], [1], [9, 9, 9], [1, 2, 3]])
      wire.publish(left.station, "zkmesh.test.znode.1", Uint8Array.from(junk), undefined)
    await wire.settle()
    assert.strictEqual(right.reports.length, 4)
    link.send("still fine")
    await wire.settle()
    assert.deepStrictEqual(right.messages, ["still fine"])
  })

  it("breaks a link whose messages it cannot read", async () => {
    const wire = new Wire()
    const clock = { ms: 0 }
    const [left, right] = [new Process(wire, clock), new Process(wire, clock)]
    const unreadable = () => {
      throw new Error("not my language")
    }
    right.loopback.listen("znode.1", { ...any, up: { ...any.up, decode: unreadable } }, right.hear)
    right.bus.attend("znode.1")
    const link = left.bus.dial("session.1", "znode.1", any, left.hear, 1000)
    await wire.settle()
    link.send("gibberish")
    await wire.settle()
    assert.deepStrictEqual([left.breaks, right.breaks], [["closed"], ["closed"]])
    assert.strictEqual(right.reports.length, 1)
  })
})

/** mulberry32 */
const drawFrom = (seed: number) => {
  let state = seed
  return (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

describe("whatever is lost", () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "what arrives is a beginning of what was sent (seed %i)",
    async (seed) => {
      const draw = drawFrom(seed)
      const { wire, left, right, link, tick } = await setUp(5000)
      const other = left.bus.dial("session.2", "znode.1", any, left.hear, 1000)
      await wire.settle()
      const sent = new Map<string, Array<string>>([
        [link.id, []],
        [other.id, []]
      ])
      const lossy = seed % 2 === 0
      for (let step = 0; step < 60; step++) {
        wire.lose = () => lossy && step > 30 && draw(20) === 0
        for (let more = draw(6); more > 0; more--) {
          const via = draw(2) === 0 ? link : other
          const message = `${step} ${String.fromCharCode(97 + draw(26)).repeat(draw(4) === 0 ? draw(20_000) : draw(300))}`
          if (via.send(message)) sent.get(via.id)!.push(message)
        }
        if (draw(3) === 0) await wire.settle()
        if (draw(10) === 0) await tick()
      }
      wire.lose = () => false
      await tick()
      await tick()
      for (const [id, all] of sent) {
        const arrived = right.heard.flatMap((event) =>
          event._tag === "Received" && event.link.id === id ? event.messages : []
        )
        assert.deepStrictEqual(arrived, all.slice(0, arrived.length))
        const open = [...left.heard, ...right.heard].every((event) => event._tag !== "Broken" || event.link.id !== id)
        if (open) assert.strictEqual(arrived.length, all.length)
        else assert.isTrue(lossy)
      }
      for (const { heard } of [left, right]) {
        const ends = heard.filter((event) => event._tag === "Broken").map((event) => event.link.id)
        assert.strictEqual(new Set(ends).size, ends.length, "each end hears of a break once")
      }
      assert.strictEqual(left.breaks.length, right.breaks.length)
    }
  )
})
