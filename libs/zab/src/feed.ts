/**
 * What the own znode is told: every committed transaction in order, the role, the leader's digests.
 *
 * The znode's own progress opens the window. What memory no longer has is read from the log. A role is told only after
 * everything that its epoch began with, so that whoever hears it knows the whole past.
 */
import type { RoleChange, TreeDigest } from "@zkmesh/messages"
import { hex, type Sid, type Zxid } from "@zkmesh/numbers"
import { sliceBatch, type TxnBatch } from "@zkmesh/txn"
import { invariant } from "./invariant.ts"
import type { PeerState } from "./state.ts"
import type { LinkId, ReadOp } from "./types.ts"

export class ZnodeFeed {
  private readonly state: PeerState
  private link: LinkId | undefined
  /** It has said Hello, and not been told to load its tree again since. */
  private ready = false
  /** It has been told to: only a Hello from the new checkpoint on is an answer. */
  private reloading = false
  private sent: Zxid = 0
  private applied: Zxid = 0
  /** What has been sent and not yet applied. */
  private unapplied: Array<TxnBatch> = []
  private unappliedHead = 0
  private unappliedBytes = 0
  private reading: ReadOp | undefined
  /** What is being read is for a znode that has gone, or for a position that is no longer of interest. */
  private readingIsStale = false
  /** A snapshot is coming: what the log has now will be replaced, and the znode's tree with it. */
  private isPaused = false
  private role: RoleChange
  /** Everything up to here comes before the role. */
  private roleAt: Zxid = 0
  private roleSent = false
  /** The znode's checkpoint tables hold the tree as of this zxid. */
  checkpoint: Zxid
  private synced: ReadonlyArray<Sid> | undefined

  constructor(state: PeerState, checkpoint: Zxid) {
    this.state = state
    this.checkpoint = checkpoint
    this.role = { _tag: "Role", role: "looking", epoch: state.currentEpoch, leader: 0 }
  }

  get isConnected(): boolean {
    return this.ready
  }
  isLink(link: LinkId): boolean {
    return this.link === link
  }

  opened(link: LinkId): void {
    if (this.link !== undefined) {
      this.state.emit({ _tag: "BreakZnode", link: this.link, detail: "another znode has come" })
    }
    this.forget()
    this.reloading = false
    this.link = link
  }

  broken(): void {
    this.forget()
    this.link = undefined
  }

  hello(applied: Zxid, checkpoint: Zxid): void {
    const { state } = this
    this.forget()
    // What it has applied may be of a log that is lost; and what a checkpoint builds on may have been replaced, be it by
    // one of the very tree that the znode has.
    const isBeyond = state.isRebuilding && applied > state.log.durable
    if (applied < state.log.floor || checkpoint < this.checkpoint || isBeyond) {
      if (!this.reloading) this.askReload()
      return
    }
    this.reloading = false
    invariant(applied <= state.log.durable, () => `the znode has applied ${hex(applied)}, which the log does not have`)
    // It was told so by an earlier incarnation of this service: applied is committed.
    state.commitTo(applied)
    this.ready = true
    this.sent = applied
    this.applied = applied
    this.roleSent = false
    this.tellConfiguration()
    if (this.role.role !== "looking") this.roleAt = Math.max(this.roleAt, state.deliverable)
  }

  /** The checkpoint has been replaced under the znode's feet. */
  reload(zxid: Zxid): void {
    this.checkpoint = zxid
    this.isPaused = false
    this.forget()
    this.askReload()
  }

  /** The log may not be replaced while it is read. */
  get isReading(): boolean {
    return this.reading !== undefined
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }

  private askReload(): void {
    if (this.link === undefined) return
    this.reloading = true
    this.state.emit({ _tag: "ToZnode", link: this.link, message: { _tag: "Reload", zxid: this.checkpoint } })
  }

  checkpointed(zxid: Zxid): void {
    this.checkpoint = Math.max(this.checkpoint, zxid)
  }

  /** The role to be told once everything up to `at` has been; looking is told at once. */
  become(role: RoleChange, at: Zxid): void {
    this.role = role
    this.roleAt = at
    this.roleSent = false
  }

  /** For `/zookeeper/config`, as long as the log says nothing about it. */
  tellConfiguration(): void {
    const text = this.state.membership.established
    if (text === undefined || !this.ready) return
    this.state.emit({ _tag: "ToZnode", link: this.link!, message: { _tag: "Configuration", text } })
  }

  /** While leading: who is up to date. */
  tellSynced(sids: ReadonlyArray<Sid>): void {
    this.synced = sids
    if (this.ready && this.roleSent) this.sendSynced()
  }

  private sendSynced(): void {
    if (this.synced === undefined || this.role.role !== "leading") return
    this.state.emit({ _tag: "ToZnode", link: this.link!, message: { _tag: "Synced", sids: this.synced } })
  }

  digest(digest: TreeDigest): void {
    if (this.ready) this.state.emit({ _tag: "ToZnode", link: this.link!, message: { _tag: "Digest", digest } })
  }

  progressed(applied: Zxid): void {
    if (!this.ready) return
    invariant(applied <= this.sent, () => `the znode has applied ${hex(applied)}, which it has not been told`)
    this.applied = Math.max(this.applied, applied)
    const { unapplied } = this
    while (this.unappliedHead < unapplied.length && unapplied[this.unappliedHead]!.last <= applied) {
      this.unappliedBytes -= unapplied[this.unappliedHead++]!.bytes.length
    }
    if (this.unappliedHead === unapplied.length || this.unappliedHead > 1024) {
      this.unapplied = unapplied.slice(this.unappliedHead)
      this.unappliedHead = 0
    }
  }

  /** Tells the znode whatever can be told now. */
  pump(): void {
    if (!this.ready) return
    // Looking comes at once, and what is committed goes on: it stays committed whoever leads next.
    if (!this.roleSent && this.role.role === "looking") this.tellRole()
    const { state } = this
    const { window } = state.log
    const limit = state.deliverable
    if (this.sent < limit && this.reading === undefined) {
      if (this.sent >= window.floor) this.pumpWindow(limit)
      else if (this.hasRoom && !this.isPaused) {
        this.reading = state.read({ _tag: "Read", after: this.sent, maxBytes: state.config.readBytes })
      }
    }
    if (!this.roleSent && this.sent >= this.roleAt) this.tellRole()
  }

  private pumpWindow(limit: Zxid): void {
    const { window } = this.state.log
    for (let index = window.indexAfter(this.sent); this.sent < limit && this.hasRoom; index++) {
      const batch = window.at(index)
      invariant(batch !== undefined, () => `the window ends before ${hex(limit)}`)
      const part = sliceBatch(batch, this.sent, limit)
      if (part === undefined) break
      this.tell(part)
    }
  }

  read(op: ReadOp, batches: ReadonlyArray<TxnBatch>): boolean {
    if (this.reading !== op) return false
    this.reading = undefined
    const isStale = this.readingIsStale
    this.readingIsStale = false
    if (isStale) return true
    invariant(batches.length > 0, () => `the log does not hold what follows ${hex(this.sent)}`)
    const limit = this.state.deliverable
    for (const batch of batches) {
      const part = sliceBatch(batch, this.sent, limit)
      if (part !== undefined) this.tell(part)
    }
    return true
  }

  private get hasRoom(): boolean {
    return this.unappliedBytes < this.state.config.znodeWindowBytes
  }

  private tell(batch: TxnBatch): void {
    this.sent = batch.last
    this.unapplied.push(batch)
    this.unappliedBytes += batch.bytes.length
    this.state.emit({ _tag: "ToZnode", link: this.link!, message: { _tag: "Committed", batch } })
  }

  private tellRole(): void {
    this.roleSent = true
    this.state.emit({ _tag: "ToZnode", link: this.link!, message: this.role })
    this.sendSynced()
  }

  private forget(): void {
    this.ready = false
    this.readingIsStale = this.reading !== undefined
    this.unapplied = []
    this.unappliedHead = 0
    this.unappliedBytes = 0
  }
}
