/**
 * The broker between the processes, as NATS promises: at most once, in order per publisher and receiver. Between any two
 * processes it may be slow, lose, repeat or pass nothing; it may go down and come back; a process may lose it alone.
 */
import type { Broker, BrokerMessage } from "@zkmesh/bus"
import type { SimProcess } from "../virtual/process.ts"
import { Random } from "../virtual/random.ts"
import type { Timeline } from "../virtual/timeline.ts"

const NOTHING = new Uint8Array(0)
/** How long the broker takes to notice that a process has been killed. */
const MOURNING_MS = 2

export class Station implements Broker {
  readonly maxPayload = 1024 * 1024
  onDown: (() => void) | undefined
  readonly process: SimProcess
  /** Whom cuts are about: a peer, with whatever processes it has, or a frontend. */
  readonly owner: string
  isConnected = true
  /** From here to other processes. */
  readonly paths = new Map<Station, Path>()
  private readonly net: BrokerNet

  constructor(net: BrokerNet, process: SimProcess, owner: string) {
    this.net = net
    this.process = process
    this.owner = owner
  }

  get isUp(): boolean {
    return this.isConnected && this.net.isUp
  }

  publish(subject: string, payload: Uint8Array, reply?: string): boolean {
    if (!this.isUp || !this.process.isAlive) return false
    this.net.publish(this, subject, payload, reply)
    return true
  }

  subscribe(subject: string, listener: (message: BrokerMessage) => void): () => void {
    const { subscribers } = this.net
    const all = subscribers.get(subject) ?? new Map<Station, (message: BrokerMessage) => void>()
    subscribers.set(subject, all.set(this, listener))
    return () => {
      if (all.get(this) === listener) all.delete(this)
      if (all.size === 0 && subscribers.get(subject) === all) subscribers.delete(subject)
    }
  }

  lose(): void {
    if (!this.isConnected) return
    this.isConnected = false
    this.process.run(() => this.onDown?.())
  }
}

interface Path {
  readonly random: Random
  lastAt: number
}

export class BrokerNet {
  isUp = true
  /** How many times slower than usual. */
  slowness = 1
  /** The chances that a packet is lost, or comes twice. */
  loss = 0
  duplication = 0
  /** Pairs of owners, `from>to`, between which nothing passes. */
  readonly cuts = new Set<string>()
  /** What an owner has sent and what waits on its way, as behind a lost segment of TCP: late, and in order. */
  private readonly stalled = new Map<string, Array<() => void>>()
  packets = 0
  /** By subject; one that ends with `.*` is for all that begin like it. */
  readonly subscribers = new Map<string, Map<Station, (message: BrokerMessage) => void>>()
  private readonly stations = new Set<Station>()
  /** The subject for all that begin like the key. */
  private readonly wildcards = new Map<string, string>()
  private readonly timeline: Timeline
  private readonly seed: number
  private era = 0

  constructor(timeline: Timeline, seed: number) {
    this.timeline = timeline
    this.seed = seed
  }

  join(process: SimProcess, owner: string): Station {
    const station = new Station(this, process, owner)
    this.stations.add(station)
    return station
  }

  /** The process has been killed. */
  leave(station: Station): void {
    this.timeline.after(MOURNING_MS, () => {
      this.stations.delete(station)
      for (const [subject, all] of this.subscribers)
        if (all.delete(station) && all.size === 0) this.subscribers.delete(subject)
    })
  }

  down(): void {
    this.isUp = false
    this.era++
    for (const station of this.stations) station.process.run(() => station.onDown?.())
  }

  up(): void {
    this.isUp = true
  }

  /** Nothing that `owner` sends arrives before `release`. */
  stall(owner: string): void {
    if (!this.stalled.has(owner)) this.stalled.set(owner, [])
  }

  /** What has waited goes on its way. True if anything was held. */
  release(owner: string): boolean {
    const waiting = this.stalled.get(owner)
    this.stalled.delete(owner)
    for (const go of waiting ?? []) go()
    return waiting !== undefined
  }

  publish(from: Station, subject: string, payload: Uint8Array, reply: string | undefined): void {
    this.packets++
    let takers = 0
    const all = this.find(subject)
    if (all !== undefined) {
      for (const station of all.keys()) {
        if (station === from || !station.isUp) continue
        takers++
        this.pass(from, station, subject, payload)
      }
    }
    if (takers === 0 && reply !== undefined) this.carry(from, from, reply, NOTHING, true)
  }

  private find(subject: string): ReadonlyMap<Station, (message: BrokerMessage) => void> | undefined {
    return this.subscribers.get(subject) ?? this.subscribers.get(this.wildcard(subject))
  }

  private wildcard(subject: string): string {
    let wildcard = this.wildcards.get(subject)
    if (wildcard === undefined) {
      wildcard = `${subject.slice(0, subject.lastIndexOf("."))}.*`
      this.wildcards.set(subject, wildcard)
    }
    return wildcard
  }

  private isCut(from: Station, to: Station): boolean {
    return this.cuts.size > 0 && this.cuts.has(`${from.owner}>${to.owner}`)
  }

  private pass(from: Station, to: Station, subject: string, payload: Uint8Array): void {
    const path = this.path(from, to)
    if (this.isCut(from, to)) return
    if (this.loss > 0 && path.random.chance(this.loss)) return
    this.carry(from, to, subject, payload, false)
    if (this.duplication > 0 && path.random.chance(this.duplication)) this.carry(from, to, subject, payload, false)
  }

  private carry(from: Station, to: Station, subject: string, payload: Uint8Array, noResponders: boolean): void {
    const waiting = this.stalled.get(from.owner)
    if (waiting !== undefined) {
      waiting.push(() => this.carry(from, to, subject, payload, noResponders))
      return
    }
    const path = this.path(from, to)
    const { era } = this
    const delay = (path.random.chance(0.02) ? path.random.between(1, 12) : path.random.between(0.1, 1)) * this.slowness
    path.lastAt = Math.max(path.lastAt, this.timeline.now + delay)
    this.timeline.plan(path.lastAt - this.timeline.now, () => {
      if (era !== this.era || !to.isUp || this.isCut(from, to)) return
      to.process.run(() => this.find(subject)?.get(to)?.({ subject, payload, noResponders }))
    })
  }

  private path(from: Station, to: Station): Path {
    const known = from.paths.get(to)
    if (known !== undefined) return known
    const path: Path = { random: Random.of(this.seed, `${from.process.name}>${to.process.name}`), lastAt: 0 }
    from.paths.set(to, path)
    return path
  }
}
