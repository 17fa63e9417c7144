/**
 * How a frontend that is asked to stop lets go of its clients. The protocol has no word for "go elsewhere": all that can
 * be done is to end each connection at a moment at which nothing of the client's is on its way. It comes back by another
 * door, with its session.
 */
import { Effect } from "effect"
import { type Client, Hold, Phase } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"

/** How long such moments are waited for. */
const PATIENCE_MS = 1000
/** Who has said nothing for this long is not about to say something. */
const QUIET_MS = 250
/** How long after that the answers to what has been read are waited for. */
const LAST_ANSWERS_MS = 2000

export class Draining {
  private readonly frontend: Frontend
  private readonly since: number
  /** Called when nobody is left. */
  private finish: () => void = () => undefined

  constructor(frontend: Frontend) {
    this.frontend = frontend
    this.since = frontend.now()
  }

  /** Done when all have gone, or some do not. Those who never stop asking are read from no more after a while. */
  done(): Effect.Effect<void> {
    const insist = Effect.suspend(() => {
      for (const client of this.frontend.clients.values()) client.hold(Hold.Draining)
      return Effect.timeoutOption(this.allGone(), LAST_ANSWERS_MS)
    })
    return this.allGone().pipe(
      Effect.timeout(PATIENCE_MS),
      Effect.catchTag("TimeoutError", () => insist),
      Effect.asVoid
    )
  }

  private allGone(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.finish = () => resume(Effect.void)
      this.letGo()
      this.hasGone()
    })
  }

  /** Called whenever clients may have been answered. */
  letGo(): void {
    const { frontend } = this
    const now = frontend.now()
    for (const client of frontend.clients.values()) {
      // A session that has been asked for is told of: else its client would ask for a second one.
      const waits = client.outstanding > 0 || client.holdsFor(Hold.Opening | Hold.Outstanding | Hold.Total)
      if (!waits && client.phase !== Phase.Word && this.isGoodMoment(client, now)) frontend.end(client, "drained")
    }
  }

  /** Called whenever a client has gone. */
  hasGone(): void {
    if (this.frontend.clients.size === 0) this.finish()
  }

  /**
   * The end of a connection comes best right behind an answer: the client takes note of both before it asks for anything
   * more. Who has been silent for a while will be for longer.
   */
  private isGoodMoment(client: Client, now: number): boolean {
    if (client.holdsFor(Hold.Draining)) return true
    if (client.splitter.isPartial) return false
    return client.lastReplyAt >= this.since || now - client.arrivedAt >= QUIET_MS
  }
}
