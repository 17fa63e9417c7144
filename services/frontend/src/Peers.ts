/** The peers that a frontend sends its clients to, in the order of its preference; they follow the ensemble as it changes. */
import { parseConfiguration } from "@zkmesh/membership"
import type { Sid, Zxid } from "@zkmesh/numbers"
import { Peer, type PeerLink, type PeerStatus } from "./Peer.ts"

/** Puts the members of the ensemble into an order of preference. */
export type Preference = (members: ReadonlyArray<Sid>) => ReadonlyArray<Sid>

const NONE: ReadonlyArray<Peer> = []

export class Peers {
  /** The preferred one first; behind them those that have left the ensemble, until their clients have somewhere to go. */
  all: ReadonlyArray<Peer>
  private readonly preference: Preference | undefined
  private readonly dial: (peer: Peer) => PeerLink
  private readonly left = new Set<Peer>()
  /** Of the configuration that is followed; 0 as long as nobody has changed the one that everybody started with. */
  private version: Zxid = 0
  /** How many vote in it. */
  voters: number | undefined

  /** Without a preference they stay who they are. `dial` makes a link that wants nobody yet. */
  constructor(sids: ReadonlyArray<Sid>, preference: Preference | undefined, dial: (peer: Peer) => PeerLink) {
    this.preference = preference
    this.dial = dial
    this.all = sids.map((sid) => this.add(sid))
  }

  private add(sid: Sid): Peer {
    const peer = new Peer(sid, this.dial)
    peer.dialled.want({ address: `session.${sid}`, for: undefined })
    return peer
  }

  /** Whether there is another peer for clients whose peer fails, or may be one day. */
  get hasOthers(): boolean {
    return this.all.length > 1 || this.preference !== undefined
  }

  /**
   * The first peer that serves: where new clients go; one that only leads if there is no other. Those that are content
   * with reading find one without a leader.
   */
  serving(isContent = false): Peer | undefined {
    const peer = this.first(({ serving, readOnly }) => serving && readOnly !== true)
    return peer ?? (isContent ? this.first(({ serving }) => serving) : undefined)
  }

  /** The first peer that serves and has a leader; else the first that serves. */
  best(): Peer | undefined {
    return this.first(({ serving, role }) => serving && role !== "looking") ?? this.serving()
  }

  private first(can: (status: PeerStatus) => boolean): Peer | undefined {
    const peer = this.all.find(({ status }) => can(status) && status.leadsOnly !== true)
    return peer ?? this.all.find(({ status }) => can(status))
  }

  /** The peer to speak for. One that is between two leaders keeps its clients, but has no mode that it could tell. */
  settled(): Peer | undefined {
    return (
      this.all.find(({ status }) => status.serving && status.role !== "looking") ??
      this.all.find(({ status }) => status.serving && status.readOnly === true)
    )
  }

  /** A peer tells who the ensemble is: the newest word counts. True if that is another ensemble than before. */
  follow(text: string): boolean {
    if (this.preference === undefined) return false
    const { version, members } = parseConfiguration(text)
    if (version <= this.version) return false
    this.version = version
    this.voters = members.filter(({ role }) => role === "participant").length
    const before = this.all
    this.arrange(this.preference(members.map(({ sid }) => sid)))
    return before.length !== this.all.length || before.some((peer, at) => peer !== this.all[at]) || this.left.size > 0
  }

  private arrange(sids: ReadonlyArray<Sid>): void {
    const known = new Map(this.all.map((peer) => [peer.sid, peer]))
    const members = sids.map((sid) => known.get(sid) ?? this.add(sid))
    this.left.clear()
    for (const peer of this.all) if (!members.includes(peer)) this.left.add(peer)
    this.all = [...members, ...this.left]
  }

  /** Those that have left the ensemble, once there is a member for their clients. They are peers no more. */
  takeLeft(): ReadonlyArray<Peer> {
    if (this.left.size === 0) return NONE
    const best = this.best()
    if (best === undefined || this.left.has(best)) return NONE
    const left = [...this.left]
    this.left.clear()
    this.all = this.all.filter((peer) => !left.includes(peer))
    return left
  }

  get names(): string {
    return this.all.map(({ sid }) => sid).join(", ")
  }
}
