/** Finished spans: the latest in memory for whoever asks, all of them on their way to the exporter. */
import type { SpanRecord } from "@zkmesh/messages"

/** Where spans go. */
export interface SpanSink {
  /** Resolves when they have arrived, rejects when they are lost. */
  readonly export: (spans: ReadonlyArray<SpanRecord>) => Promise<void>
  readonly shutdown: () => Promise<void>
}

/** Spans kept in memory. */
const KEPT = 8192
/** Spans that may wait for the exporter; beyond that the newest are dropped, and counted. */
const WAITING = 32_768
const BATCH = 2048

export class Recorder {
  private readonly kept: Array<SpanRecord> = []
  private next = 0
  private waiting: Array<SpanRecord> = []
  private sink: SpanSink | undefined
  private exporting: Promise<void> | undefined
  /** Counts for an operator. */
  readonly counters = { recorded: 0, exported: 0, dropped: 0, failed: 0 }

  /** From now on everything that is recorded goes there too. */
  exportTo(sink: SpanSink): void {
    this.sink = sink
  }

  record(span: SpanRecord): void {
    this.counters.recorded++
    this.kept[this.next] = span
    this.next = (this.next + 1) % KEPT
    if (this.sink === undefined) return
    if (this.waiting.length < WAITING) this.waiting.push(span)
    else this.counters.dropped++
  }

  /** Of the spans in memory those that `test` holds for, oldest first. */
  find(test: (span: SpanRecord) => boolean): Array<SpanRecord> {
    const { kept, next } = this
    return [...kept.slice(next), ...kept.slice(0, next)].filter(test)
  }

  /** Exports what waits, one batch after another; `onLost` hears of a batch that could not be delivered. */
  flush(onLost: (cause: unknown) => void): Promise<void> {
    this.exporting ??= this.drain(onLost).finally(() => {
      this.exporting = undefined
    })
    return this.exporting
  }

  private async drain(onLost: (cause: unknown) => void): Promise<void> {
    const { sink, counters } = this
    while (sink !== undefined && this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH)
      this.waiting = this.waiting.slice(batch.length)
      try {
        await sink.export(batch)
        counters.exported += batch.length
      } catch (cause) {
        counters.failed += batch.length
        onLost(cause)
      }
    }
  }
}
