/** A whole ensemble under one seed: peers, their disks, the network, and somebody who breaks things. */

import { parseConfiguration } from "@zkmesh/membership"
import type { FanOut, Notification } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import type { PeerConfig } from "@zkmesh/zab"
import { Checker } from "./checker.ts"
import { VirtualClock } from "./clock.ts"
import { Disk } from "./disk.ts"
import { type Elector, type ElectorHost, oracle, realElector } from "./elector.ts"
import { Network } from "./network.ts"
import { SimNode } from "./node.ts"
import { Random } from "./random.ts"

export interface Scenario {
  readonly seed: number
  readonly voters: number
  readonly observers: number
  /** How long things are broken, in virtual ms. */
  readonly troubleMs: number
  /** Mean time between two misfortunes. */
  readonly everyMs: number
  /** "links": nothing but links that break, so that leaders of the same epoch compete. */
  readonly trouble: "all" | "links"
  /** "oracle": elects anybody, and tells different peers different things. */
  readonly election: "real" | "oracle"
  /** How long the oracle thinks at most. */
  readonly oracleMs: number
  readonly loss: number
  readonly counterLimit: number
  readonly logRetain: number
  /** Servers that are there, and at first not in the configuration; with them it changes all the time. */
  readonly spares: number
  /** Now and then a peer finds its store corrupt and sets it aside; the others are always a majority. */
  readonly corruption?: boolean
  /** Whoever has set its log aside votes as if nothing had been: to see that this is found. */
  readonly careless?: boolean
  /** What an operator may have otherwise. */
  readonly knobs?: Partial<PeerConfig>
}

/** A server's line. */
const line = (sid: Sid, role: "participant" | "observer"): string => `server.${sid}=host${sid}:2888:3888:${role};2181`

/** So small that everything that can fill up does. */
const tiny = { tickTimeMs: 40, initLimit: 15, syncLimit: 5, windowBytes: 1500, syncWindowBytes: 700 } as const

export class World {
  readonly scenario: Scenario
  readonly clock = new VirtualClock()
  readonly random: Random
  readonly network: Network
  readonly checker: Checker
  readonly nodes = new Map<Sid, SimNode>()
  readonly voters: ReadonlyArray<Sid>
  isProposing = true
  private isTroubled = true
  /** Whom an oracle may choose while it is wrong. */
  private readonly candidates: number
  readonly transcript: Array<string> = []
  /** How often each operation of the disks was done. */
  readonly done = new Map<string, number>()

  constructor(scenario: Scenario) {
    this.scenario = scenario
    this.random = new Random(scenario.seed)
    this.network = new Network(this.clock, this.random)
    this.network.loss = scenario.loss
    const members = scenario.voters + scenario.observers
    const sids = Array.from({ length: members + scenario.spares }, (_, index) => index + 1)
    this.voters = sids.slice(0, scenario.voters)
    this.candidates = scenario.spares > 0 ? sids.length : scenario.voters
    const disks = new Map(sids.map((sid) => [sid, new Disk(this.random)]))
    this.checker = new Checker(disks, this.voters)
    const { counterLimit, logRetain } = scenario
    for (const sid of sids) {
      const config: PeerConfig = {
        ...tiny,
        sid,
        voters: this.voters,
        ...(scenario.spares > 0 ? { reconfigurable: true, configuration: this.fileOf(sid, members) } : {}),
        logRetain,
        ...scenario.knobs,
        counterLimit,
        znodeWindowBytes: 600,
        readBytes: 400,
        appendBytes: 900
      }
      this.nodes.set(sid, new SimNode(this, sid, disks.get(sid)!, config))
    }
  }

  makeElector(host: ElectorHost): Elector {
    if (this.scenario.election === "real") return realElector(host)
    return oracle(
      host,
      () => (this.isTroubled ? this.random.pick([...this.nodes.keys()].slice(0, this.candidates)) : this.fairChoice()),
      () => this.random.between(1, this.scenario.oracleMs),
      () => (this.random.chance(0.5) ? this.checker.configuration : undefined)
    )
  }

  /** What a server's operator has written: those that there are at first, and the server itself. */
  private fileOf(sid: Sid, members: number): string {
    const lines = Array.from({ length: members }, (_, index) =>
      line(index + 1, index < this.scenario.voters ? "participant" : "observer")
    )
    if (sid > members) lines.push(line(sid, "participant"))
    return lines.join("\n")
  }

  /** Now and then somebody wants another ensemble, whatever it is like. */
  reconfigure(): string | undefined {
    const { random } = this
    if (this.scenario.spares === 0 || !random.chance(0.1)) return undefined
    const lines: Array<string> = []
    const voters: Array<Sid> = []
    for (const sid of this.nodes.keys()) {
      if (!random.chance(0.65)) continue
      const role = random.chance(0.85) ? "participant" : "observer"
      lines.push(line(sid, role))
      if (role === "participant") voters.push(sid)
    }
    // Sometimes not every vote is worth the same.
    if (voters.length > 1 && random.chance(0.15)) {
      const half = random.int(1, voters.length - 1)
      lines.push(`group.1=${voters.slice(0, half).join(":")}`, `group.2=${voters.slice(half).join(":")}`)
      for (const sid of voters) if (random.chance(0.3)) lines.push(`weight.${sid}=${random.int(0, 2)}`)
    }
    return lines.join("\n")
  }

  /** Who leads already, else the one with the best history. */
  private fairChoice(): Sid | undefined {
    let best: SimNode | undefined
    for (const sid of this.everyVoter()) {
      const node = this.nodes.get(sid)!
      if (node.peer?.role === "leading") return sid
      const isBetter =
        best === undefined ||
        node.disk.currentEpoch > best.disk.currentEpoch ||
        (node.disk.currentEpoch === best.disk.currentEpoch && node.disk.last >= best.disk.last)
      if (node.isUp && isBetter && !node.disk.isRebuilding) best = node
    }
    return best?.sid
  }

  /** Also those of a configuration that some log has and nobody knows to be committed. */
  private everyVoter(): ReadonlySet<Sid> {
    const voters = new Set(this.checker.quorum.voters)
    const { configuration } = this.checker
    const committed = configuration === undefined ? 0 : parseConfiguration(configuration).version
    for (const { disk } of this.nodes.values()) {
      const proposed = disk.configuration?.proposed
      if (proposed === undefined) continue
      const { version, quorum } = parseConfiguration(proposed)
      if (version > committed) for (const sid of quorum.voters) voters.add(sid)
    }
    return voters
  }

  notify(from: Sid, notification: Notification): void {
    for (const [sid, node] of this.nodes) {
      if (sid === from) continue
      this.network.publish(from, sid, "election", () => node.heardNotification(notification))
    }
  }

  fanOut(from: Sid, message: FanOut): void {
    for (const [sid, node] of this.nodes) {
      if (sid === from) node.heardFanOut(message)
      else this.network.publish(from, sid, "proposals", () => node.heardFanOut(message))
    }
  }

  count(operation: string): void {
    this.done.set(operation, (this.done.get(operation) ?? 0) + 1)
  }

  note(sid: Sid, text: string): void {
    if (this.transcript.length > 400) this.transcript.shift()
    this.transcript.push(`${this.clock.now.toFixed(1)} ${sid}: ${text}`)
  }

  /** Trouble, then peace; in the end everybody has everything, and the ensemble still serves. */
  run(): void {
    for (const node of this.nodes.values()) this.clock.after(this.random.between(0, 50), () => node.start())
    this.trouble()
    while (this.clock.step(this.scenario.troubleMs)) {
      // Every invariant is checked where it could break.
    }
    this.makePeace()
    const mark = this.checker.history.length
    this.runUntil(() => this.isServing() && this.checker.history.length > mark + 20, "the ensemble serves again")
    this.isProposing = false
    for (const node of this.nodes.values()) if (node.znode !== undefined) node.znode.isProposing = false
    this.runUntil(() => this.isQuiet(), "everybody has everything")
    this.checker.logs()
  }

  private runUntil(done: () => boolean, what: string): void {
    const until = this.clock.now + 30_000
    for (let steps = 0; ; steps++) {
      if (steps % 16 === 0 && done()) return
      if (!this.clock.step(until)) break
    }
    if (!done()) throw new Error(`not within 30 s: ${what}`)
  }

  private isServing(): boolean {
    const peers = [...this.nodes.values()].map((node) => node.peer)
    return peers.every((peer) => peer?.phase === "broadcast")
  }

  private isQuiet(): boolean {
    const { history } = this.checker
    const last = history[history.length - 1]?.zxid ?? 0
    const nodes = [...this.nodes.values()]
    return this.isServing() && nodes.every((node) => node.znode?.applied === last && node.peer?.lastLogged === last)
  }

  private makePeace(): void {
    this.isTroubled = false
    this.network.loss = 0
    this.network.slowness = 1
    this.network.heal()
    for (const node of this.nodes.values()) {
      node.diskSlowness = 1
      if (!node.isUp) node.start()
    }
  }

  private trouble(): void {
    this.clock.after(this.random.between(0, 2 * this.scenario.everyMs), () => {
      if (!this.isTroubled) return
      this.misfortune()
      this.trouble()
    })
  }

  private corrupt(node: SimNode): void {
    const whole = this.voters.filter((sid) => sid !== node.sid && !this.nodes.get(sid)!.disk.isRebuilding)
    if (!this.checker.quorum.has(whole)) return
    node.disk.setAside()
    node.disk.forgets = this.scenario.careless === true
    this.count("SetAside")
  }

  private misfortune(): void {
    const { random, network, clock } = this
    const node = random.pick([...this.nodes.values()])
    const a = random.pick([...this.nodes.keys()])
    const dice = this.scenario.trouble === "links" ? 0.5 : random.next()
    if (dice < 0.2) {
      node.crash()
      if (this.scenario.corruption === true && random.chance(0.5)) this.corrupt(node)
      clock.after(random.between(5, 800), () => !node.isUp && node.start())
    } else if (dice < 0.3) {
      // Everybody at once: the power goes.
      for (const each of this.nodes.values()) {
        each.crash()
        clock.after(random.between(5, 300), () => !each.isUp && each.start())
      }
    } else if (dice < 0.42) node.crashZnode()
    else if (dice < 0.6) {
      for (const link of network.links) if (random.chance(0.3)) link.break("chance")
    } else if (dice < 0.72) {
      if (a !== node.sid) network.cut(a, node.sid)
    } else if (dice < 0.8) {
      for (const other of this.nodes.keys()) if (other !== a) network.cut(a, other)
    } else if (dice < 0.9) network.heal()
    else if (dice < 0.95) node.diskSlowness = random.pick([1, 1, 10, 60])
    else if (dice < 0.97) network.slowness = random.pick([1, 1, 5])
    else node.pausedUntil = clock.now + random.between(50, 600)
  }
}
