/** What the session service measures beside its core's counts. */
import type { FrontendToSession } from "@zkmesh/messages"
import type { Counter, Registry, Summary } from "@zkmesh/metrics"
import { EventType } from "@zkmesh/protocol"
import type { SessionCore } from "@zkmesh/session"

export class Measures {
  readonly metrics: Registry
  private readonly created: Summary
  private readonly deleted: Summary
  private readonly changed: Summary
  private readonly children: Summary
  private readonly revalidations: Counter
  private readonly pending: Summary
  private readonly queued: Summary
  private readonly behindWrites: Summary

  constructor(metrics: Registry) {
    this.metrics = metrics
    this.created = metrics.summary("node_created_watch_count")
    this.deleted = metrics.summary("node_deleted_watch_count")
    this.changed = metrics.summary("node_changed_watch_count")
    this.children = metrics.summary("node_children_watch_count")
    this.revalidations = metrics.counter("revalidate_count")
    this.pending = metrics.summary("pending_session_queue_size")
    this.queued = metrics.summary("requests_in_session_queue")
    this.behindWrites = metrics.summary("reads_after_write_in_session_queue")
  }

  readonly fired = (type: EventType, count: number): void => {
    if (type === EventType.NodeDataChanged) this.changed.record(count)
    else if (type === EventType.NodeChildrenChanged) this.children.record(count)
    else if (type === EventType.NodeCreated) this.created.record(count)
    else if (type === EventType.NodeDeleted) this.deleted.record(count)
  }

  /** Clients ask for sessions; a session that they have had before is attached again. */
  asked(messages: ReadonlyArray<FrontendToSession>): void {
    for (const message of messages) if (message._tag === "Connect" && message.sessionId !== 0) this.revalidations.add()
  }

  /** Each half tick: what waits in the sessions' queues. */
  looked(core: SessionCore): void {
    let sessions = 0
    let queued = 0
    let behind = 0
    for (const { pending, parked } of core.attached.values()) {
      if (pending.length > 0) sessions++
      queued += pending.length + parked.length
      behind += parked.length
    }
    this.pending.record(sessions)
    this.queued.record(queued)
    this.behindWrites.record(behind)
  }
}
