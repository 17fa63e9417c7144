/**
 * When a learner writes what it was proposed: at once, or, if the leader can spare its word, together with what comes next.
 * And when it delivers: at once, or, if the leader waits for its word alone, once that word is on its way.
 *
 * It waits only while more is under way. Once everything that it has is committed the stream has paused, and somebody may
 * watch for this very transaction.
 */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { PeerState } from "./state.ts"

const AT_ONCE = Number.POSITIVE_INFINITY

export class Pace {
  private readonly state: PeerState
  /** Everything up to here goes to the disk at once. */
  private due: Zxid = AT_ONCE
  /** A lone writer waits for this peer's word on what is on its way to the disk. */
  private isNeeded = false

  constructor(state: PeerState) {
    this.state = state
  }

  /** A proposal is about to be taken into the log; the leader can do without the word of `spared`. */
  proposed(spared: ReadonlyArray<Sid>): void {
    const isSpared = spared.includes(this.state.config.sid)
    this.isNeeded = spared.length > 0 && !isSpared
    if (!isSpared) this.due = AT_ONCE
    else if (this.due === AT_ONCE) {
      this.due = this.state.log.last
      this.state.emit({ _tag: "Linger", with: "append" })
    }
  }

  /** It has waited long enough. */
  lingered(): void {
    this.due = AT_ONCE
    this.isNeeded = false
  }

  /** Not even a database that stalls holds a delivery for long. */
  tick(): void {
    this.isNeeded = false
  }

  /** The word has been given; what was held back follows when it has left. */
  acknowledged(): void {
    if (this.isNeeded) this.state.emit({ _tag: "Linger", with: "delivery" })
  }

  /**
   * What came committed with a lone writer's proposal has nobody waiting for it, or it would have come alone: the database
   * gets this processor first.
   */
  get holdsDelivery(): boolean {
    return this.isNeeded
  }

  /** How far the log may go to the disk. */
  get limit(): Zxid {
    return this.state.committed >= this.state.log.last ? AT_ONCE : this.due
  }
}
