/**
 * What ZooKeeper's CommitProcessor measures, of this service, which does its work: how many requests come and go
 * together, and how long they wait here for the ensemble.
 *
 * All of it per pass: the requests of one pass are timed as the last of them is.
 */
import type { ZnodeToSession } from "@zkmesh/messages"
import type { Registry, Summary } from "@zkmesh/metrics"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { SessionCore, SessionOutput } from "@zkmesh/session"

/** The last of the requests of one kind that left in one pass; `upTo` is its number among those of its connection. */
interface Marker {
  readonly session: SessionId
  readonly connection: Zxid
  readonly upTo: number
  readonly at: number
  readonly count: number
}

type Progress = "waiting" | "done" | "void"

/** What has left and is not answered, oldest first: both ways keep the order. */
class Line {
  private markers: Array<Marker> = []
  private readonly progress: (marker: Marker) => Progress
  private readonly done: (ms: number, count: number) => void

  constructor(progress: (marker: Marker) => Progress, done: (ms: number, count: number) => void) {
    this.progress = progress
    this.done = done
  }

  add(marker: Marker): void {
    this.markers.push(marker)
  }

  consider(now: number): void {
    let next = 0
    for (; next < this.markers.length; next++) {
      const marker = this.markers[next]!
      const progress = this.progress(marker)
      if (progress === "waiting") break
      if (progress === "done") this.done(now - marker.at, marker.count)
    }
    if (next > 0) this.markers = this.markers.slice(next)
  }
}

export class Waits {
  private readonly core: SessionCore
  private readonly readsCame: Summary
  private readonly writesCame: Summary
  private readonly commitsCame: Summary
  private readonly readsIssued: Summary
  private readonly writesIssued: Summary
  private readonly readsLetGo: Summary
  private readonly drained: Summary
  private readonly toLeader: Summary
  private readonly readTime: Summary
  private readonly heardTime: Summary
  private readonly writes: Line
  private readonly reads: Line

  constructor(metrics: Registry, core: SessionCore) {
    this.core = core
    this.readsCame = metrics.summary("read_commit_proc_req_queued")
    this.writesCame = metrics.summary("write_commit_proc_req_queued")
    this.commitsCame = metrics.summary("commit_commit_proc_req_queued")
    this.readsIssued = metrics.summary("read_commit_proc_issued")
    this.writesIssued = metrics.summary("write_commit_proc_issued")
    this.readsLetGo = metrics.summary("reads_issued_from_session_queue")
    this.drained = metrics.summary("session_queues_drained")
    this.toLeader = metrics.summary("learner_request_processor_queue_size")
    this.readTime = metrics.summary("read_commitproc_time_ms")
    this.heardTime = metrics.summary("server_write_committed_time_ms")
    const writeTime = metrics.summary("write_commitproc_time_ms")
    const committedTime = metrics.summary("local_write_committed_time_ms")
    this.writes = new Line(this.writeProgress, (ms, count) => {
      writeTime.record(ms, count)
      committedTime.record(ms, count)
    })
    this.reads = new Line(this.readProgress, (ms, count) => this.readTime.record(ms, count))
  }

  private readonly writeProgress = ({ session, connection, upTo }: Marker): Progress => {
    const attached = this.core.attached.get(session)
    if (attached?.connection !== connection) return "void"
    const oldest = attached.pending.peek()
    return oldest !== undefined && oldest.seq <= upTo ? "waiting" : "done"
  }

  private readonly readProgress = ({ session, connection, upTo }: Marker): Progress => {
    const attached = this.core.attached.get(session)
    if (attached?.connection !== connection) return "void"
    return attached.readsAnswered < upTo ? "waiting" : "done"
  }

  /** The end of a pass: requests leave for the tree and for the leader. */
  left({ toZnode, toPrepare }: SessionOutput, now: number): void {
    let atOnce = 0
    let behind = 0
    for (const message of toZnode) {
      if (message._tag === "Reads") atOnce += message.requests.length
      else if (message._tag === "ReadsAfter") {
        const { sessions } = message
        behind += sessions.length
        this.markReads(sessions[sessions.length - 1]!, sessions.length, now)
      }
    }
    if (atOnce + behind > 0) this.readsCame.record(atOnce + behind)
    if (atOnce > 0) {
      this.readsIssued.record(atOnce)
      this.readTime.record(0, atOnce)
    }
    for (const message of toPrepare) {
      if (message._tag !== "Writes") continue
      const { requests } = message
      this.writesCame.record(requests.length)
      if (this.core.standing.role.role !== "leading") this.toLeader.record(requests.length)
      const { session, connection, seq } = requests[requests.length - 1]!
      // What the ensemble itself asks for has no number, and nobody waits for it.
      if (seq > 0) this.writes.add({ session, connection, upTo: seq, at: now, count: requests.length })
    }
  }

  private markReads(session: SessionId, count: number, now: number): void {
    const attached = this.core.attached.get(session)
    if (attached === undefined) return
    const { connection, readsSent } = attached
    this.reads.add({ session, connection, upTo: readsSent, at: now, count })
  }

  /** Does `step`, which takes what the tree's service has said; that came `waitedMs` ago. */
  heard(messages: ReadonlyArray<ZnodeToSession>, now: number, waitedMs: number, step: () => void): void {
    const { finished, drained } = this.core.writes
    step()
    let commits = 0
    for (const message of messages) {
      if (message._tag === "Applied") commits += message.txns.length
      else if (message._tag === "RepliesAfter") this.readsLetGo.record(message.ends.length)
    }
    if (commits > 0) {
      this.commitsCame.record(commits)
      this.heardTime.record(waitedMs, commits)
      this.writesIssued.record(this.core.writes.finished - finished)
      this.drained.record(this.core.writes.drained - drained)
    }
    this.writes.consider(now)
    this.reads.consider(now)
  }
}
