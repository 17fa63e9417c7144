/** What the znode service measures: how long it takes to prepare, to apply, to read. */
import type { BroadcastToZnode, SessionToPrepare, SessionToZnode } from "@zkmesh/messages"
import { type Counter, type Readings, type Registry, readingsOf, type Summary } from "@zkmesh/metrics"
import { DigestMismatch, type ZnodeCore } from "@zkmesh/tree"
import { batchTime } from "@zkmesh/txn"

export class Measures {
  readonly metrics: Registry
  private readonly prepare: Summary
  private readonly prepareSize: Summary
  private readonly prepareWait: Summary
  private readonly prepareRequests: Counter
  private readonly close: Summary
  private readonly applying: Summary
  private readonly commit: Summary
  private readonly propagation: Summary
  private readonly write: Summary
  private readonly read: Summary
  private readonly checkpoint: Summary
  private readonly load: Summary
  private readonly mismatches: Counter
  private checkpointSince = 0

  constructor(metrics: Registry) {
    this.metrics = metrics
    this.prepare = metrics.summary("prep_process_time")
    this.prepareSize = metrics.summary("prep_processor_queue_size")
    this.prepareWait = metrics.summary("prep_processor_queue_time_ms")
    this.prepareRequests = metrics.counter("prep_processor_request_queued")
    this.close = metrics.summary("close_session_prep_time")
    this.applying = metrics.summary("write_batch_time_in_commit_processor")
    this.commit = metrics.summary("commit_process_time")
    this.propagation = metrics.summary("propagation_latency")
    this.write = metrics.summary("write_final_proc_time_ms")
    this.read = metrics.summary("read_final_proc_time_ms")
    this.checkpoint = metrics.summary("snapshottime")
    this.load = metrics.summary("startup_snap_load_time")
    this.mismatches = metrics.counter("digest_mismatches_count")
  }

  loaded(ms: number): void {
    this.load.record(ms)
  }

  /** Reads from this peer's session service have been answered. */
  answered(messages: ReadonlyArray<SessionToZnode>, ms: number): void {
    let count = 0
    for (const message of messages) if (message._tag !== "Query") count += message.requests.length
    if (count > 0) this.read.record(ms / count, count)
  }

  /** Writes have become transactions in `ms`, `closes` ends of sessions among them, after a wait of `waitedMs`. */
  prepared(messages: ReadonlyArray<SessionToPrepare>, ms: number, closes: number, waitedMs: number): void {
    let count = 0
    for (const message of messages) {
      if (message._tag === "Writes") count += message.requests.length
      else if (message._tag === "Open") count++
    }
    if (count === 0) return
    this.prepareRequests.add(count)
    this.prepareSize.record(count)
    this.prepareWait.record(waitedMs, count)
    this.prepare.record(ms / count, count)
    if (closes > 0) this.close.record(ms / count, closes)
  }

  /** Committed transactions have been applied. */
  applied(messages: ReadonlyArray<BroadcastToZnode>, wallMs: number, ms: number): void {
    let count = 0
    for (const message of messages) {
      if (message._tag !== "Committed") continue
      const { batch } = message
      count += batch.count
      // Clocks of different machines differ a little: no latency is below zero.
      this.propagation.record(Math.max(0, wallMs - batchTime(batch)), batch.count)
    }
    if (count === 0) return
    this.commit.record(ms)
    this.applying.record(ms)
    this.write.record(ms / count, count)
  }

  /** Does what may find that this peer's tree is not the leader's: that ends the peer, and is counted. */
  watched(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (error instanceof DigestMismatch) this.mismatches.add()
      throw error
    }
  }

  checkpointBegins(now: number): void {
    this.checkpointSince = now
  }

  checkpointed(now: number): void {
    this.checkpoint.record(now - this.checkpointSince)
  }

  readings(core: ZnodeCore): Readings {
    const stats = core.stats()
    const quotas = core.quotaSums()
    return {
      ...readingsOf("znode", stats),
      checkpoint_running: stats["checkpoint_running"] === true ? 1 : 0,
      quota_count_limit_per_namespace: quotas.countLimit,
      quota_bytes_limit_per_namespace: quotas.bytesLimit,
      quota_count_usage_per_namespace: quotas.countUsage,
      quota_bytes_usage_per_namespace: quotas.bytesUsage
    }
  }
}
