/** The last step of a watch that a sampled write has fired: its notification goes to the client. */
import { type FiredWatch, SpanKind } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import { newSpanId, type Tracer } from "@zkmesh/telemetry"
import type { Client } from "../Client.ts"

export class Deliveries {
  private readonly tracer: Tracer
  /** Notifications that leave at the end of this pass. */
  private leaving: Array<{ readonly watch: FiredWatch; readonly client: Client; readonly at: number }> = []

  constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  /** The client's notification has come, and waits to be written. */
  came(watch: FiredWatch, client: Client, now: number): void {
    this.leaving.push({ watch, client, at: now })
  }

  /** What was written in this pass has left. */
  flushed(now: number): void {
    if (this.leaving.length === 0) return
    const { leaving, tracer } = this
    this.leaving = []
    for (const { watch, client, at } of leaving) {
      const { type, path, zxid, trace, write } = watch
      tracer.record({
        traceId: trace.traceId,
        spanId: newSpanId(),
        parentId: trace.spanId,
        name: `notify ${type}`,
        kind: SpanKind.consumer,
        start: at,
        end: now,
        attributes: {
          ...tracer.messaging,
          "client.address": client.address,
          "client.port": client.port,
          "network.transport": "tcp",
          "zookeeper.session.id": hex(client.sessionId),
          "zookeeper.watch.type": type,
          "zookeeper.path": path,
          "zookeeper.zxid": hex(zxid)
        },
        links: [write]
      })
    }
  }
}
