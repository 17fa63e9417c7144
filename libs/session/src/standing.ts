/** What the peer is at the moment, and so who is served: what its znode says of its role, and what time makes of that. */
import type { RoleChange, SessionToFrontend } from "@zkmesh/messages"
import type { SessionCore } from "./core.ts"
import type { Leader } from "./input.ts"

const NOBODY: RoleChange = { _tag: "Role", role: "looking", epoch: 0, leader: 0 }

export class Standing {
  private readonly core: SessionCore
  role: RoleChange = NOBODY
  /** Where writes go; undefined while nobody leads. A new object for every change of role: each wants a new link. */
  leader: Leader | undefined
  /** True between the stream's Hello and its end. */
  connected = false
  /** True as long as clients are welcome: there is a leader, or was one until a moment ago. */
  serving = false
  /** True if that is for reading alone: there has been no leader for some time. */
  readOnly = false
  private leaderLostAt = 0
  /** `/zookeeper/config`, as the znode has told of it last. */
  private configuration: string | undefined

  constructor(core: SessionCore) {
    this.core = core
  }

  /** The stream begins. */
  begin(role: RoleChange, now: number): void {
    this.connected = true
    this.leaderLostAt = now
    this.roleChanged(role, now)
  }

  roleChanged(role: RoleChange, now: number): void {
    const before = this.role
    this.role = role
    this.leader = role.role === "looking" ? undefined : { sid: role.leader, epoch: role.epoch }
    if (role.role === "looking") {
      if (before.role !== "looking") this.leaderLostAt = now
    } else {
      this.leaveReadOnly()
      this.serving = true
    }
    this.core.tracking.become(role.role === "leading", now)
    this.tell(this.status)
  }

  /** The stream has ended: nothing is known any more. */
  end(): void {
    this.role = NOBODY
    this.leader = undefined
    this.connected = false
    this.leaveReadOnly()
    this.serving = false
  }

  /** Without a leader for long enough, clients have to go, or only those stay who read and no more. */
  tick(now: number): void {
    if (this.readOnly || this.considerReadOnly(now)) return
    if (!this.serving || now - this.leaderLostAt < this.core.options.giveUpMs) return
    this.serving = false
    this.core.closeAll("no leader")
    this.tell(this.status)
  }

  /** Without a leader for long enough, this peer serves those who only read; true if that begins now. */
  private considerReadOnly(now: number): boolean {
    const { readOnlyAfterMs } = this.core.options
    if (readOnlyAfterMs === undefined || !this.connected || now - this.leaderLostAt < readOnlyAfterMs) return false
    this.core.closeAll("no leader")
    this.serving = this.readOnly = true
    this.tell(this.status)
    return true
  }

  /** Clients find somebody who can write: as with ZooKeeper, all of them have to come again. */
  private leaveReadOnly(): void {
    if (!this.readOnly) return
    this.readOnly = false
    this.core.closeAll("this peer does not only read any more")
    this.core.standalone.clear()
  }

  configured(text: string): void {
    if (text === this.configuration) return
    this.configuration = text
    this.tell({ _tag: "Configuration", text })
  }

  /** What a frontend is told when it comes. */
  get news(): ReadonlyArray<SessionToFrontend> {
    const { configuration } = this
    return configuration === undefined ? [this.status] : [this.status, { _tag: "Configuration", text: configuration }]
  }

  get status(): SessionToFrontend {
    const { role, epoch } = this.role
    const { serving, readOnly } = this
    const leadsOnly = role === "leading" && this.core.options.leaderServes === false
    return {
      _tag: "Status",
      serving,
      role,
      epoch,
      zxid: this.core.zxid,
      ...(readOnly ? { readOnly } : {}),
      ...(leadsOnly ? { leadsOnly } : {})
    }
  }

  tell(message: SessionToFrontend): void {
    for (const frontend of this.core.frontends.values()) frontend.open(message)
  }
}
