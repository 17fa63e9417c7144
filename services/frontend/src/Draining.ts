/**
 * How a frontend that is asked to stop lets go of its clients. The protocol has no word for "go elsewhere": all that can
 * be done is to end each connection at a moment at which nothing of the client's is on its way. It comes back by another
 * door, with its session.
 */
import { Effect, Schedule } from "effect"
import { type Client, Hold, Phase } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"

/** How long such moments are waited for: first those of silence, then those right behind an answer. */
const SILENCE_MS = 1000
const ANSWER_MS = 500
/** How long after that the answers to what has been read are waited for. */
const LAST_ANSWERS_MS = 2000
/** How often it is looked for silence. Who is silent twice has most likely nothing to say, and nothing on its way. */
const LOOK_MS = 4

export class Draining {
  private readonly frontend: Frontend
  /** From when on the end of a connection may follow any answer. */
  private isUrgent = false
  private since: number
  /** Who was silent when it was looked last. */
  private silent = new Set<Client>()
  /** Called when nobody is left. */
  private finish: () => void = () => undefined

  constructor(frontend: Frontend) {
    this.frontend = frontend
    this.since = frontend.now()
  }

  /** Done when all have gone, or some do not. Those who never stop asking are read from no more after a while. */
  done(): Effect.Effect<void> {
    const look = Effect.sync(() => this.look()).pipe(Effect.repeat(Schedule.spaced(LOOK_MS)))
    const urge = Effect.sync(() => {
      this.isUrgent = true
      this.since = this.frontend.now()
    })
    const insist = Effect.sync(() => {
      for (const client of this.frontend.clients.values()) client.hold(Hold.Draining)
      this.letGo()
    })
    const steps = Effect.gen({ self: this }, function* () {
      yield* Effect.timeoutOption(look, SILENCE_MS)
      yield* urge
      yield* Effect.sleep(ANSWER_MS)
      yield* insist
      yield* Effect.sleep(LAST_ANSWERS_MS)
    })
    return Effect.raceFirst(this.allGone(), steps)
  }

  private allGone(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.finish = () => resume(Effect.void)
      this.hasGone()
    })
  }

  /** Called whenever a client has gone. */
  hasGone(): void {
    if (this.frontend.clients.size === 0) this.finish()
  }

  /** Lets go of those who have been silent since the last look: between the two, all that had come has been read. */
  private look(): void {
    const { frontend, silent } = this
    const now = frontend.now()
    this.silent = new Set()
    for (const client of frontend.clients.values()) {
      if (this.waits(client) || now - Math.max(client.arrivedAt, client.lastReplyAt) < LOOK_MS) continue
      if (silent.has(client)) frontend.end(client, "drained")
      else this.silent.add(client)
    }
  }

  /**
   * Called whenever clients may have been answered. For one that never falls silent, the end of its connection comes best
   * right behind an answer: it takes note of both before it asks for anything more.
   */
  letGo(): void {
    if (!this.isUrgent) return
    const { frontend } = this
    for (const client of frontend.clients.values()) {
      if (this.waits(client)) continue
      if (client.holdsFor(Hold.Draining) || client.lastReplyAt >= this.since) frontend.end(client, "drained")
    }
  }

  private waits(client: Client): boolean {
    // A session that has been asked for is told of: else its client would ask for a second one.
    if (client.outstanding > 0 || client.holdsFor(Hold.Opening | Hold.Outstanding | Hold.Total)) return true
    if (client.phase === Phase.Word || client.phase >= Phase.Ending) return true
    return client.splitter.isPartial && !client.holdsFor(Hold.Draining)
  }
}
