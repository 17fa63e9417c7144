/** What the fan-out brings before a learner has been told where its history ends, oldest first. */
import type { FanOut } from "@zkmesh/messages"

export type Proposal = Extract<FanOut, { _tag: "Propose" }>

export class EarlyProposals {
  private readonly maxBytes: number
  private proposals: Array<Proposal> = []
  private bytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Before NewLeader nobody knows which of these are new; the oldest are the likeliest to come by Sync as well. */
  keep(proposal: Proposal): void {
    this.proposals.push(proposal)
    this.bytes += proposal.batch.bytes.length
    let drop = 0
    while (this.bytes > this.maxBytes) this.bytes -= this.proposals[drop++]!.batch.bytes.length
    if (drop > 0) this.proposals.splice(0, drop)
  }

  take(): ReadonlyArray<Proposal> {
    const { proposals } = this
    this.proposals = []
    this.bytes = 0
    return proposals
  }
}
