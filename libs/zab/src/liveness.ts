/** What a leader watches the clock for: its quorum, its learners' silence, their pace, its own disk. */
import type { Zxid } from "@zkmesh/numbers"
import type { Leader } from "./leader.ts"
import type { LearnerHandle } from "./learnerHandle.ts"
import type { PeerState } from "./state.ts"

/** What had been proposed when. */
interface Mark {
  readonly at: number
  readonly proposed: Zxid
}

export class Liveness {
  private readonly state: PeerState
  private readonly leader: Leader
  private readonly startedAt: number
  private quorumAt: number
  private progressAt: number
  private beatAt: number
  private marks: Array<Mark> = []

  constructor(state: PeerState, leader: Leader) {
    this.state = state
    this.leader = leader
    this.startedAt = state.now
    this.quorumAt = state.now
    this.progressAt = state.now
    this.beatAt = state.now
  }

  /** Discovery or synchronisation has moved. */
  progressed(): void {
    this.progressAt = this.state.now
  }

  established(): void {
    this.beatAt = this.state.now
    this.leader.publishCommit()
  }

  /** Steps down at once if the quorum has gone; called at each tick and whenever a link breaks. */
  check(): void {
    const { state, leader } = this
    if (leader.phase === "broadcast") {
      if (!this.hasQuorum((learner) => learner.stage === "acked" && this.isHeard(learner))) {
        state.doubts("a quorum of learners has gone")
      }
      return
    }
    const { maxEpochWaitMs } = state.config
    if (maxEpochWaitMs !== undefined && leader.epoch === 0 && state.now - this.startedAt > maxEpochWaitMs) {
      state.doubts(`no quorum has told its epoch for ${maxEpochWaitMs} ms`)
    }
    if (this.hasQuorum(() => true)) this.quorumAt = state.now
    else if (state.now - this.quorumAt > state.discoveryLimitMs) state.doubts("no quorum of learners has come")
    if (state.now - Math.max(this.progressAt, this.startedAt) > state.initLimitMs) {
      state.doubts(`no progress in ${leader.phase} for ${state.initLimitMs} ms`)
    }
  }

  private hasQuorum(counts: (learner: LearnerHandle) => boolean): boolean {
    const sids = [this.state.config.sid]
    for (const learner of this.leader.learners.values())
      if (!learner.isRebuilding && counts(learner)) sids.push(learner.sid)
    return this.state.membership.has(sids)
  }

  private isHeard(learner: LearnerHandle): boolean {
    return this.state.now - learner.heardAt <= this.state.syncLimitMs
  }

  tick(): void {
    const { state, leader } = this
    for (const learner of [...leader.learners.values()]) this.checkLearner(learner)
    this.check()
    const { last, durable } = state.log
    const overdue = this.overdue()
    if (durable < overdue) state.doubts("the own disk is too slow")
    if (this.marks[this.marks.length - 1]?.proposed !== last) this.marks.push({ at: state.now, proposed: last })
    if (leader.phase !== "discovery" && state.now - this.beatAt >= state.config.tickTimeMs / 2) {
      this.beatAt = state.now
      leader.publishCommit()
    }
  }

  /** What everybody should have by now: it was proposed more than syncLimit ticks ago. */
  private overdue(): Zxid {
    const { marks, state } = this
    let index = marks.length - 1
    while (index >= 0 && state.now - marks[index]!.at <= state.syncLimitMs) index--
    if (index < 0) return 0
    const { proposed } = marks[index]!
    if (index > 0) marks.splice(0, index)
    return proposed
  }

  private checkLearner(learner: LearnerHandle): void {
    const { state, leader } = this
    const silence = state.now - learner.heardAt
    if (learner.isSynced) {
      if (silence > state.syncLimitMs) leader.dismiss(learner, `silent for ${Math.round(silence)} ms`)
      else if (learner.votes && learner.acked < this.overdue()) leader.dismiss(learner, "it does not keep up")
      return
    }
    const since = learner.sync === undefined || learner.sync.isWaiting ? learner.heardAt : learner.sync.progressAt
    if (state.now - since > state.initLimitMs) leader.dismiss(learner, "its synchronisation does not move")
  }
}
