/**
 * What ZooKeeper's CommitProcessor measures, of this service, which does its work: how many requests come and go
 * together, and how long they wait here for the ensemble.
 *
 * All of it per pass: the requests of one pass are timed as the last of them is.
 */
import type { ZnodeToSession } from "@zkmesh/messages"
import type { Registry, Summary } from "@zkmesh/metrics"
import type { SessionId } from "@zkmesh/numbers"
import type { Connection, SessionCore, SessionOutput } from "@zkmesh/session"

/** The last of the requests of one kind that left in one pass; `upTo` is its number among those of its connection. */
interface Marker {
  readonly connection: Connection
  readonly upTo: number
  readonly at: number
  readonly count: number
}

/** What has left and is not answered, oldest first: both ways keep the order. */
class Line {
  private markers: Array<Marker> = []
  private readonly isDone: (marker: Marker) => boolean
  private readonly isLost: (marker: Marker) => boolean
  private readonly done: (ms: number, count: number) => void

  constructor(
    isDone: (marker: Marker) => boolean,
    isLost: (marker: Marker) => boolean,
    done: (ms: number, count: number) => void
  ) {
    this.isDone = isDone
    this.isLost = isLost
    this.done = done
  }

  add(marker: Marker): void {
    this.markers.push(marker)
  }

  consider(now: number): void {
    let next = 0
    for (; next < this.markers.length; next++) {
      const marker = this.markers[next]!
      if (this.isDone(marker)) this.done(now - marker.at, marker.count)
      else if (!this.isLost(marker)) break
    }
    if (next > 0) this.markers = this.markers.slice(next)
  }
}

const isWritten = ({ connection, upTo }: Marker): boolean => {
  const oldest = connection.pending.peek()
  return oldest === undefined || oldest.seq > upTo
}

const isRead = ({ connection, upTo }: Marker): boolean => connection.readsAnswered >= upTo

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
  private isAgain = false

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
    this.writes = new Line(isWritten, this.isLost, (ms, count) => {
      writeTime.record(ms, count)
      committedTime.record(ms, count)
    })
    this.reads = new Line(isRead, this.isLost, (ms, count) => this.readTime.record(ms, count))
  }

  /** Nothing passes by any more for a connection that has ended. */
  private readonly isLost = ({ connection }: Marker): boolean =>
    this.core.attached.get(connection.session) !== connection

  /** There is a way to the leader again: what is pending leaves once more, and has been taken note of. */
  again(): void {
    this.isAgain = true
  }

  /** The end of a pass: requests leave for the tree and for the leader. */
  left(output: SessionOutput | undefined, now: number): void {
    if (output !== undefined) {
      this.readsLeft(output.toZnode, now)
      if (!this.isAgain) this.writesLeft(output.toPrepare, now)
    }
    this.isAgain = false
  }

  private readsLeft(toZnode: SessionOutput["toZnode"], now: number): void {
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
  }

  private writesLeft(toPrepare: SessionOutput["toPrepare"], now: number): void {
    for (const message of toPrepare) {
      if (message._tag !== "Writes") continue
      const { requests } = message
      this.writesCame.record(requests.length)
      if (this.core.standing.role.role !== "leading") this.toLeader.record(requests.length)
      const { session, seq } = requests[requests.length - 1]!
      const connection = this.core.attached.get(session)
      // What the ensemble itself asks for has no number, and nobody waits for it.
      if (seq > 0 && connection !== undefined) {
        this.writes.add({ connection, upTo: seq, at: now, count: requests.length })
      }
    }
  }

  private markReads(session: SessionId, count: number, now: number): void {
    const connection = this.core.attached.get(session)
    if (connection !== undefined) this.reads.add({ connection, upTo: connection.readsSent, at: now, count })
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
      const others = commits - (this.core.writes.finished - finished)
      this.commitsCame.record(commits)
      this.writesIssued.record(commits)
      if (others > 0) this.heardTime.record(waitedMs, others)
      this.drained.record(this.core.writes.drained - drained)
    }
    this.writes.consider(now)
    this.reads.consider(now)
  }
}
