/** What the shell measures, per batch: how long an append, a quorum, a commit, an election takes. */
import type { BroadcastToZnode, FanOut, LeaderToLearner, LearnerToLeader, ZnodeToBroadcast } from "@zkmesh/messages"
import { type Counter, type Family, type Readings, type Registry, readingsOf, type Summary } from "@zkmesh/metrics"
import { counterOf, epochOf, type Sid, type Zxid } from "@zkmesh/numbers"
import type { StoreSizes } from "@zkmesh/store"
import { batchTime, type TxnBatch } from "@zkmesh/txn"
import type { LinkId, Peer, WriteOp } from "@zkmesh/zab"
import { Backlogs } from "./Backlogs.ts"
import { Replay } from "./Replay.ts"

/** Proposals whose time is remembered: a slow peer may acknowledge long after the quorum has. */
const REMEMBERED = 4096

interface Clocks {
  readonly wallClock: () => number
  readonly now: () => number
}

export class Statistics {
  private readonly metrics: Registry
  private readonly wallClock: () => number
  private readonly fsync: Summary
  private readonly processing: Summary
  private readonly batchSize: Summary
  private readonly queueTime: Summary
  private readonly flushTime: Summary
  private readonly queueAndFlush: Summary
  private readonly proposalLatency: Summary
  private readonly ackCreation: Summary
  private readonly commitPropagation: Summary
  private readonly quorumAck: Summary
  private readonly publishing: Summary
  private readonly acks: Family<Summary>
  private readonly received: Counter
  private readonly commits: Counter
  /** Proposed lately, oldest first; before `head`: committed. */
  private proposals: Array<{ readonly last: Zxid; readonly at: number }> = []
  private head = 0
  /** Whose acknowledgements come by which link. */
  private readonly learners = new Map<LinkId, Sid>()
  private isLeading = false
  /** On a learner: up to where the leader has said that all is committed. */
  private committedThere: Zxid = 0
  /** Since when something waits to be appended. */
  private waitingSince: number | undefined
  private readonly queueSize: Summary
  private readonly snapsUnderWay: Summary
  private readonly diffsUnderWay: Summary
  /** Learners that are being synchronised, and by what. */
  private readonly syncs = new Map<LinkId, "Snap" | "Diff">()
  private readonly turns: Turns
  private readonly backlogs: Backlogs
  private readonly replay: Replay
  private readonly toAppend: Counter
  private readonly toApply: Counter
  /** As of the last look. */
  sizes: StoreSizes | undefined

  /** `last`: the end of the log as it was found. */
  constructor(metrics: Registry, clocks: Clocks, tickTimeMs: number, last: Zxid) {
    this.metrics = metrics
    this.wallClock = clocks.wallClock
    this.fsync = metrics.summary("fsynctime")
    this.processing = metrics.summary("sync_process_time")
    this.batchSize = metrics.summary("sync_processor_batch_size")
    this.queueTime = metrics.summary("sync_processor_queue_time_ms")
    this.flushTime = metrics.summary("sync_processor_queue_flush_time_ms")
    this.queueAndFlush = metrics.summary("sync_processor_queue_and_flush_time_ms")
    this.proposalLatency = metrics.summary("proposal_latency")
    this.ackCreation = metrics.summary("proposal_ack_creation_latency")
    this.commitPropagation = metrics.summary("commit_propagation_latency")
    this.quorumAck = metrics.summary("quorum_ack_latency")
    this.publishing = metrics.summary("proposal_process_time")
    this.acks = metrics.summaries("ack_latency")
    this.received = metrics.counter("learner_proposal_received_count")
    this.commits = metrics.counter("learner_commit_received_count")
    this.queueSize = metrics.summary("sync_processor_queue_size")
    this.snapsUnderWay = metrics.summary("inflight_snap_count")
    this.diffsUnderWay = metrics.summary("inflight_diff_count")
    this.toAppend = metrics.counter("sync_processor_request_queued")
    this.toApply = metrics.counter("request_commit_queued")
    this.replay = new Replay(metrics, last)
    this.turns = new Turns(metrics, clocks.now())
    // As often as ZooKeeper does, with each ping.
    this.backlogs = new Backlogs(metrics, tickTimeMs / 2)
  }

  private since(batch: TxnBatch): number {
    // Clocks of different machines differ a little: no latency is below zero.
    return Math.max(0, this.wallClock() - batchTime(batch))
  }

  // The log.

  /** One more operation on the log, behind so many. */
  queued(size: number, op: WriteOp): void {
    this.queueSize.record(size)
    if (op._tag === "Append") this.toAppend.add(op.batch.count)
  }

  /** The batch is handed to the database at `at`; returns when it has waited since. */
  appending(at: number): number {
    const since = this.waitingSince ?? at
    this.waitingSince = undefined
    return since
  }

  appended(batch: TxnBatch, since: number, startedAt: number, endedAt: number): void {
    const { count } = batch
    this.fsync.record(endedAt - startedAt)
    this.processing.record(endedAt - startedAt)
    this.batchSize.record(count)
    this.queueTime.record(startedAt - since, count)
    this.flushTime.record(endedAt - startedAt, count)
    this.queueAndFlush.record(endedAt - since, count)
    this.ackCreation.record(this.since(batch), count)
  }

  // On the leader.

  proposed(batch: TxnBatch, at: number, publishedAt: number): void {
    this.waitingSince ??= at
    this.proposals.push({ last: batch.last, at })
    this.publishing.record(publishedAt - at)
  }

  committed(zxid: Zxid, at: number): void {
    const { proposals } = this
    while (this.head < proposals.length && proposals[this.head]!.last <= zxid) {
      this.quorumAck.record(at - proposals[this.head++]!.at)
    }
    if (this.head > 2 * REMEMBERED) {
      this.proposals = proposals.slice(this.head - REMEMBERED)
      this.head = REMEMBERED
    }
  }

  fromLearner(link: LinkId, message: LearnerToLeader, at: number): void {
    if (message._tag === "Ack") this.acknowledged(link, message.zxid, at)
    else if (message._tag === "FollowerInfo") this.learners.set(link, message.sid)
  }

  toLearner(link: LinkId, message: LeaderToLearner): void {
    const { _tag } = message
    if (_tag === "UpToDate") this.syncs.delete(link)
    if (_tag !== "Snap" && _tag !== "Diff") return
    this.syncs.set(link, _tag)
    let count = 0
    for (const kind of this.syncs.values()) if (kind === _tag) count++
    if (_tag === "Snap") this.snapsUnderWay.record(count)
    else this.diffsUnderWay.record(count)
  }

  learnerGone(link: LinkId): void {
    this.syncs.delete(link)
    const sid = this.learners.get(link)
    if (sid !== undefined) this.backlogs.gone(sid)
    this.learners.delete(link)
  }

  private acknowledged(link: LinkId, zxid: Zxid, at: number): void {
    const sid = this.learners.get(link)
    const { proposals } = this
    let low = 0
    let high = proposals.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (proposals[middle]!.last <= zxid) low = middle + 1
      else high = middle
    }
    if (sid === undefined) return
    if (low > 0) this.acks.of(`${sid}`).record(at - proposals[low - 1]!.at)
    this.backlogs.acknowledged(sid, zxid, proposals.length - low, proposals.at(-1)?.last ?? zxid, at)
  }

  /** The reign is over: what was not committed in it is no latency. */
  private reset(): void {
    this.proposals = []
    this.head = 0
    this.backlogs.clear()
  }

  // On a learner.

  heard(message: FanOut, at: number): void {
    if (message._tag === "Propose") {
      this.waitingSince ??= at
      this.received.add(message.batch.count)
      this.proposalLatency.record(this.since(message.batch), message.batch.count)
      this.heardCommit(message.committed)
    } else this.heardCommit(message.zxid)
  }

  /** A heartbeat is a commit that tells nothing new, and the first one that is heard says only where the leader is. */
  private heardCommit(zxid: Zxid): void {
    const before = this.committedThere
    this.committedThere = zxid
    if (before > 0 && zxid > before)
      this.commits.add(epochOf(before) === epochOf(zxid) ? zxid - before : counterOf(zxid))
  }

  // Everywhere.

  toZnode(message: BroadcastToZnode, now: number): void {
    if (message._tag === "Committed") {
      const { batch } = message
      // Nobody has to tell the leader.
      if (!this.isLeading) this.commitPropagation.record(this.since(batch), batch.count)
      this.toApply.add(batch.count)
      this.replay.delivers(batch)
    } else if (message._tag === "Role" && message.role !== "looking") this.replay.established(now)
  }

  fromZnode(message: ZnodeToBroadcast, now: number): void {
    if (message._tag === "Applied") this.replay.took(message.zxid, now)
    else if (message._tag === "Hello") this.replay.opened(message.applied, now)
    else if (message._tag === "Reset") this.metrics.reset()
  }

  /** The end of a pass: takes note of what has become of the peer. */
  observed(peer: Peer, now: number): void {
    this.isLeading = peer.role === "leading"
    if (this.turns.observed(peer.role, peer.phase, now) && peer.role !== "leading") this.reset()
  }

  /** What is asked when somebody looks. */
  readings(peer: Peer): Readings {
    const isLeading = peer.role === "leading"
    return {
      ...readingsOf("broadcast", peer.stats()),
      ...(isLeading ? {} : NO_LEADER),
      log_dir_size: this.sizes?.log,
      data_dir_size: this.sizes?.checkpoint
    }
  }
}

/** What only a leader knows. */
const NO_LEADER = { last_proposal_size: undefined, min_proposal_size: undefined, max_proposal_size: undefined }

/** How long a peer was without a leader, and what for. */
class Turns {
  private readonly elections: Summary
  private readonly followerSync: Summary
  private readonly observerSync: Summary
  private readonly leaderUnavailable: Summary
  private readonly unavailable: Summary
  private phase = "election"
  private role = "looking"
  private lookingSince: number
  private electedAt: number
  private lostAt: number

  constructor(metrics: Registry, now: number) {
    this.elections = metrics.summary("election_time")
    this.followerSync = metrics.summary("follower_sync_time")
    this.observerSync = metrics.summary("observer_sync_time")
    this.leaderUnavailable = metrics.summary("leader_unavailable_time")
    this.unavailable = metrics.summary("unavailable_time")
    this.lookingSince = this.electedAt = this.lostAt = now
  }

  /** True if something has changed. */
  observed(role: string, phase: string, now: number): boolean {
    if (role === this.role && phase === this.phase) return false
    if (this.role === "looking") {
      this.elections.record(now - this.lookingSince)
      this.electedAt = now
    }
    if (this.phase === "broadcast") this.lostAt = now
    if (role === "looking") this.lookingSince = now
    if (phase === "broadcast") this.established(role, now)
    this.role = role
    this.phase = phase
    return true
  }

  private established(role: string, now: number): void {
    this.unavailable.record(now - this.lostAt)
    if (role === "leading") this.leaderUnavailable.record(now - this.lostAt)
    else if (role === "following") this.followerSync.record(now - this.electedAt)
    else if (role === "observing") this.observerSync.record(now - this.electedAt)
  }
}
