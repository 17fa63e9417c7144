/**
 * How far each learner is behind the leader's proposals.
 *
 * ZooKeeper's leader keeps a queue of packets for each learner. Here everybody hears the one fan-out, so what stands in
 * line for a learner is what has been published and what it has not acknowledged.
 */
import type { Family, Registry, Summary } from "@zkmesh/metrics"
import type { Sid, Zxid } from "@zkmesh/numbers"

/** What stood in line for a learner at some moment: everything up to `last`. */
interface Marker {
  readonly at: number
  readonly last: Zxid
  isPassed: boolean
}

export class Backlogs {
  private readonly sizes: Family<Summary>
  private readonly times: Family<Summary>
  private readonly everyMs: number
  private readonly markers = new Map<Sid, Marker>()

  /** The line of each learner is marked each `everyMs`. */
  constructor(metrics: Registry, everyMs: number) {
    this.sizes = metrics.summaries("learner_handler_qp_size")
    this.times = metrics.summaries("learner_handler_qp_time_ms")
    this.everyMs = everyMs
  }

  /** A learner has everything up to `zxid`; `behind` proposals up to `last` are still on their way to it. */
  acknowledged(sid: Sid, zxid: Zxid, behind: number, last: Zxid, at: number): void {
    const key = `${sid}`
    this.sizes.of(key).record(behind)
    const marker = this.markers.get(sid)
    if (marker !== undefined && !marker.isPassed) {
      if (zxid < marker.last) return
      marker.isPassed = true
      this.times.of(key).record(at - marker.at)
    }
    if (marker !== undefined && at - marker.at < this.everyMs) return
    const isPassed = behind === 0
    this.markers.set(sid, { at, last, isPassed })
    if (isPassed) this.times.of(key).record(0)
  }

  /** What stood in line for it is none of its business any more. */
  gone(sid: Sid): void {
    this.markers.delete(sid)
  }

  /** The reign is over. */
  clear(): void {
    this.markers.clear()
  }
}
