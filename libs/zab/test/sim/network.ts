/** Links that deliver in order or break, topics that may lose, and partitions that are noticed only by silence. */
import type { Sid } from "@zkmesh/numbers"
import type { VirtualClock } from "./clock.ts"
import type { Random } from "./random.ts"

/** One end of a link: what it is told. A host that has crashed since is told nothing. */
export interface End {
  readonly sid: Sid
  readonly opened: () => void
  readonly received: (message: unknown) => void
  readonly broken: (detail: string) => void
}

export class SimLink {
  isOpen = true
  private readonly network: Network
  private readonly ends: readonly [End, End]
  private readonly lastAt: [number, number] = [0, 0]
  private readonly told: [boolean, boolean] = [false, false]
  private stalled = false

  constructor(network: Network, dialer: End, listener: End) {
    this.network = network
    this.ends = [dialer, listener]
    // The listener hears of it first; what is sent meanwhile follows in order.
    this.deliver(1, () => listener.opened())
    this.deliver(0, () => dialer.opened())
  }

  /** From the dialer (0) or the listener (1) to the other end. */
  send(from: 0 | 1, message: unknown): void {
    const to = from === 0 ? 1 : 0
    this.deliver(to, () => this.ends[to].received(message))
  }

  private deliver(to: 0 | 1, run: () => void): void {
    const { network } = this
    const at = Math.max(this.lastAt[to], network.clock.now + network.delay())
    this.lastAt[to] = at
    network.clock.after(at - network.clock.now, () => {
      if (!this.isOpen || this.told[to] || this.stalled) return
      if (network.isCut(this.ends[0].sid, this.ends[1].sid)) this.stall()
      else run()
    })
  }

  /** Nothing passes any more: both ends find out by silence. */
  stall(): void {
    if (this.stalled) return
    this.stalled = true
    this.break("silent", this.network.random.between(100, 300), this.network.random.between(100, 300))
  }

  break(detail: string, dialerAfterMs = 1, listenerAfterMs = 1): void {
    this.tell(0, detail, dialerAfterMs)
    this.tell(1, detail, listenerAfterMs)
  }

  private tell(end: 0 | 1, detail: string, ms: number): void {
    this.network.clock.after(ms, () => {
      if (this.told[end]) return
      this.told[end] = true
      if (this.told[0] && this.told[1]) {
        this.isOpen = false
        this.network.links.delete(this)
      }
      this.ends[end].broken(detail)
    })
  }

  touches(sid: Sid): boolean {
    return this.ends[0].sid === sid || this.ends[1].sid === sid
  }
  crosses(a: Sid, b: Sid): boolean {
    return this.touches(a) && this.touches(b)
  }
}

export class Network {
  readonly clock: VirtualClock
  readonly random: Random
  readonly links = new Set<SimLink>()
  /** Chance that a published message does not reach a subscriber. */
  loss = 0
  slowness = 1
  private readonly cuts = new Set<string>()
  private readonly lastAt = new Map<string, number>()

  constructor(clock: VirtualClock, random: Random) {
    this.clock = clock
    this.random = random
  }

  delay(): number {
    return this.random.chance(0.02) ? this.random.between(1, 30) * this.slowness : this.random.between(0.1, 1.5)
  }

  connect(dialer: End, listener: End): SimLink {
    const link = new SimLink(this, dialer, listener)
    this.links.add(link)
    return link
  }

  /** In order per publisher and subscriber, at most once. */
  publish(from: Sid, to: Sid, topic: string, run: () => void): void {
    if (this.random.chance(this.loss)) return
    const key = `${topic} ${from} ${to}`
    const at = Math.max(this.lastAt.get(key) ?? 0, this.clock.now + this.delay())
    this.lastAt.set(key, at)
    this.clock.after(at - this.clock.now, () => {
      if (!this.isCut(from, to)) run()
    })
  }

  isCut(a: Sid, b: Sid): boolean {
    return this.cuts.has(a < b ? `${a} ${b}` : `${b} ${a}`)
  }
  cut(a: Sid, b: Sid): void {
    this.cuts.add(a < b ? `${a} ${b}` : `${b} ${a}`)
    for (const link of this.links) if (link.crosses(a, b)) link.stall()
  }
  heal(): void {
    this.cuts.clear()
  }
}
