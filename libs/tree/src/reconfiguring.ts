/** The leader's reconfigurations: one at a time, each judged against the ensemble as it is. */
import { parseConfiguration, reconfigure } from "@zkmesh/membership"
import type { Sid, Zxid } from "@zkmesh/numbers"
import { ErrorCode, type ReconfigRequest } from "@zkmesh/protocol"
import type { NodeOps } from "./nodeops.ts"
import type { Tree } from "./tree.ts"

export interface ReconfigurationOptions {
  /** The operation is offered at all, `reconfigEnabled`; default no. */
  readonly reconfigEnabled?: boolean
  /** A lone voter is a server alone, which cannot be reconfigured, `standaloneEnabled`; default yes. */
  readonly standaloneEnabled?: boolean
}

export class Reconfiguring {
  private readonly options: ReconfigurationOptions
  private readonly tree: Tree
  private readonly ops: NodeOps
  /** Who is connected and up to date. */
  private synced: ReadonlySet<Sid> = new Set()
  /** The last one that was prepared. */
  private last: Zxid = 0

  constructor(options: ReconfigurationOptions, tree: Tree, ops: NodeOps) {
    this.options = options
    this.tree = tree
    this.ops = ops
  }

  /** Leads no more: whatever is in flight is none of its business now. */
  stop(): void {
    this.last = 0
  }

  upToDate(sids: ReadonlyArray<Sid>): void {
    this.synced = new Set(sids)
  }

  /** In the order of ZooKeeper's checks. Returns the error; OK if the transaction `zxid` has its body. */
  prepare(request: ReconfigRequest, zxid: Zxid): number {
    const { tree, options } = this
    if (options.reconfigEnabled !== true) return ErrorCode.RECONFIGDISABLED
    const standaloneEnabled = options.standaloneEnabled ?? true
    const text = tree.configText()
    if (text === "") return ErrorCode.UNIMPLEMENTED
    const current = parseConfiguration(text)
    if (standaloneEnabled && current.members.length === 1) return ErrorCode.UNIMPLEMENTED
    if (this.last > tree.zxid) return ErrorCode.RECONFIGINPROGRESS
    const result = reconfigure(request, { current, standaloneEnabled, synced: this.synced, zxid })
    if ("error" in result) return result.error
    const code = this.ops.setConfiguration(result.configuration.text)
    if (code === ErrorCode.OK) this.last = zxid
    return code
  }
}
