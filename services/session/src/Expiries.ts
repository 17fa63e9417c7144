/** Lines of the log about sessions that the ensemble ends for their silence. */
import type { SessionToPrepare } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { LogContext } from "@zkmesh/telemetry"

/** In one pass so many are named: thousands may expire with the machine that held them. */
const NAMED = 16

export class Expiries {
  private readonly log: (message: string, about: LogContext) => void

  constructor(log: (message: string, about: LogContext) => void) {
    this.log = log
  }

  /** What a tick has the leader asked for: requests to close sessions that no client has made. */
  asked(messages: ReadonlyArray<SessionToPrepare>): void {
    let count = 0
    for (const message of messages) {
      if (message._tag !== "Writes") continue
      for (const { connection, session, trace } of message.requests) {
        if (connection !== 0 || ++count > NAMED) continue
        this.log(`session ${hex(session)} has not been heard from in time: it ends`, {
          session,
          traceId: trace?.traceId
        })
      }
    }
    if (count > NAMED) this.log(`${count - NAMED} more sessions end with it`, {})
  }
}
