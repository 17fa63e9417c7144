/** What a leader knows of one learner. */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { LearnerSync } from "./sync.ts"
import type { LinkId } from "./types.ts"

export class LearnerHandle {
  readonly link: LinkId
  sid: Sid = 0
  /** In the configuration, or in the one that is being agreed on. */
  votes = false
  /** It has promised a later epoch than this one: whatever it says, it says as an observer. */
  isBound = false
  /** It has lost its log, and with it its vote. */
  isRebuilding = false
  acceptedEpoch = 0
  stage: "opened" | "asked" | "informed" | "acked" = "opened"
  /** What AckEpoch said. */
  lastZxid: Zxid = 0
  readonly openedAt: number
  heardAt: number
  sync: LearnerSync | undefined
  /** Whatever it says, it says as an observer. */
  get isVoteless(): boolean {
    return this.isBound || this.isRebuilding
  }
  /** It has acknowledged NewLeader: it counts. */
  isSynced = false
  /** Everything up to here is durable there. */
  acked: Zxid = 0

  constructor(link: LinkId, now: number) {
    this.link = link
    this.openedAt = this.heardAt = now
  }
}
