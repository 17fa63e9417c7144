/**
 * FastLeaderElection: who leads, decided by votes that spread until a majority agrees on the best one.
 *
 * A core: `step` takes an event with the time in it and returns what to do. It stands on notifications that may be lost,
 * repeated or overtaken: only a voter's newest one matters, and whoever is still looking repeats its own.
 *
 * It follows ZooKeeper's (FastLeaderElection.java) with three changes that cost a message and save a wait:
 * - a decision, and later its establishment, is told to everybody at once, so that who looks on need not ask again;
 * - a looking voter answers a notification that shows that the sender has not heard it;
 * - if every voter has been heard in this round no better vote can come, and the decision does not wait for one.
 */

import { Majority, parseConfiguration, type Quorum } from "@zkmesh/membership"
import type { Notification, Role, Vote } from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"

export interface ElectionOptions {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
  /** The configuration's text, if more is known than who votes. */
  readonly configuration?: string | undefined
  /** Learns who leads and follows, but has no vote. */
  readonly observer: boolean
  /** How soon an unanswered vote is repeated; doubles up to the maximum. */
  readonly minNotificationMs: number
  readonly maxNotificationMs: number
  /** How long a majority waits for a better vote. */
  readonly finalizeWaitMs: number
}

export type ElectionInput =
  /** Who votes from now on: texts of the committed configuration, and of one that is not known to be committed. */
  | {
      readonly _tag: "Members"
      readonly now: number
      readonly committed: string
      readonly proposed: string | undefined
    }
  /** Starts an election, with this to offer; `voteless`: this peer has lost its log, and may not help anybody to win. */
  | {
      readonly _tag: "Look"
      readonly now: number
      readonly zxid: Zxid
      readonly currentEpoch: number
      readonly voteless?: true
    }
  /** The elected leader is established in `epoch`. */
  | {
      readonly _tag: "Settled"
      readonly now: number
      readonly role: Role
      readonly epoch: number
      readonly leader: Sid
    }
  | { readonly _tag: "Heard"; readonly now: number; readonly notification: Notification }
  /** Who looked is gone: nothing may be said in its name until it looks again. */
  | { readonly _tag: "Stop" }
  /** The time of the last Timer has come; a Tick at any other time does no harm. */
  | { readonly _tag: "Tick"; readonly now: number }

export type ElectionOutput =
  | { readonly _tag: "Send"; readonly notification: Notification }
  | { readonly _tag: "Elected"; readonly leader: Sid; readonly round: number }
  /** Somebody knows of a newer configuration that is committed: its text. Until `Members` nothing comes of it. */
  | { readonly _tag: "Newer"; readonly configuration: string }
  /** Replaces the timer before it; undefined: none is needed. */
  | { readonly _tag: "Timer"; readonly at: number | undefined }

/** An observer's own vote: anything is better, and nobody counts it. */
const NO_VOTE: Vote = { leader: 0, zxid: -1, peerEpoch: -1 }

/** The order of votes: epoch, then zxid, then id. */
export const better = (a: Vote, b: Vote): boolean =>
  a.peerEpoch !== b.peerEpoch ? a.peerEpoch > b.peerEpoch : a.zxid !== b.zxid ? a.zxid > b.zxid : a.leader > b.leader

const same = (a: Notification, b: Notification): boolean =>
  a.leader === b.leader &&
  a.peerEpoch === b.peerEpoch &&
  ((a.state !== "looking" && b.state !== "looking") || (a.zxid === b.zxid && a.round === b.round))

export class FastLeaderElection {
  private readonly options: ElectionOptions
  private voters: ReadonlySet<Sid>
  /** A decision needs each of them: there are two while a reconfiguration is not known to be committed. */
  private quorums: ReadonlyArray<Quorum>
  private observer: boolean
  /** A voter that has lost its log: it hears who wins, and says only that it is looking. */
  private voteless = false
  /** The voters of a configuration that others have in their logs, and this peer has not. */
  private readonly newcomers = new Set<Sid>()
  /** The committed configuration, once it has been agreed on: everybody is told. */
  private configuration: { readonly version: Zxid; readonly text: string } | undefined
  private proposed: string | undefined
  private outputs: Array<ElectionOutput> = []

  /** Before the first Look a peer has nothing to say. */
  private state: Role | "idle" = "idle"
  private round = 0
  /** Its own offer in this election. */
  private initial: Vote = NO_VOTE
  /** What it votes for now; after the decision, the decided vote. */
  private vote: Vote = NO_VOTE
  /** Each voter's newest vote of this round, its own among them. */
  private readonly votes = new Map<Sid, Notification>()
  /** What voters that are not looking have said since this election began, whatever their round. */
  private readonly settled = new Map<Sid, Notification>()

  private lastBroadcast = 0
  private resendAfter = 0
  private resendAt: number | undefined
  private finalizeAt: number | undefined
  private timerAt: number | undefined

  constructor(options: ElectionOptions) {
    this.options = options
    this.voters = new Set(options.voters)
    this.quorums = [new Majority(options.voters)]
    this.observer = options.observer
    if (options.configuration !== undefined) this.members(options.configuration, undefined)
  }

  step(input: ElectionInput): ReadonlyArray<ElectionOutput> {
    switch (input._tag) {
      case "Members":
        this.members(input.committed, input.proposed)
        break
      case "Look":
        this.voteless = input.voteless === true
        this.look(input.now, input.zxid, input.currentEpoch)
        break
      case "Settled":
        this.settle(input.now, input.role, input.epoch, input.leader)
        break
      case "Heard":
        this.hear(input.now, input.notification)
        break
      case "Stop":
        this.state = "idle"
        this.resendAt = this.finalizeAt = undefined
        break
      case "Tick":
        // The timer is spent, also if it came too early to be of use.
        this.timerAt = undefined
        this.tick(input.now)
        break
    }
    this.setTimer()
    const outputs = this.outputs
    this.outputs = []
    return outputs
  }

  private members(committed: string, proposed: string | undefined): void {
    const known = parseConfiguration(committed)
    this.configuration = known.version > 0 ? known : undefined
    this.proposed = proposed
    this.quorums = proposed === undefined ? [known.quorum] : [known.quorum, parseConfiguration(proposed).quorum]
    this.voters = new Set(this.quorums.flatMap((quorum) => [...quorum.voters]))
    this.observer = !this.voters.has(this.options.sid)
    for (const sid of this.votes.keys()) if (!this.voters.has(sid)) this.votes.delete(sid)
    for (const sid of this.settled.keys()) if (!this.voters.has(sid)) this.settled.delete(sid)
  }

  private get hasVote(): boolean {
    return !this.observer && !this.voteless
  }

  /** Whoever has no weight votes, but cannot be voted for. */
  private hasWeight(sid: Sid): boolean {
    return this.quorums.some((quorum) => quorum.weightOf(sid) > 0)
  }

  private isBetter(a: Vote, b: Vote): boolean {
    return better(a, b) && (this.hasWeight(a.leader) || this.newcomers.has(a.leader))
  }

  /** Also somebody whom a reconfiguration makes a voter that this peer has not got: it may have the best log of all. */
  private isCandidate(heard: Notification): boolean {
    // A voter that does not know yet that it is one offers nobody, but what it hears it will repeat.
    return heard.leader === NO_VOTE.leader || this.voters.has(heard.leader) || this.newcomers.has(heard.leader)
  }

  private look(now: number, zxid: Zxid, currentEpoch: number): void {
    const { sid, minNotificationMs } = this.options
    this.state = "looking"
    this.round++
    const offers = this.hasVote && this.hasWeight(sid)
    this.initial = offers ? { leader: sid, zxid, peerEpoch: currentEpoch } : NO_VOTE
    this.vote = this.initial
    this.votes.clear()
    this.settled.clear()
    this.newcomers.clear()
    this.finalizeAt = undefined
    this.resendAfter = minNotificationMs
    this.announce(now)
    this.consider(now)
  }

  /**
   * Later joiners compare epochs, so everybody who is settled has to name the established one. Who has just been started
   * learns here what its peer has been in the meantime: of a settled vote only the leader and the epoch count.
   *
   * A peer looks before it settles, and says so in that order. So this holds whatever the election has come to: the peer
   * may have been given the answer to an earlier Look, and would go on to vote here for whom it does not follow.
   */
  private settle(now: number, role: Role, epoch: number, leader: Sid): void {
    this.state = role
    this.finalizeAt = undefined
    this.vote = { leader, zxid: this.vote.zxid, peerEpoch: epoch }
    this.announce(now)
  }

  private tick(now: number): void {
    if (this.state !== "looking") return
    if (this.finalizeAt !== undefined && now >= this.finalizeAt) {
      this.decide(now, this.vote)
    } else if (this.resendAt !== undefined && now >= this.resendAt) {
      this.resendAfter = Math.min(this.resendAfter * 2, this.options.maxNotificationMs)
      this.announce(now)
    }
  }

  private hear(now: number, heard: Notification): void {
    const { sid } = this.options
    if (this.state === "idle" || heard.from === sid || (heard.to !== 0 && heard.to !== sid)) return
    if (this.state === "looking") this.compare(heard)
    if (!this.voters.has(heard.from)) {
      // Whoever asks is told. An answer is not answered: two that do not know each other would never come to an end.
      if (heard.to === 0) this.answer(heard)
    } else if (this.state !== "looking" && heard.state === "looking") this.answer(heard)
    else if (this.state !== "looking") return
    else if (heard.state === "looking" && this.isCandidate(heard)) this.hearLooking(now, heard)
    else if (heard.state !== "observing" && this.voters.has(heard.leader)) this.hearSettled(now, heard)
  }

  private compare({ configuration, proposed }: Notification): void {
    const known = this.configuration?.version ?? 0
    if (configuration !== undefined && configuration !== this.configuration?.text) {
      if (parseConfiguration(configuration).version > known) this.outputs.push({ _tag: "Newer", configuration })
    }
    if (proposed === undefined || proposed === this.proposed) return
    const { version, quorum } = parseConfiguration(proposed)
    if (version > known) for (const sid of quorum.voters) this.newcomers.add(sid)
  }

  private hearLooking(now: number, heard: Notification): void {
    this.settled.delete(heard.from)
    if (heard.round < this.round) {
      this.answer(heard)
      return
    }
    if (heard.round > this.round) {
      this.round = heard.round
      this.votes.clear()
      this.adopt(now, this.isBetter(heard, this.initial) ? heard : this.initial)
    } else if (this.isBetter(heard, this.vote)) {
      this.adopt(now, heard)
    } else if (heard.to === 0 && (this.isBetter(this.vote, heard) || this.isStale(now))) {
      // The sender speaks to all as if it had not heard this vote: it may have been lost.
      this.answer(heard)
    }
    this.votes.set(heard.from, heard)
    this.consider(now)
  }

  private isStale(now: number): boolean {
    return now - this.lastBroadcast >= this.options.minNotificationMs
  }

  /** Joining an established ensemble. */
  private hearSettled(now: number, heard: Notification): void {
    if (heard.round === this.round) {
      this.votes.set(heard.from, heard)
      if (this.isFollowed(this.votes, heard)) {
        this.decide(now, heard)
        return
      }
    }
    this.settled.set(heard.from, heard)
    if (this.isFollowed(this.settled, heard)) {
      this.round = heard.round
      this.decide(now, heard)
    }
  }

  /**
   * Somebody else who leads need not have been elected by a reconfiguration that this peer has in its log: it may never be
   * committed. Whether that leader may decide anything is not found out here.
   */
  private isFollowed(said: ReadonlyMap<Sid, Notification>, heard: Notification): boolean {
    const followers = this.followers(said, heard)
    const agree = (quorum: Quorum) => quorum.has(followers)
    const isAgreed = heard.leader === this.options.sid ? this.quorums.every(agree) : this.quorums.some(agree)
    return isAgreed && this.leaderOk(said, heard)
  }

  /**
   * A leader has to say so itself, or voters could keep electing one that has gone. And if it is said to be this peer, it
   * must be by the vote that this peer offers now: what it was elected for in an earlier life no longer counts.
   */
  private leaderOk(said: ReadonlyMap<Sid, Notification>, heard: Notification): boolean {
    if (heard.leader !== this.options.sid) return said.get(heard.leader)?.state === "leading"
    return (
      heard.round === this.round &&
      heard.zxid === this.initial.zxid &&
      heard.peerEpoch === this.initial.peerEpoch &&
      this.initial !== NO_VOTE
    )
  }

  private adopt(now: number, vote: Vote): void {
    this.vote = { leader: vote.leader, zxid: vote.zxid, peerEpoch: vote.peerEpoch }
    this.finalizeAt = undefined
    this.announce(now)
  }

  /** Decides, or starts to wait for a better vote, once a majority votes as this peer does. */
  private consider(now: number): void {
    if (this.vote.leader === NO_VOTE.leader || !this.agree(this.votes, this.notification(0))) {
      this.finalizeAt = undefined
    } else if (this.votes.size === this.voters.size && this.newcomers.size === 0) {
      this.decide(now, this.vote)
    } else {
      this.finalizeAt ??= now + this.options.finalizeWaitMs
    }
  }

  private agree(votes: ReadonlyMap<Sid, Notification>, vote: Notification): boolean {
    const followers = this.followers(votes, vote)
    return this.quorums.every((quorum) => quorum.has(followers))
  }

  private followers(votes: ReadonlyMap<Sid, Notification>, vote: Notification): ReadonlyArray<Sid> {
    const sids: Array<Sid> = []
    for (const [sid, other] of votes) if (same(other, vote)) sids.push(sid)
    return sids
  }

  private decide(now: number, vote: Vote): void {
    const { sid } = this.options
    this.vote = { leader: vote.leader, zxid: vote.zxid, peerEpoch: vote.peerEpoch }
    this.state = !this.hasVote ? "observing" : vote.leader === sid ? "leading" : "following"
    this.finalizeAt = undefined
    this.announce(now)
    this.outputs.push({ _tag: "Elected", leader: vote.leader, round: this.round })
  }

  /** Tells everybody; while looking, again and again. An observer only asks. */
  private announce(now: number): void {
    const looking = this.state === "looking"
    this.resendAt = looking ? now + this.resendAfter : undefined
    this.lastBroadcast = now
    if (looking && this.hasVote) this.votes.set(this.options.sid, this.notification(0))
    if (looking || this.hasVote) this.outputs.push({ _tag: "Send", notification: this.said(0) })
  }

  private answer(heard: Notification): void {
    // An observer's vote is worth nothing to anybody.
    if (this.hasVote) this.outputs.push({ _tag: "Send", notification: this.notification(heard.from) })
  }

  /** What it says to all: what it has heard from others must not look like a vote of somebody who has none to give. */
  private said(to: Sid): Notification {
    const notification = this.notification(to)
    return this.voteless ? { ...notification, ...NO_VOTE } : notification
  }

  private notification(to: Sid): Notification {
    const state = this.state === "idle" ? "looking" : this.state
    const said = { _tag: "Notification", from: this.options.sid, to, state, round: this.round, ...this.vote } as const
    if (this.configuration === undefined && this.proposed === undefined) return said
    return { ...said, configuration: this.configuration?.text, proposed: this.proposed }
  }

  private setTimer(): void {
    const at =
      this.finalizeAt === undefined || this.resendAt === undefined
        ? (this.finalizeAt ?? this.resendAt)
        : Math.min(this.finalizeAt, this.resendAt)
    if (at === this.timerAt) return
    this.timerAt = at
    this.outputs.push({ _tag: "Timer", at })
  }
}
