/**
 * A follower or an observer of one leader, from the dial to the first doubt.
 *
 * discovery: FollowerInfo → LeaderInfo → (acceptedEpoch durable) → AckEpoch
 * synchronization: Diff | Trunc | Snap …, NewLeader → (history durable, then currentEpoch) → AckNewLeader
 * broadcast: UpToDate, then the fan-out: append → Ack, and deliver what is committed.
 *
 * The order log, epoch, acknowledgement is what ZOOKEEPER-4643 and 4646 got wrong.
 */
import { parseConfiguration } from "@zkmesh/membership"
import type { FanOut, LeaderToLearner, LearnerToLeader } from "@zkmesh/messages"
import { hex, type Sid, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { EarlyProposals, type Proposal } from "./early.ts"
import { InvariantBroken } from "./invariant.ts"
import { Pace } from "./pace.ts"
import type { PeerState } from "./state.ts"
import type { LinkId, Phase, WriteOp } from "./types.ts"

type Stage =
  /** The link is not open yet. */
  | "dialing"
  /** FollowerInfo is sent. */
  | "asking"
  /** The new epoch is on its way to the disk. */
  | "accepting"
  /** The leader knows where this learner stands and decides how it is brought up to date. */
  | "standing"
  | "truncating"
  | "restoring"
  | "diff"
  /** NewLeader has come; the history and then the epoch become durable. */
  | "joining"
  /** AckNewLeader is sent. */
  | "joined"
  | "serving"

const MAX_DIALS = 5
const NOBODY: ReadonlyArray<Sid> = []

export class Learner {
  private readonly state: PeerState
  readonly leader: Sid
  private readonly nextLink: () => LinkId
  private link: LinkId = 0
  private stage: Stage = "dialing"
  private dials = 0
  /** From when on it dials, at a tick; undefined: it has. */
  private dialAt: number | undefined
  epoch = 0
  private snapshotZxid: Zxid = 0
  /** The whole snapshot has come. */
  private isRestored = false
  private newLeaderLast: Zxid = 0
  private readonly early: EarlyProposals
  private earlyCommit: Zxid = 0
  /** Everything up to here is committed as soon as it is durable here. */
  private sufficient: Zxid = 0
  private readonly pace: Pace
  private waiting: WriteOp | undefined
  private heardAt: number
  private readonly startedAt: number
  private beatAt: number
  /** What the own znode was told. */
  private role: "following" | "observing" | undefined

  constructor(state: PeerState, leader: Sid, nextLink: () => LinkId, delayMs: number) {
    this.state = state
    this.leader = leader
    this.nextLink = nextLink
    this.early = new EarlyProposals(state.config.windowBytes)
    this.pace = new Pace(state)
    this.startedAt = this.beatAt = state.now
    this.heardAt = this.dialAt = state.now + delayMs
    if (delayMs === 0) this.dial()
  }

  get phase(): Phase {
    if (this.stage === "serving") return "broadcast"
    return this.stage === "dialing" || this.stage === "asking" || this.stage === "accepting"
      ? "discovery"
      : "synchronization"
  }
  isLink(link: LinkId): boolean {
    return this.link === link
  }

  private dial(): void {
    this.dials++
    this.dialAt = undefined
    this.link = this.nextLink()
    this.state.emit({ _tag: "DialLeader", link: this.link, leader: this.leader })
  }

  opened(): void {
    const { config, acceptedEpoch, membership, isRebuilding } = this.state
    const { version } = membership.committed
    this.stage = "asking"
    this.heardAt = this.state.now
    const observer = !membership.isVoter(config.sid)
    const info = { _tag: "FollowerInfo", sid: config.sid, acceptedEpoch, observer } as const
    const asked = isRebuilding ? ({ ...info, rebuilding: true } as const) : info
    this.tell(version === 0 ? asked : { ...asked, configuration: version })
  }

  broken(detail: string): void {
    const { now, config } = this.state
    if (this.stage === "dialing" && this.dials < MAX_DIALS) this.dialAt = now + (config.redialMs ?? 0)
    else this.state.doubts(`the link to leader ${this.leader} broke: ${detail}`)
  }

  heard(message: LeaderToLearner): void {
    this.heardAt = this.state.now
    switch (message._tag) {
      case "LeaderInfo":
        this.leaderInfo(message.epoch, message.configuration ?? 0)
        return
      case "Diff":
        if (!this.expect("standing", message._tag)) return
        if (message.after !== this.state.log.last) {
          this.state.doubts("the leader's Diff starts elsewhere")
          return
        }
        this.stage = "diff"
        return
      case "Trunc":
        if (!this.expect("standing", message._tag)) return
        this.stage = "truncating"
        this.waiting = this.state.write({ _tag: "Truncate", zxid: message.zxid })
        return
      case "Snap":
        if (!this.expect("standing", message._tag)) return
        this.stage = "restoring"
        this.adopt(message.configuration)
        this.state.write({ _tag: "Restore", zxid: message.zxid })
        this.snapshotZxid = message.zxid
        this.state.feed.pause()
        return
      case "SnapChunk":
        if (!this.expect("restoring", message._tag)) return
        if (message.bytes.length > 0) this.state.write({ _tag: "RestoreChunk", bytes: message.bytes })
        this.isRestored = message.last
        return
      case "Sync":
        if (this.expect("diff", message._tag)) this.state.acceptPast(message.batch)
        return
      case "NewLeader":
        this.newLeader(message.epoch, message.last)
        return
      case "UpToDate":
        this.adopt(message.configuration)
        this.upToDate(message.committed)
        return
      case "Suffices":
        this.sufficient = message.zxid
        this.trySuffice()
        return
    }
  }

  private adopt(text: string | undefined): void {
    if (text !== undefined) this.state.membership.adopt(parseConfiguration(text))
  }

  private leaderInfo(epoch: number, configuration: Zxid): void {
    if (!this.expect("asking", "LeaderInfo")) return
    const { state } = this
    const { membership } = state
    // Somebody who wants to join has a configuration of its own, and may not make this peer one of it.
    if (!membership.isVoter(this.leader) && configuration <= membership.newest) {
      state.doubts(`server ${this.leader} may not lead by configuration ${hex(membership.newest)}`)
      return
    }
    // An observer's promise is worth nothing to anybody, so it may follow any leader that is not behind it.
    const least = state.observer ? state.currentEpoch : state.acceptedEpoch
    if (epoch < least) {
      state.doubts(`leader ${this.leader} proposes epoch ${epoch}, older than ${least}`)
      return
    }
    this.epoch = epoch
    this.stage = "accepting"
    if (epoch > state.acceptedEpoch) this.waiting = state.write({ _tag: "SetAcceptedEpoch", epoch })
    // The same promise to the same leader: an epoch belongs to one reign, so to say it again is no second vote.
    else this.ackEpoch(epoch === state.acceptedEpoch && state.acceptedFrom === this.leader)
  }

  private ackEpoch(counts: boolean): void {
    const { currentEpoch, log } = this.state
    this.stage = "standing"
    this.tell({ _tag: "AckEpoch", currentEpoch, lastZxid: log.last, counts })
  }

  private newLeader(epoch: number, last: Zxid): void {
    if (!this.expect("diff", "NewLeader")) return
    const { state } = this
    if (epoch !== this.epoch || last !== state.log.last) {
      state.doubts(`NewLeader ${hex(last)} in epoch ${epoch}, but the log ends at ${hex(state.log.last)}`)
      return
    }
    this.newLeaderLast = last
    this.stage = "joining"
    this.tryJoin()
  }

  /** Zab.tla FollowerProcessNEWLEADER: the history first, then the epoch, then the acknowledgement. */
  private tryJoin(): void {
    const { state } = this
    if (this.stage !== "joining" || this.waiting !== undefined || state.log.durable !== this.newLeaderLast) return
    if (state.currentEpoch < this.epoch) {
      this.waiting = state.write({ _tag: "SetCurrentEpoch", epoch: this.epoch })
      return
    }
    this.stage = "joined"
    this.tell({ _tag: "AckNewLeader", epoch: this.epoch })
    for (const proposal of this.early.take()) this.propose(proposal)
    this.checkHole()
  }

  private upToDate(committed: Zxid): void {
    if (!this.expect("joined", "UpToDate")) return
    const { state } = this
    this.stage = "serving"
    state.commitTo(Math.max(committed, this.earlyCommit))
    state.counters.syncMs = state.now - this.startedAt
    this.settle()
    // The leader was established without this peer's word, so what it has given is all that can have been committed.
    if (state.isRebuilding) this.waiting = state.write({ _tag: "SetRebuilt" })
  }

  private settle(): void {
    const { state } = this
    const role = state.observer ? "observing" : "following"
    this.role = role
    state.feed.become({ _tag: "Role", role, epoch: this.epoch, leader: this.leader }, state.committed)
    state.emit({ _tag: "ToElection", message: { _tag: "Settled", role, epoch: this.epoch, leader: this.leader } })
    state.note(`${role} ${this.leader} in epoch ${this.epoch}`)
  }

  /** Somebody votes who has not, or the other way round; if it is this peer, it goes on in its new role. */
  reconfigured(): void {
    if (this.stage === "serving" && this.role !== (this.state.observer ? "observing" : "following")) this.settle()
  }

  fanOut(message: FanOut): void {
    if (message.leader !== this.leader || message.epoch !== this.epoch) return
    this.heardAt = this.state.now
    const isJoined = this.stage === "joined" || this.stage === "serving"
    this.committed(message._tag === "Propose" ? message.committed : message.zxid, isJoined)
    if (message._tag === "Propose") {
      if (isJoined) this.propose(message)
      else this.early.keep(message)
    } else if (this.stage === "serving" && message.digest !== undefined) this.state.feed.digest(message.digest)
  }

  private committed(zxid: Zxid, isJoined: boolean): void {
    if (zxid > this.earlyCommit) this.earlyCommit = zxid
    if (isJoined) this.checkHole()
    if (this.stage === "serving") this.state.commitTo(zxid)
  }

  private propose({ previous, batch, spared }: Proposal): void {
    const { state } = this
    if (batch.last <= state.log.last) return
    if (previous !== state.log.last) {
      state.doubts(`a proposal follows ${hex(previous)}, but the log ends at ${hex(state.log.last)}`)
      return
    }
    this.pace.proposed(spared ?? NOBODY)
    state.accept(batch)
    state.counters.proposed(batch.count, batch.bytes.length)
  }

  /** The leader commits what this learner has never seen: a proposal was lost. */
  private checkHole(): void {
    const { log } = this.state
    if (this.earlyCommit > log.last) {
      this.state.doubts(`${hex(this.earlyCommit)} is committed, but the log ends at ${hex(log.last)}`)
    }
  }

  /** A write of this peer has ended; the state knows already. */
  stored(op: WriteOp): void {
    // While it catches up its own disk may be the slow one.
    if (this.stage !== "serving") this.heardAt = this.state.now
    if (op._tag === "Append") {
      this.appended(op.batch)
      return
    }
    if (op._tag === "RestoreChunk" && this.stage === "restoring") {
      this.tell({ _tag: "SyncAck", bytes: op.bytes.length })
    }
    if (op !== this.waiting) return
    this.waiting = undefined
    switch (op._tag) {
      case "SetAcceptedEpoch":
        this.state.acceptedFrom = this.leader
        this.ackEpoch(true)
        return
      case "SetCurrentEpoch":
        this.tryJoin()
        return
      case "RestoreCommit":
        this.ackEpoch(false)
        return
      case "SetRebuilt":
        // The leader has to be asked anew, as by one that votes.
        this.state.doubts("its log is whole again: it votes")
        return
      default:
        throw new InvariantBroken(`nobody waits for ${op._tag}`)
    }
  }

  truncated(op: WriteOp, kept: Zxid | undefined): void {
    if (op !== this.waiting) return
    this.waiting = undefined
    // Whether it was the zxid that was asked for or one before it: the leader decides again from there.
    if (kept !== undefined) {
      this.ackEpoch(false)
      return
    }
    this.stage = "standing"
    this.tell({ _tag: "NeedSnap" })
  }

  private appended(batch: TxnBatch): void {
    switch (this.stage) {
      case "diff":
      case "joining":
        this.tell({ _tag: "SyncAck", bytes: batch.bytes.length })
        this.tryJoin()
        return
      case "joined":
      case "serving":
        // An observer's copy counts for nothing; its heartbeat tells how far it is.
        if (!this.state.observer) this.tell({ _tag: "Ack", zxid: batch.last })
        this.trySuffice()
        this.pace.acknowledged()
        return
      default:
        throw new InvariantBroken(`an append has ended while ${this.stage}`)
    }
  }

  /** Commits what only this peer's word was missing for. Its client is the one that waits, so nothing is held back. */
  private trySuffice(): void {
    const { state } = this
    const reached = Math.min(this.sufficient, state.log.durable)
    if (this.stage !== "serving" || reached <= state.committed) return
    state.commitTo(reached)
    this.pace.lingered()
  }

  /** The end of a pass: what is due goes to the disk. */
  flush(): void {
    const { state } = this
    if (this.isRestored && !state.feed.isReading) {
      this.isRestored = false
      this.waiting = state.write({ _tag: "RestoreCommit", zxid: this.snapshotZxid })
    }
    state.append(this.appendLimit)
  }

  /** What may go to the disk: an observer logs nothing that is not committed, except what it was synchronised with. */
  private get appendLimit(): Zxid {
    if (this.stage === "diff" || this.stage === "joining") return Number.POSITIVE_INFINITY
    return this.state.observer ? Math.max(this.state.committed, this.newLeaderLast) : this.pace.limit
  }

  lingered(): void {
    this.pace.lingered()
  }

  /** What is committed can wait until this peer has said that it has what comes next. */
  get holdsDelivery(): boolean {
    return this.stage === "serving" && this.pace.holdsDelivery
  }

  tick(): void {
    const { state } = this
    this.pace.tick()
    if (this.dialAt !== undefined && state.now >= this.dialAt) this.dial()
    const silence = state.now - this.heardAt
    if (this.phase === "discovery" && this.waiting === undefined) {
      // Longer than the leader itself would wait, so that it is the first to give up.
      if (silence > 2 * state.discoveryLimitMs) state.doubts(`leader ${this.leader} does not answer`)
    } else if (silence > (this.stage === "serving" ? state.syncLimitMs : state.initLimitMs)) {
      state.doubts(`leader ${this.leader} has been silent for ${Math.round(silence)} ms`)
    }
    if (state.now - this.beatAt >= state.config.tickTimeMs / 2 && this.phase !== "discovery") {
      this.beatAt = state.now
      this.tell({ _tag: "Ack", zxid: state.log.durable })
    }
  }

  /** Ends it: nothing of this reign may reach the leader any more. */
  close(reason: string): void {
    if (this.dialAt === undefined) this.state.emit({ _tag: "BreakLeader", link: this.link, detail: reason })
    const isCommitting = this.waiting?._tag === "RestoreCommit"
    if (this.stage === "restoring" && !isCommitting) {
      this.state.write({ _tag: "RestoreAbort" })
      this.state.feed.resume()
    }
    this.waiting = undefined
  }

  private expect(stage: Stage, tag: string): boolean {
    if (this.stage === stage) return true
    this.state.doubts(`leader ${this.leader} sent ${tag} while this learner is ${this.stage}`)
    return false
  }

  private tell(message: LearnerToLeader): void {
    this.state.emit({ _tag: "ToLeader", link: this.link, message })
  }
}
