/** What the parts of one peer's core share: its log, its epochs, the clock of this pass and what it owes the shell. */
import {
  type Configuration,
  configurationOfVoters,
  configurationsIn,
  parseConfiguration,
  proposedConfiguration
} from "@zkmesh/membership"
import { hex, type Sid, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { ZnodeFeed } from "./feed.ts"
import { invariant } from "./invariant.ts"
import { LocalLog } from "./log.ts"
import { Membership } from "./membership.ts"
import { Retention } from "./retention.ts"
import type { LinkId, Output, PeerConfig, ReadOp, RecoveredLog, WriteOp } from "./types.ts"

/** What an operator wants to know, counted as it happens. */
export class Counters {
  /** Transactions that this peer has proposed, and those of them that it has found to be committed. */
  proposals = 0
  commits = 0
  lastProposalBytes = -1
  minProposalBytes = -1
  maxProposalBytes = -1
  looking = 0
  diffs = 0
  truncs = 0
  snaps = 0
  /** Of the last election and of the last synchronisation. */
  electionMs = 0
  syncMs = 0

  /** This peer proposes so many transactions. */
  proposes(count: number, bytes: number): void {
    this.proposals += count
    this.proposed(count, bytes)
  }

  /** So many have been proposed, by whomever. */
  proposed(count: number, bytes: number): void {
    const size = Math.round(bytes / count)
    this.lastProposalBytes = size
    if (size > this.maxProposalBytes) this.maxProposalBytes = size
    if (this.minProposalBytes < 0 || size < this.minProposalBytes) this.minProposalBytes = size
  }

  forgetSizes(): void {
    this.lastProposalBytes = this.minProposalBytes = this.maxProposalBytes = -1
  }
}

export class PeerState {
  readonly config: PeerConfig
  readonly membership: Membership
  readonly log: LocalLog
  readonly feed: ZnodeFeed
  readonly retention: Retention
  readonly counters = new Counters()
  readonly syncLimitMs: number
  readonly initLimitMs: number
  acceptedEpoch: number
  currentEpoch: number
  /** Who proposed `acceptedEpoch`, as far as this incarnation knows: to the same leader it may be acknowledged again. */
  acceptedFrom: Sid = 0
  /**
   * This peer has acknowledged transactions that its log no longer has. A leader that it helped to win, or an epoch or a
   * transaction that it was counted for, could be without them; so it follows, and has no vote, until a leader that was
   * established without it has given it everything.
   */
  isRebuilding: boolean
  /** Everything up to here is known to be committed; it may be ahead of what is durable here. */
  committed: Zxid
  now = 0
  /** Set when there is any reason not to go on as leader or learner. */
  doubt: string | undefined
  /** Writes other than appends that the shell has not finished. */
  pendingWrites = 0
  private out: Array<Output> = []

  constructor(config: PeerConfig, recovered: RecoveredLog) {
    this.config = config
    const initial =
      config.configuration === undefined
        ? configurationOfVoters(config.voters)
        : parseConfiguration(config.configuration)
    this.membership = new Membership(initial, recovered.configuration)
    this.membership.commit(recovered.checkpoint)
    this.log = new LocalLog(recovered)
    this.acceptedEpoch = recovered.acceptedEpoch
    this.currentEpoch = recovered.currentEpoch
    this.isRebuilding = recovered.rebuilding === true
    this.committed = recovered.checkpoint
    this.syncLimitMs = config.syncLimit * config.tickTimeMs
    this.initLimitMs = config.initLimit * config.tickTimeMs
    this.feed = new ZnodeFeed(this, recovered.checkpoint)
    this.retention = new Retention(this)
  }

  /** This peer has no vote. */
  get observer(): boolean {
    return this.isRebuilding || !this.membership.isVoter(this.config.sid)
  }

  /** How long a leader may be without enough learners, and a learner without a leader's first word. */
  get discoveryLimitMs(): number {
    return Math.max(500, this.config.tickTimeMs)
  }

  /** Nothing of the log or the epochs is on its way to the disk. */
  get isSettledOnDisk(): boolean {
    return this.pendingWrites === 0 && !this.log.isAppending
  }

  /** What is both committed and durable here: what the znode may see. */
  get deliverable(): Zxid {
    return Math.min(this.committed, this.log.durable)
  }

  commitTo(zxid: Zxid): void {
    if (zxid <= this.committed) return
    this.committed = zxid
    this.membership.commit(zxid)
  }

  /** A batch of the fan-out is taken into the log; a reconfiguration has one to itself. */
  accept(batch: TxnBatch): Configuration | undefined {
    const { last } = this.log
    this.log.accept(batch)
    const configuration = proposedConfiguration(batch)
    if (configuration !== undefined) this.membership.propose(configuration, last)
    return configuration
  }

  /** A batch of somebody's log is taken into this one, with the reconfigurations that may be anywhere in it. */
  acceptPast(batch: TxnBatch): void {
    const { last } = this.log
    this.log.accept(batch)
    for (const configuration of configurationsIn(batch)) this.membership.propose(configuration, last)
  }

  /** Forgets what has not been given to the disk. */
  dropQueued(): void {
    this.log.dropQueued()
    this.membership.truncated(this.log.last)
  }

  emit(output: Output): void {
    this.out.push(output)
  }

  write(op: WriteOp): WriteOp {
    if (op._tag !== "Append") this.pendingWrites++
    this.out.push({ _tag: "Write", op })
    return op
  }

  read(op: ReadOp): ReadOp {
    this.out.push({ _tag: "Read", op })
    return op
  }

  note(text: string): void {
    this.out.push({ _tag: "Note", text })
  }

  breakLearner(link: LinkId, detail: string): void {
    this.out.push({ _tag: "BreakLearner", link, detail })
  }

  /** Gives the queued appends to the disk, up to `limit`. */
  append(limit: Zxid): void {
    const batch = this.log.nextAppend(limit, this.config.appendBytes)
    if (batch !== undefined) this.write({ _tag: "Append", batch })
  }

  /** The log has been cut after `kept`: nothing that is known to be committed may have gone with the rest. */
  truncated(kept: Zxid): void {
    invariant(
      kept >= this.deliverable,
      () => `truncating to ${hex(kept)} would lose committed ${hex(this.deliverable)}`
    )
    this.log.truncated(kept)
    this.membership.truncated(kept)
    this.retention.truncated(kept)
  }

  restored(zxid: Zxid): void {
    invariant(
      zxid >= this.deliverable,
      () => `a snapshot at ${hex(zxid)} would lose committed ${hex(this.deliverable)}`
    )
    this.log.restored(zxid)
    this.retention.restored(zxid)
    this.membership.replaced()
    this.commitTo(zxid)
    this.feed.reload(zxid)
  }

  doubts(reason: string): void {
    this.doubt ??= reason
  }

  take(): Array<Output> {
    const { out } = this
    this.out = []
    return out
  }
}
