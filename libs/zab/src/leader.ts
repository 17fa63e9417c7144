/**
 * A leader, from its election to the first doubt.
 *
 * discovery: a quorum's FollowerInfo → a new epoch, durable → LeaderInfo → a quorum's AckEpoch
 * synchronization: currentEpoch durable → each learner is brought up to date (`LearnerSync`) → a quorum's AckNewLeader
 * broadcast: the whole history is committed; proposals are published, acknowledged, committed in order.
 */

import type { FanOut, LearnerToLeader, TreeDigest } from "@zkmesh/messages"
import { counterOf, epochOf, hex, zxid as makeZxid, type Sid, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { invariant } from "./invariant.ts"
import { LearnerHandle } from "./learnerHandle.ts"
import { Liveness } from "./liveness.ts"
import { Sparing } from "./sparing.ts"
import type { PeerState } from "./state.ts"
import { LearnerSync } from "./sync.ts"
import { SyncTurns } from "./turns.ts"
import type { LinkId, Phase, ReadOp, WriteOp } from "./types.ts"
import { Voting } from "./voting.ts"

export class Leader {
  private readonly state: PeerState
  phase: Phase = "discovery"
  epoch = 0
  readonly learners = new Map<LinkId, LearnerHandle>()
  /** The last zxid that was logged when this reign began. */
  private readonly history: Zxid
  private readonly historyEpoch: number
  private readonly infos = new Map<Sid, number>()
  private readonly epochAcks = new Set<Sid>()
  /** Voters that cannot count in this epoch: their history is better, or they have promised it to somebody else. */
  private readonly lost = new Set<Sid>()
  private readonly liveness: Liveness
  private readonly sparing: Sparing
  private readonly voting: Voting
  private readonly turns = new SyncTurns()
  private epochIsDurable = false
  private waiting: WriteOp | undefined
  private digest: TreeDigest | undefined
  /** The last commit that the learners were told. */
  private said: Zxid = 0
  /** The last proposal that somebody at another peer waits for. */
  private awaited: Zxid = 0
  /** What was committed when the wait for a proposal to ride with began; undefined while nothing waits. */
  private lingering: Zxid | undefined
  /** The learner whose clients alone wait for the last proposal, with nothing else under way, until it is told; or 0. */
  private waiter: Sid = 0
  private readonly startedAt: number
  establishedAt = 0

  constructor(state: PeerState) {
    this.state = state
    this.history = state.log.last
    this.historyEpoch = state.currentEpoch
    this.startedAt = state.now
    this.liveness = new Liveness(state, this)
    this.sparing = new Sparing(state, this.learners)
    this.voting = new Voting(state, this.learners, this.sparing)
    this.infos.set(state.config.sid, state.acceptedEpoch)
    this.tryEpoch()
  }

  opened(link: LinkId): void {
    this.learners.set(link, new LearnerHandle(link, this.state.now))
  }

  broken(link: LinkId, detail: string): void {
    const learner = this.learners.get(link)
    if (learner === undefined) return
    this.state.note(`learner ${learner.sid} has gone: ${detail}`)
    this.drop(learner)
    this.liveness.check()
    if (this.phase === "broadcast" && learner.isSynced) this.voting.tellSynced()
  }

  private drop(learner: LearnerHandle): void {
    learner.sync?.close()
    this.learners.delete(learner.link)
  }

  dismiss(learner: LearnerHandle, detail: string): void {
    this.state.note(`learner ${learner.sid} is sent away: ${detail}`)
    this.drop(learner)
    this.state.breakLearner(learner.link, detail)
    if (this.phase === "broadcast" && learner.isSynced) this.voting.tellSynced()
  }

  heard(link: LinkId, message: LearnerToLeader): void {
    const learner = this.learners.get(link)
    if (learner === undefined) return
    learner.heardAt = this.state.now
    switch (message._tag) {
      case "FollowerInfo":
        this.followerInfo(learner, message)
        return
      case "AckEpoch":
        this.ackEpoch(learner, message.currentEpoch, message.lastZxid, message.counts)
        return
      case "NeedSnap":
        if (learner.sync === undefined) {
          this.dismiss(learner, "NeedSnap before a sync")
          return
        }
        learner.sync.needSnap()
        return
      case "SyncAck":
        if (learner.votes) this.liveness.progressed()
        learner.sync?.acked(message.bytes)
        return
      case "AckNewLeader":
        this.ackNewLeader(learner, message.epoch)
        return
      case "Ack":
        this.ack(learner, message.zxid)
        return
    }
  }

  private followerInfo(learner: LearnerHandle, info: Extract<LearnerToLeader, { _tag: "FollowerInfo" }>): void {
    const { state } = this
    const { sid, acceptedEpoch, observer, configuration = 0 } = info
    const { membership } = state
    if (learner.stage !== "opened") {
      this.dismiss(learner, "a second FollowerInfo")
      return
    }
    if (configuration > membership.newest) {
      // Whoever is established with an old configuration is so no longer; else there is an election to learn it from.
      if (this.phase === "broadcast") this.dismiss(learner, "it knows a newer configuration")
      else state.doubts(`server ${sid} knows a newer configuration, ${hex(configuration)}`)
      return
    }
    learner.isRebuilding = info.rebuilding === true
    learner.votes = membership.isVoter(sid) && !learner.isRebuilding
    // Of a configuration that may change a server need not know the newest.
    const isForeign = membership.committed.version === 0 && membership.isVoter(sid) === observer
    if (isForeign || sid === state.config.sid) {
      this.dismiss(learner, `server ${sid} is not what this ensemble thinks it is`)
      return
    }
    for (const other of this.learners.values()) if (other.sid === sid) this.dismiss(other, "it has come back")
    learner.sid = sid
    learner.acceptedEpoch = acceptedEpoch
    learner.stage = "asked"
    if (this.epochIsDurable) {
      this.inform(learner)
      return
    }
    // While the new epoch is on its way to the disk this learner may come too late to be counted.
    if (learner.votes && this.epoch === 0) this.infos.set(sid, acceptedEpoch)
    this.tryEpoch()
  }

  /** Zab.tla LeaderProcessCEPOCH: one more than a quorum has ever accepted. */
  private tryEpoch(): void {
    const { state } = this
    if (this.epoch !== 0 || !state.membership.has(this.infos)) return
    this.epoch = Math.max(...this.infos.values()) + 1
    // Throws at the end of the world (2^21 epochs) rather than make an inexact zxid.
    makeZxid(this.epoch, 1)
    this.waiting = state.write({ _tag: "SetAcceptedEpoch", epoch: this.epoch })
  }

  private inform(learner: LearnerHandle): void {
    const { acceptedEpoch } = learner
    // A voter that has promised more could never join this reign: a new one will begin beyond its promise.
    if (learner.votes && acceptedEpoch > this.epoch) {
      this.state.doubts(`server ${learner.sid} has accepted epoch ${acceptedEpoch}, beyond ${this.epoch}`)
      return
    }
    learner.stage = "informed"
    learner.isBound = acceptedEpoch > this.epoch
    const { newest } = this.state.membership
    const message = { _tag: "LeaderInfo", epoch: this.epoch } as const
    this.state.emit({
      _tag: "ToLearner",
      link: learner.link,
      message: newest === 0 ? message : { ...message, configuration: newest }
    })
  }

  private ackEpoch(learner: LearnerHandle, currentEpoch: number, lastZxid: Zxid, counts: boolean): void {
    // It has cut its log or taken a snapshot, and says where it stands now.
    if (learner.sync !== undefined) {
      learner.sync.start(lastZxid)
      return
    }
    if (learner.stage !== "informed") {
      this.dismiss(learner, "AckEpoch before LeaderInfo")
      return
    }
    learner.stage = "acked"
    learner.lastZxid = lastZxid
    if (this.phase !== "discovery") {
      this.startSync(learner)
      return
    }
    if (!learner.votes) return
    // Zab.tla: the leader's history has to be the best of a quorum's.
    const isAhead = currentEpoch > this.historyEpoch || (currentEpoch === this.historyEpoch && lastZxid > this.history)
    if (isAhead) {
      this.dismiss(learner, `it is ahead: epoch ${currentEpoch}, ${hex(lastZxid)}`)
      this.lose(learner.sid)
    } else if (counts && !this.epochAcks.has(learner.sid)) {
      this.epochAcks.add(learner.sid)
      this.liveness.progressed()
    } else if (!this.epochAcks.has(learner.sid)) this.lose(learner.sid)
    this.tryCurrentEpoch()
  }

  /** Without enough voters left for a quorum somebody else has to lead, or this peer in another epoch. */
  private lose(sid: Sid): void {
    this.lost.add(sid)
    if (!this.state.membership.canSpare(this.lost)) this.state.doubts(`epoch ${this.epoch} finds no quorum`)
  }

  private tryCurrentEpoch(): void {
    const { state } = this
    if (this.waiting !== undefined || this.phase !== "discovery" || !state.membership.has(this.epochAcks)) return
    this.waiting = state.write({ _tag: "SetCurrentEpoch", epoch: this.epoch })
  }

  stored(op: WriteOp): void {
    if (op !== this.waiting) return
    this.waiting = undefined
    if (op._tag === "SetAcceptedEpoch") {
      this.epochIsDurable = true
      this.epochAcks.add(this.state.config.sid)
      for (const learner of this.learners.values()) if (learner.stage === "asked") this.inform(learner)
      this.tryCurrentEpoch()
    } else if (op._tag === "SetCurrentEpoch") {
      this.phase = "synchronization"
      for (const learner of this.learners.values()) if (learner.stage === "acked") this.startSync(learner)
      this.tryEstablish()
    }
  }

  private startSync(learner: LearnerHandle): void {
    learner.sync = new LearnerSync(this.state, learner, this.epoch, this.turns)
    learner.sync.start(learner.lastZxid)
  }

  private ackNewLeader(learner: LearnerHandle, epoch: number): void {
    if (learner.sync?.isJoined !== true || epoch !== this.epoch) {
      this.dismiss(learner, "a stray AckNewLeader")
      return
    }
    learner.isSynced = true
    learner.acked = learner.sync.joinedAt
    if (learner.votes) this.liveness.progressed()
    if (this.phase === "broadcast") {
      this.upToDate(learner)
      this.voting.tellSynced()
    } else this.tryEstablish()
  }

  /** Somebody votes who has not, or the other way round; a leader without a vote has done its last work. */
  reconfigured(): void {
    const { state } = this
    this.voting.count()
    if (this.phase !== "broadcast") return
    if (state.observer) {
      this.sayCommit()
      state.doubts("this server votes no more")
    } else this.liveness.check()
  }

  /** Zab.tla LeaderProcessACKLD: with a quorum behind it the whole history is committed. */
  private tryEstablish(): void {
    const { state, epoch } = this
    if (this.phase !== "synchronization" || !state.membership.has(this.voting.synced())) return
    invariant(this.history >= state.committed, () => `leading without committed ${hex(state.committed)}`)
    this.phase = "broadcast"
    this.establishedAt = state.now
    state.commitTo(this.history)
    this.voting.establish(this.epoch)
    state.counters.syncMs = state.now - this.startedAt
    state.feed.become({ _tag: "Role", role: "leading", epoch, leader: state.config.sid }, this.history)
    state.emit({ _tag: "ToElection", message: { _tag: "Settled", role: "leading", epoch, leader: state.config.sid } })
    state.note(`leading in epoch ${epoch} from ${hex(this.history)}`)
    for (const learner of this.learners.values()) if (learner.isSynced) this.upToDate(learner)
    this.liveness.established()
    this.voting.tellSynced()
  }

  private upToDate(learner: LearnerHandle): void {
    const { committed, membership } = this.state
    const configuration = membership.stored.committed
    const message = { _tag: "UpToDate", committed } as const
    this.state.emit({
      _tag: "ToLearner",
      link: learner.link,
      message: configuration === undefined ? message : { ...message, configuration }
    })
  }

  /** From the own znode; anything of another reign has been overtaken by events and is asked for again. */
  propose(epoch: number, batch: TxnBatch, waiter?: Sid): void {
    const { state } = this
    if (this.phase !== "broadcast" || epoch !== this.epoch) {
      invariant(epoch <= state.currentEpoch, () => `the znode proposes in epoch ${epoch}, which has not come`)
      return
    }
    const previous = state.log.last
    const first = epochOf(previous) === epoch ? previous + 1 : makeZxid(epoch, 1)
    invariant(batch.first === first, () => `the znode proposes ${hex(batch.first)}, expected ${hex(first)}`)
    invariant(batch.last - batch.first + 1 === batch.count, () => `the znode's batch at ${hex(first)} has a hole`)
    if (epochOf(batch.last) !== epoch || counterOf(batch.last) > state.config.counterLimit) {
      state.doubts(`epoch ${epoch} has no zxids left`)
      return
    }
    if (waiter !== 0) this.awaited = batch.last
    // Else it rides with the proposal.
    if (this.digest !== undefined) this.sayCommit()
    const { committed } = state
    const isLone = waiter !== undefined && previous === committed
    const spared = isLone ? this.sparing.of(waiter) : undefined
    this.waiter = isLone ? waiter : 0
    this.publish({ _tag: "Propose", leader: state.config.sid, epoch, previous, committed, batch, spared })
    this.said = committed
    // Whoever is added or removed by it waits for it.
    if (state.accept(batch) !== undefined) {
      this.awaited = batch.last
      this.waiter = 0
    }
    state.counters.proposes(batch.count, batch.bytes.length)
  }

  private ack(learner: LearnerHandle, zxid: Zxid): void {
    // Before AckNewLeader it is only a sign of life: what it has may not be ours.
    if (!learner.isSynced || zxid <= learner.acked) return
    if (zxid > this.state.log.last) {
      this.dismiss(learner, `it acknowledges ${hex(zxid)}, never proposed`)
      return
    }
    learner.acked = zxid
    if (learner.votes) this.sparing.acknowledged(learner.sid, zxid)
  }

  /** Zab.tla LeaderProcessACK, once per pass: everything that a quorum has durably, in one message. */
  commit(): void {
    if (this.phase !== "broadcast") return
    const { state } = this
    if (this.waiter !== 0) this.trySuffice()
    const reached = this.voting.reached()
    if (reached === undefined || reached <= state.committed) return
    state.commitTo(reached)
    if (this.said < this.awaited) this.publishCommit()
    else if (this.lingering === undefined) this.linger()
    if (counterOf(reached) >= state.config.counterLimit) state.doubts(`epoch ${this.epoch} is used up`)
  }

  /**
   * The one whose clients wait counts itself: as soon as the others of a quorum have the proposal it is told so, while it
   * may still be writing. What a quorum has durably in one epoch is chosen, whoever is the first to know.
   */
  private trySuffice(): void {
    const { state, waiter } = this
    const { last } = state.log
    const reached = this.voting.reached(waiter)
    if (reached === undefined || reached < last) return
    this.waiter = 0
    for (const { sid, link, isSynced, votes } of this.learners.values()) {
      if (sid !== waiter || !isSynced || !votes) continue
      state.emit({ _tag: "ToLearner", link, message: { _tag: "Suffices", zxid: last } })
      // Nobody else waits for a commit: the others learn of it with the next proposal.
      this.awaited = this.said
    }
  }

  /**
   * A commit that nobody of the learners waits for is worth no message of its own, if a proposal leaves soon: a lone writer
   * at the leader then wakes every process once less for each write.
   */
  private linger(): void {
    this.lingering = this.state.committed
    this.state.emit({ _tag: "Linger", with: "commit" })
  }

  /** One that has come since the wait began, because all before it have left with proposals, waits as long as they could. */
  lingered(): void {
    const { lingering } = this
    this.lingering = undefined
    if (lingering === undefined || this.said >= this.state.committed) return
    if (this.said < lingering) this.sayCommit()
    else this.linger()
  }

  /** Tells the learners what no proposal has told them. */
  private sayCommit(): void {
    if (this.phase === "broadcast" && this.said < this.state.committed) this.publishCommit()
  }

  publishCommit(): void {
    const { state, epoch, digest } = this
    this.said = state.committed
    this.digest = undefined
    this.publish({ _tag: "Commit", leader: state.config.sid, epoch, zxid: state.committed, digest })
  }

  private publish(message: FanOut): void {
    this.state.emit({ _tag: "Publish", message })
  }

  /** The own znode's digest goes out with the next commit. */
  digested(digest: TreeDigest): void {
    this.digest = digest
  }

  tick(): void {
    this.liveness.tick()
  }

  found(op: ReadOp, zxid: Zxid | undefined): void {
    for (const learner of this.learners.values()) learner.sync?.found(op, zxid)
  }
  read(op: ReadOp, batches: ReadonlyArray<TxnBatch>): void {
    for (const learner of this.learners.values()) learner.sync?.read(op, batches)
  }
  snapshotOpened(op: ReadOp, zxid: Zxid): void {
    for (const learner of this.learners.values()) learner.sync?.snapshotOpened(op, zxid)
  }
  snapshotRead(op: ReadOp, bytes: Uint8Array, last: boolean): void {
    for (const learner of this.learners.values()) learner.sync?.snapshotRead(op, bytes, last)
  }

  /** Nothing after this may be purged: a learner still needs it. */
  get pinned(): Zxid {
    let pinned = Number.POSITIVE_INFINITY
    for (const learner of this.learners.values()) {
      if (learner.sync !== undefined && learner.sync.pinned < pinned) pinned = learner.sync.pinned
    }
    return pinned
  }

  close(reason: string): void {
    for (const learner of [...this.learners.values()]) {
      this.drop(learner)
      this.state.breakLearner(learner.link, reason)
    }
  }
}
