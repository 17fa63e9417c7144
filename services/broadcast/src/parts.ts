/** What a shell is made of. */
import type { ActorContext } from "@zkmesh/actor"
import type { Bus } from "@zkmesh/bus"
import type { Registry } from "@zkmesh/metrics"
import type { LogStore } from "@zkmesh/store"
import type { LogContext } from "@zkmesh/telemetry"
import type { RecoveredLog } from "@zkmesh/zab"
import type { Scope } from "effect"
import type { Message } from "./message.ts"
import type { BroadcastServiceOptions } from "./options.ts"
import type { BroadcastTracing } from "./tracing/BroadcastTracing.ts"

export interface ShellParts {
  readonly options: BroadcastServiceOptions
  readonly recovered: RecoveredLog
  readonly context: ActorContext<Message>
  readonly bus: Bus["Service"]
  readonly store: LogStore["Service"]
  readonly scope: Scope.Scope
  readonly log: (text: string, context: LogContext) => void
  /** undefined: nothing is traced. */
  readonly tracing: BroadcastTracing | undefined
  readonly metrics: Registry
}
