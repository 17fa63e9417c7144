/**
 * One peer: LOOKING → (LEADING | FOLLOWING | OBSERVING), and with any doubt back to LOOKING.
 *
 * `step` takes one input and changes memory; `flush`, once at the end of a pass, adds what is worth doing once for all
 * inputs of the pass (one append, one commit, one look at the znode's window) and returns what the shell owes.
 */

import { type Configuration, parseConfiguration } from "@zkmesh/membership"
import type { FanOut, RoleChange, ZnodeToBroadcast } from "@zkmesh/messages"
import { hex, type Sid, type Zxid, zxid as zxidOf } from "@zkmesh/numbers"
import { invariant } from "./invariant.ts"
import { Leader } from "./leader.ts"
import { Learner } from "./learner.ts"
import { PeerState } from "./state.ts"
import { peerStats, type ZabStats } from "./stats.ts"
import type { Input, LinkId, Output, PeerConfig, Phase, RecoveredLog, WriteOp } from "./types.ts"

export class Peer {
  private readonly state: PeerState
  private leader: Leader | undefined
  private learner: Learner | undefined
  private electionIsOpen = false
  /** A leader has been asked for. */
  private hasLooked = false
  /** In this pass it has stopped to lead or to follow. */
  private hasGivenUp = false
  private offersNothing = false
  /** Since the start: until then the election has not been told anything in this peer's name. */
  private hasEverLooked = false
  private lookingSince = 0
  /** What an observer that has lost its leader waits for: to look, then to dial. */
  private lookAt = 0
  private dialDelayMs = 0
  /** Learners that came while this peer looks: what they have said waits until it knows whether it leads. */
  private readonly early = new Map<LinkId, Array<Extract<Input, { _tag: "FromLearner" }>["message"]>>()
  private lastLink: LinkId = 0

  constructor(config: PeerConfig, recovered: RecoveredLog) {
    this.state = new PeerState(config, recovered)
    this.state.counters.looking++
  }

  get role(): RoleChange["role"] {
    if (this.leader !== undefined) return "leading"
    if (this.learner === undefined) return "looking"
    return this.state.observer ? "observing" : "following"
  }
  get phase(): Phase | "election" {
    return this.leader?.phase ?? this.learner?.phase ?? "election"
  }
  /** Of the leader that this peer is or follows. */
  get epoch(): number {
    return this.leader?.epoch ?? this.learner?.epoch ?? this.state.currentEpoch
  }
  get leaderSid(): Sid {
    return this.leader !== undefined ? this.state.config.sid : (this.learner?.leader ?? 0)
  }
  get committed(): Zxid {
    return this.state.committed
  }
  get lastLogged(): Zxid {
    return this.state.log.last
  }
  get durable(): Zxid {
    return this.state.log.durable
  }
  stats(): ZabStats {
    return peerStats(this.state, this.leader, this.learner)
  }

  step(now: number, input: Input): void {
    this.state.now = now
    this.dispatch(input)
    if (this.state.doubt !== undefined) this.look(this.state.doubt)
  }

  /** The end of a pass. */
  flush(): Array<Output> {
    const { state } = this
    const before = state.committed
    this.leader?.commit()
    if (state.membership.hasChanged) this.reconfigured()
    if (state.doubt !== undefined) this.look(state.doubt)
    // What has been dropped may have been a reconfiguration.
    if (state.membership.hasChanged) this.reconfigured()
    if (this.leader !== undefined) {
      state.counters.commits += Math.max(0, state.committed - Math.max(before, zxidOf(this.leader.epoch, 0)))
    }
    if (this.leader !== undefined) state.append(Number.POSITIVE_INFINITY)
    else this.learner?.flush()
    if (this.learner?.holdsDelivery !== true) state.feed.pump()
    state.retention.purge(this.leader?.pinned ?? Number.POSITIVE_INFINITY)
    this.tryLook()
    if (this.hasGivenUp && !this.hasLooked && this.electionIsOpen) {
      state.emit({ _tag: "ToElection", message: { _tag: "Stop" } })
    }
    this.hasGivenUp = false
    return state.take()
  }

  private dispatch(input: Input): void {
    switch (input._tag) {
      case "FromFanOut":
        this.fanOut(input.message)
        return
      case "FromLearner":
        if (this.leader !== undefined) {
          this.leader.heard(input.link, input.message)
          return
        }
        return void this.early.get(input.link)?.push(input.message)
      case "FromZnode":
        if (this.state.feed.isLink(input.link)) this.fromZnode(input.message)
        return
      case "Stored":
        this.stored(input.op)
        return
      case "FromLeader":
        if (this.learner?.isLink(input.link)) this.learner.heard(input.message)
        return
      case "LearnerOpened":
        this.learnerOpened(input.link)
        return
      case "LearnerBroken":
        this.early.delete(input.link)
        this.leader?.broken(input.link, input.detail)
        return
      case "LeaderOpened":
        if (this.learner?.isLink(input.link)) this.learner.opened()
        return
      case "LeaderBroken":
        if (this.learner?.isLink(input.link)) this.learner.broken(input.detail)
        return
      case "ZnodeOpened":
        this.znodeOpened(input.link)
        return
      case "ZnodeBroken":
        this.znodeBroken(input.link)
        return
      case "FromElection":
        if (input.message._tag === "Elected") this.elected(input.message.leader)
        else this.heardOfNewer(input.message.configuration)
        return
      case "ElectionOpened":
        this.electionIsOpen = true
        if (this.state.membership.newest > 0) this.tellElection()
        this.tellSettled()
        return
      case "ElectionBroken":
        this.electionIsOpen = false
        this.hasLooked = false
        return
      case "FanOutLost":
        // Learners would find a hole anyway, later.
        if (this.leader !== undefined && this.state.membership.voters.size > 1) this.state.doubts("the broker has gone")
        return
      case "Lingered":
        this.leader?.lingered()
        this.learner?.lingered()
        return
      case "Tick":
        this.leader?.tick()
        this.learner?.tick()
        return
      default:
        this.storeAnswered(input)
        return
    }
  }

  private storeAnswered(
    input: Extract<Input, { _tag: "Truncated" | "Found" | "Read" | "SnapshotOpened" | "SnapshotRead" | "Purged" }>
  ): void {
    const { state, leader } = this
    switch (input._tag) {
      case "Truncated":
        state.pendingWrites--
        if (input.kept !== undefined) state.truncated(input.kept)
        this.learner?.truncated(input.op, input.kept)
        return
      case "Found":
        leader?.found(input.op, input.zxid)
        return
      case "Read":
        if (!state.feed.read(input.op, input.batches)) leader?.read(input.op, input.batches)
        return
      case "SnapshotOpened":
        leader?.snapshotOpened(input.op, input.zxid)
        return
      case "SnapshotRead":
        leader?.snapshotRead(input.op, input.bytes, input.last)
        return
      case "Purged":
        state.retention.purged(input.op, input.floor)
        return
    }
  }

  private fanOut(message: FanOut): void {
    if (message.leader !== this.state.config.sid) this.learner?.fanOut(message)
  }

  /** What has become durable is so whoever leads now; then whoever waited for it goes on. */
  private stored(op: WriteOp): void {
    const { state } = this
    if (op._tag !== "Append") state.pendingWrites--
    switch (op._tag) {
      case "Append":
        state.log.appended(op.batch, state.config.windowBytes)
        state.retention.appended(op.batch.last, op.batch.count)
        break
      case "SetAcceptedEpoch":
        state.acceptedEpoch = op.epoch
        state.acceptedFrom = 0
        break
      case "SetCurrentEpoch":
        state.currentEpoch = op.epoch
        break
      case "RestoreCommit":
        state.restored(op.zxid)
        break
      case "SetRebuilt":
        state.isRebuilding = false
        break
    }
    this.leader?.stored(op)
    this.learner?.stored(op)
  }

  private learnerOpened(link: LinkId): void {
    if (this.leader !== undefined) this.leader.opened(link)
    else if (this.learner !== undefined) this.state.breakLearner(link, `not leading: following ${this.learner.leader}`)
    else this.early.set(link, [])
  }

  private fromZnode(message: ZnodeToBroadcast): void {
    const { state } = this
    switch (message._tag) {
      case "Propose":
        if (this.leader !== undefined) this.leader.propose(message.epoch, message.batch, message.waiter)
        // Else it was prepared in a reign that is over: its session asks again once there is a leader.
        else invariant(message.epoch <= state.currentEpoch, `the znode proposes in epoch ${message.epoch}`)
        return
      case "Applied":
        state.feed.progressed(message.zxid)
        if (message.digest !== undefined) this.leader?.digested(message.digest)
        return
      case "Checkpointed":
        state.feed.checkpointed(message.zxid)
        state.retention.checkpointed(message.zxid)
        return
      case "Reset":
        state.counters.forgetSizes()
        return
      case "Hello":
        state.feed.hello(message.applied, message.checkpoint)
        // Now it has something to offer.
        if (this.offersNothing && state.feed.isConnected) this.hasLooked = false
        return
    }
  }

  private znodeOpened(link: LinkId): void {
    if (this.leader?.phase === "broadcast" && this.state.feed.isConnected) {
      this.state.doubts("the znode has started anew: what it had prepared is lost")
    }
    this.state.feed.opened(link)
  }

  private znodeBroken(link: LinkId): void {
    if (!this.state.feed.isLink(link)) return
    this.state.feed.broken()
    if (this.leader?.phase === "broadcast") this.state.doubts("the znode has gone: what it had prepared is lost")
  }

  private elected(leader: Sid): void {
    const { state } = this
    if (!this.hasLooked || this.leader !== undefined || this.learner !== undefined) return
    this.hasLooked = false
    this.offersNothing = false
    state.counters.electionMs = state.now - this.lookingSince
    if (leader !== state.config.sid) {
      this.learner = new Learner(state, leader, () => ++this.lastLink, this.dialDelayMs)
      this.dialDelayMs = 0
      for (const link of this.early.keys()) state.breakLearner(link, `not leading: following ${leader}`)
      this.early.clear()
      return
    }
    // Chosen by a configuration that is past.
    if (state.observer) return
    this.leader = new Leader(state)
    const early = [...this.early]
    this.early.clear()
    for (const [link, messages] of early) {
      this.leader.opened(link)
      for (const message of messages) this.leader.heard(link, message)
    }
  }

  /** Only whoever looks needs it from an election: a learner learns from its leader. */
  private heardOfNewer(text: string): void {
    if (this.leader !== undefined || this.learner !== undefined) return
    this.state.membership.adopt(parseConfiguration(text))
  }

  /** Who votes has changed: it is stored before anything that comes after it, and everybody is told. */
  private reconfigured(): void {
    const { state } = this
    const { membership } = state
    membership.hasChanged = false
    const { committed, proposed } = membership
    const voters = (configuration: Configuration) => [...configuration.quorum.voters].join(", ")
    const pending = proposed === undefined ? "" : `; ${hex(proposed.version)}, of ${voters(proposed)}, is proposed`
    state.note(`configuration ${hex(committed.version)}, voters ${voters(committed)}${pending}`)
    state.write({ _tag: "SetConfiguration", membership: membership.stored })
    if (this.electionIsOpen) this.tellElection()
    state.feed.tellConfiguration()
    this.leader?.reconfigured()
    this.learner?.reconfigured()
    // Whoever looks does so again, as one of the new ensemble.
    this.hasLooked = false
  }

  private tellElection(): void {
    const { committed, proposed } = this.state.membership
    const message = { _tag: "Members", committed: committed.text, proposed: proposed?.text } as const
    this.state.emit({ _tag: "ToElection", message })
  }

  /** Gives up whatever it was. What is on its way to the disk is waited for before a vote is offered. */
  private look(reason: string): void {
    const { state } = this
    state.doubt = undefined
    this.hasGivenUp = true
    state.note(`looking: ${reason}`)
    if (this.learner !== undefined && !state.membership.isVoter(state.config.sid)) this.holdBack()
    this.leader?.close(reason)
    this.learner?.close(reason)
    this.leader = undefined
    this.learner = undefined
    this.hasLooked = false
    this.lookingSince = state.now
    state.counters.looking++
    state.dropQueued()
    state.feed.become({ _tag: "Role", role: "looking", epoch: state.currentEpoch, leader: 0 }, 0)
  }

  /** All observers lose their leader at once, and nobody waits for them as for those who vote. */
  private holdBack(): void {
    const { config, now } = this.state
    this.lookAt = now + (config.observerDelays?.election() ?? 0)
    this.dialDelayMs = config.observerDelays?.reconnect() ?? 0
  }

  /** An election service that has just started knows nothing of a leader that this peer has. */
  private tellSettled(): void {
    if (this.phase !== "broadcast") return
    const { role, epoch, leaderSid: leader } = this
    this.state.emit({ _tag: "ToElection", message: { _tag: "Settled", role, epoch, leader } })
  }

  private tryLook(): void {
    const { state } = this
    if (this.leader !== undefined || this.learner !== undefined || this.hasLooked || !this.electionIsOpen) return
    if (!state.isSettledOnDisk || state.now < this.lookAt) return
    // A leader without its znode is of no use. At the start there is time to let it load its tree; later this peer
    // helps others to win, and as a follower keeps the log.
    const hasZnode = state.feed.isConnected
    if (!hasZnode && !this.hasEverLooked && state.now - this.lookingSince < state.syncLimitMs) return
    this.offersNothing = !hasZnode && this.hasEverLooked
    this.hasLooked = true
    this.hasEverLooked = true
    // ZOOKEEPER-2845: the last logged zxid, not the last committed one.
    const nothing = { _tag: "Look", zxid: 0, currentEpoch: 0 } as const
    const message = state.isRebuilding
      ? ({ ...nothing, voteless: true } as const)
      : this.offersNothing
        ? nothing
        : ({ _tag: "Look", zxid: state.log.last, currentEpoch: state.currentEpoch } as const)
    state.emit({ _tag: "ToElection", message })
  }
}
