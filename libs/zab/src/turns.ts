/**
 * Which learners are being brought up to date, and which wait for their turn. Voters do not: without them nobody serves.
 * Whoever has its turn keeps it until it has joined the others, or has gone.
 */

export type SyncKind = "snap" | "diff"

/** A learner's synchronisation, called when its turn has come. */
interface Waiting {
  proceed(): void
}

class Turns {
  private running = 0
  private limit = Number.POSITIVE_INFINITY
  private readonly waiting = new Set<Waiting>()
  private isCalling = false

  take(who: Waiting, mayWait: boolean, limit: number): boolean {
    this.limit = limit
    if (mayWait && this.running >= limit) {
      this.waiting.add(who)
      return false
    }
    this.running++
    return true
  }

  leave(who: Waiting): void {
    this.waiting.delete(who)
  }

  /** One that is called may be done at once: its end finds this loop at work. */
  end(): void {
    this.running--
    if (this.isCalling) return
    this.isCalling = true
    for (const next of this.waiting) {
      if (this.running >= this.limit) break
      this.waiting.delete(next)
      this.running++
      next.proceed()
    }
    this.isCalling = false
  }
}

export class SyncTurns {
  private readonly turns = { snap: new Turns(), diff: new Turns() }

  /** True if it may begin now; else it will be told when. `limit`: how many may be at it while another one waits. */
  take(kind: SyncKind, who: Waiting, mayWait: boolean, limit: number): boolean {
    return this.turns[kind].take(who, mayWait, limit)
  }

  /** It does not wait any more. */
  leave(kind: SyncKind, who: Waiting): void {
    this.turns[kind].leave(who)
  }

  /** A turn is over: the next one's begins. */
  end(kind: SyncKind): void {
    this.turns[kind].end()
  }
}
