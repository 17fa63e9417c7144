/**
 * When a learner writes what it was proposed: at once, or, if the leader can spare its word, together with what comes next.
 *
 * It waits only while more is under way. Once everything that it has is committed the stream has paused, and somebody may
 * watch for this very transaction.
 */
import type { Zxid } from "@zkmesh/numbers"
import type { PeerState } from "./state.ts"

const AT_ONCE = Number.POSITIVE_INFINITY

export class Pace {
  private readonly state: PeerState
  /** Everything up to here goes to the disk at once. */
  private due: Zxid = AT_ONCE

  constructor(state: PeerState) {
    this.state = state
  }

  /** A proposal is about to be taken into the log. */
  proposed(isSpared: boolean): void {
    if (!isSpared) this.due = AT_ONCE
    else if (this.due === AT_ONCE) {
      this.due = this.state.log.last
      this.state.emit({ _tag: "Linger", with: "append" })
    }
  }

  /** It has waited long enough. */
  lingered(): void {
    this.due = AT_ONCE
  }

  /** How far the log may go to the disk. */
  get limit(): Zxid {
    return this.state.committed >= this.state.log.last ? AT_ONCE : this.due
  }
}
