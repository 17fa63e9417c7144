/** Election cores on a virtual network and clock, driven by a seed; what ZAB would do with a decision is sketched. */
import type { Notification } from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { ElectionInput } from "../src/index.ts"
import { FastLeaderElection } from "../src/index.ts"

export interface Weather {
  readonly loss: number
  readonly duplication: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
}
export const CALM: Weather = { loss: 0, duplication: 0, minDelayMs: 1, maxDelayMs: 2 }
export const STORM: Weather = { loss: 0.4, duplication: 0.3, minDelayMs: 0, maxDelayMs: 400 }

export const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

export interface Peer {
  readonly sid: Sid
  readonly observer: boolean
  core: FastLeaderElection
  up: boolean
  /** What it offers. */
  zxid: Zxid
  epoch: number
  /** Decided since it last looked. */
  elected: { readonly leader: Sid; readonly at: number } | undefined
  settled: boolean
  timer: number | undefined
  /** Events of an earlier life are void. */
  life: number
}

/** How long an elected peer waits for its leader, or its followers, before it looks again (initLimit). */
const PATIENCE_MS = 2000

export class Network {
  now = 0
  sent = 0
  weather: Weather = CALM
  readonly peers = new Map<Sid, Peer>()
  readonly voters: ReadonlyArray<Sid>
  private readonly next: () => number
  private readonly queue: Array<{ at: number; order: number; run: () => void }> = []
  private order = 0

  constructor(seed: number, voters: ReadonlyArray<Sid>, observers: ReadonlyArray<Sid> = []) {
    this.next = random(seed)
    this.voters = voters
    for (const sid of [...voters, ...observers]) {
      this.peers.set(sid, {
        sid,
        observer: observers.includes(sid),
        core: this.core(sid, observers.includes(sid)),
        up: false,
        zxid: 0,
        epoch: 0,
        elected: undefined,
        settled: false,
        timer: undefined,
        life: 0
      })
    }
  }

  peer(sid: Sid): Peer {
    return this.peers.get(sid)!
  }

  int(below: number): number {
    return Math.floor(this.next() * below)
  }

  start(sid: Sid): void {
    const peer = this.peer(sid)
    peer.core = this.core(sid, peer.observer)
    peer.up = true
    peer.life++
    peer.timer = undefined
    this.look(peer)
  }

  kill(sid: Sid): void {
    const peer = this.peer(sid)
    peer.up = false
    peer.life++
    peer.elected = undefined
    peer.settled = false
  }

  look(peer: Peer): void {
    peer.elected = undefined
    peer.settled = false
    this.step(peer, { _tag: "Look", now: this.now, zxid: peer.zxid, currentEpoch: peer.epoch })
  }

  /** The leader that a majority follows, if the ensemble has settled on one. */
  get leader(): Sid | undefined {
    const leaders = [...this.peers.values()].filter((peer) => peer.settled && peer.elected?.leader === peer.sid)
    return leaders.length === 1 ? leaders[0]!.sid : undefined
  }

  /** True when everybody who is up has settled on one leader. */
  get agreed(): boolean {
    const { leader } = this
    const up = [...this.peers.values()].filter((peer) => peer.up)
    return leader !== undefined && up.every((peer) => peer.settled && peer.elected?.leader === leader)
  }

  /** Runs until `done`, or for `limitMs`; true if it came to it. */
  runUntil(done: () => boolean, limitMs: number): boolean {
    const limit = this.now + limitMs
    while (!done()) {
      this.queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const event = this.queue[0]
      if (event === undefined || event.at > limit) {
        this.now = limit
        return false
      }
      this.queue.shift()
      this.now = event.at
      event.run()
    }
    return true
  }

  at(delayMs: number, run: () => void): void {
    this.queue.push({ at: this.now + delayMs, order: this.order++, run })
  }

  private core(sid: Sid, observer: boolean): FastLeaderElection {
    const { voters } = this
    const [minNotificationMs, maxNotificationMs, finalizeWaitMs] = [200, 5000, 50]
    return new FastLeaderElection({ sid, voters, observer, minNotificationMs, maxNotificationMs, finalizeWaitMs })
  }

  private step(peer: Peer, input: ElectionInput): void {
    for (const output of peer.core.step(input)) {
      if (output._tag === "Send") this.publish(output.notification)
      else if (output._tag === "Elected") this.electedAt(peer, output.leader)
      else if (output._tag === "Timer") {
        const { at } = output
        peer.timer = at
        if (at !== undefined) this.forLife(peer, at - this.now, () => this.fire(peer, at))
      }
    }
  }

  private fire(peer: Peer, at: number): void {
    if (peer.timer === at) this.step(peer, { _tag: "Tick", now: this.now })
  }

  private forLife(peer: Peer, delayMs: number, run: () => void): void {
    const { life } = peer
    this.at(delayMs, () => {
      if (peer.life === life) run()
    })
  }

  private publish(notification: Notification): void {
    this.sent++
    const { loss, duplication, minDelayMs, maxDelayMs } = this.weather
    for (const peer of this.peers.values()) {
      const copies = this.next() < duplication ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        // A peer's own publish always reaches it: it does not leave the process.
        if (peer.sid !== notification.from && this.next() < loss) continue
        this.forLife(peer, minDelayMs + this.next() * (maxDelayMs - minDelayMs), () => {
          if (peer.up) this.step(peer, { _tag: "Heard", now: this.now, notification })
        })
      }
    }
  }

  /** What broadcast does: it settles when leader and a majority have found each other, or looks again in the end. */
  private electedAt(peer: Peer, leader: Sid): void {
    const elected = { leader, at: this.now }
    peer.elected = elected
    const poll = () => {
      if (peer.elected !== elected) return
      const lead = this.peer(leader)
      if (this.isEstablished(leader) && (peer === lead || lead.settled)) {
        if (peer === lead) peer.epoch++
        peer.epoch = lead.epoch
        peer.settled = true
        const role = peer === lead ? "leading" : peer.observer ? "observing" : "following"
        this.step(peer, { _tag: "Settled", now: this.now, role, epoch: lead.epoch, leader })
        this.forLife(peer, 100, watch)
      } else if (this.now - elected.at > PATIENCE_MS) this.look(peer)
      else this.forLife(peer, 20, poll)
    }
    const watch = () => {
      if (peer.elected !== elected) return
      const lead = this.peer(leader)
      if (!lead.up || lead.elected?.leader !== leader || (peer === lead && !this.isEstablished(leader))) this.look(peer)
      else this.forLife(peer, 100, watch)
    }
    this.forLife(peer, 5, poll)
  }

  private isEstablished(leader: Sid): boolean {
    const lead = this.peer(leader)
    const followers = this.voters.filter((sid) => this.peer(sid).up && this.peer(sid).elected?.leader === leader)
    return lead.up && lead.elected?.leader === leader && followers.length * 2 > this.voters.length
  }
}
