/**
 * The leader's side of one learner's synchronisation: from the learner's last zxid to membership in the fan-out.
 *
 * Every round starts from where the learner says that it stands. If its last zxid is not in the leader's history it is
 * told to cut its log (Trunc) and says again where it stands; if the leader's log does not reach back it is given the
 * checkpoint (Snap) and says again where it stands; else it gets what it lacks (Diff), first from the log, then from
 * memory. Only from memory it is joined: the rest of the history and NewLeader leave in the same step in which the
 * leader counts it among the receivers of the fan-out, so between the two nothing can be missed.
 *
 * Nothing committed can be cut off: all that is committed is in the leader's history, so what the learner keeps, the
 * largest common zxid at or before its last, is not below it; and a snapshot is only ever later than that.
 */
import type { LeaderToLearner } from "@zkmesh/messages"
import { hex, type Zxid } from "@zkmesh/numbers"
import { sliceBatch, type TxnBatch } from "@zkmesh/txn"
import { invariant } from "./invariant.ts"
import type { LearnerHandle } from "./learnerHandle.ts"
import type { PeerState } from "./state.ts"
import type { SyncKind, SyncTurns } from "./turns.ts"
import type { LinkId, ReadOp } from "./types.ts"

/** Trunc and Snap rounds before the leader concludes that the two logs cannot be reconciled. */
const MAX_ROUNDS = 64

export class LearnerSync {
  private readonly state: PeerState
  private readonly link: LinkId
  private readonly epoch: number
  private readonly turns: SyncTurns
  private readonly mayWait: boolean
  private mode: "idle" | "waiting" | "finding" | "opening" | "snap" | "diff" | "joined" = "idle"
  /** What it has its turn for, or waits for. */
  private turn: SyncKind | undefined
  private position: Zxid = 0
  private inFlight = 0
  private rounds = 0
  private pending: ReadOp | undefined
  private snapshotOpen = false
  /** The log after this is still needed; nothing of it may be purged. */
  pinned: Zxid = 0
  /** The last zxid that did not come by the fan-out; set once it is joined. */
  joinedAt: Zxid = 0
  /** When the learner last showed that it moves. */
  progressAt: number

  constructor(state: PeerState, { link, votes, isRebuilding }: LearnerHandle, epoch: number, turns: SyncTurns) {
    this.state = state
    this.link = link
    this.epoch = epoch
    this.turns = turns
    this.mayWait = !votes && !isRebuilding
    this.progressAt = state.now
  }

  /** It is not the learner's fault that it does not move. */
  get isWaiting(): boolean {
    return this.mode === "waiting"
  }

  get isJoined(): boolean {
    return this.mode === "joined"
  }

  /** The learner's last zxid is `zxid`. */
  start(zxid: Zxid): void {
    const { state } = this
    if (++this.rounds > MAX_ROUNDS) {
      state.breakLearner(this.link, "the two logs cannot be reconciled")
      return
    }
    this.progressAt = state.now
    this.stopWaiting()
    this.closeSnapshot()
    this.inFlight = 0
    this.position = zxid
    this.find()
  }

  private find(): void {
    const { state, position: zxid } = this
    this.pinned = zxid
    const { window } = state.log
    if (zxid >= window.floor) this.decide(window.lastAtOrBefore(zxid))
    else {
      this.mode = "finding"
      this.pending = state.read({ _tag: "Find", zxid })
    }
  }

  /** True if it may go on in this way; else `proceed` is called when it may. */
  private hasTurn(kind: SyncKind): boolean {
    if (this.turn === kind || this.turn === "snap") return true
    this.endTurn()
    const { maxSnapSyncs, maxDiffSyncs } = this.state.config
    const limit = (kind === "snap" ? maxSnapSyncs : maxDiffSyncs) ?? Number.POSITIVE_INFINITY
    this.turn = kind
    if (this.turns.take(kind, this, this.mayWait, limit)) return true
    this.mode = "waiting"
    // Where it stands is looked up anew then.
    this.pinned = Number.POSITIVE_INFINITY
    return false
  }

  proceed(): void {
    this.mode = "idle"
    this.progressAt = this.state.now
    if (this.turn === "snap") this.needSnap()
    else this.find()
  }

  /** Our last zxid at or before the learner's; undefined: the log begins later. */
  private decide(common: Zxid | undefined): void {
    this.pending = undefined
    // A checkpoint that lacks what the learner has would take from it what it has acknowledged.
    const isForced = this.rounds === 1 && this.state.config.forceSnapshotSync === true
    if (common === undefined || (isForced && this.state.feed.checkpoint >= common)) {
      this.needSnap()
      return
    }
    if (common !== this.position) {
      this.state.counters.truncs++
      this.mode = "idle"
      this.pinned = common
      this.tell({ _tag: "Trunc", zxid: common })
      return
    }
    if (!this.hasTurn("diff")) return
    if (this.rounds === 1) this.state.counters.diffs++
    this.mode = "diff"
    this.tell({ _tag: "Diff", after: common })
    this.pump()
  }

  needSnap(): void {
    this.stopWaiting()
    if (!this.hasTurn("snap")) return
    this.mode = "opening"
    this.pinned = 0
    this.state.counters.snaps++
    this.closeSnapshot()
    this.snapshotOpen = true
    this.pending = this.state.read({ _tag: "OpenSnapshot", link: this.link })
  }

  /** The learner has made `bytes` durable. */
  acked(bytes: number): void {
    this.progressAt = this.state.now
    this.inFlight = Math.max(0, this.inFlight - bytes)
    this.pump()
  }

  found(op: ReadOp, zxid: Zxid | undefined): void {
    if (this.pending === op) this.decide(zxid)
  }

  snapshotOpened(op: ReadOp, zxid: Zxid): void {
    if (this.pending !== op) return
    this.pending = undefined
    this.mode = "snap"
    this.pinned = zxid
    const configuration = this.state.membership.stored.committed
    this.tell(configuration === undefined ? { _tag: "Snap", zxid } : { _tag: "Snap", zxid, configuration })
    this.pump()
  }

  snapshotRead(op: ReadOp, bytes: Uint8Array, last: boolean): void {
    if (this.pending !== op) return
    this.pending = undefined
    this.inFlight += bytes.length
    this.tell({ _tag: "SnapChunk", bytes, last })
    if (last) {
      // The learner says where it stands once it has taken all of it.
      this.mode = "idle"
      this.closeSnapshot()
    } else this.pump()
  }

  read(op: ReadOp, batches: ReadonlyArray<TxnBatch>): void {
    if (this.pending !== op) return
    this.pending = undefined
    for (const batch of batches) this.send(batch)
    invariant(
      batches.length > 0 || this.position >= this.state.log.window.floor,
      `the log does not hold what follows ${hex(this.position)}`
    )
    this.pump()
  }

  /** Sends what the window allows; joins the learner when what is left is small and in memory. */
  private pump(): void {
    if (this.pending !== undefined) return
    const { config, log } = this.state
    if (this.mode === "snap") {
      if (this.inFlight < config.syncWindowBytes) {
        this.pending = this.state.read({ _tag: "ReadSnapshot", link: this.link })
      }
      return
    }
    if (this.mode !== "diff") return
    const { window } = log
    if (this.position >= window.floor) {
      const join = window.bytesAfter(this.position) <= config.syncWindowBytes
      for (let index = window.indexAfter(this.position); join || this.inFlight < config.syncWindowBytes; index++) {
        const batch = window.at(index)
        if (batch === undefined) break
        this.send(batch)
      }
      if (join) this.join()
    } else if (this.inFlight < config.syncWindowBytes) {
      this.pending = this.state.read({ _tag: "Read", after: this.position, maxBytes: config.readBytes })
    }
  }

  private join(): void {
    invariant(this.position === this.state.log.last, "a learner was joined before it had everything")
    this.mode = "joined"
    this.joinedAt = this.position
    this.pinned = Number.POSITIVE_INFINITY
    this.tell({ _tag: "NewLeader", epoch: this.epoch, last: this.position })
    this.endTurn()
  }

  private send(batch: TxnBatch): void {
    const part = sliceBatch(batch, this.position, Number.POSITIVE_INFINITY)
    if (part === undefined) return
    this.position = part.last
    this.pinned = part.last
    this.inFlight += part.bytes.length
    this.tell({ _tag: "Sync", batch: part })
  }

  private tell(message: LeaderToLearner): void {
    this.state.emit({ _tag: "ToLearner", link: this.link, message })
  }

  /** The link is gone. */
  close(): void {
    this.stopWaiting()
    this.mode = "idle"
    this.pending = undefined
    this.closeSnapshot()
    this.endTurn()
  }

  private stopWaiting(): void {
    if (!this.isWaiting) return
    this.mode = "idle"
    this.turns.leave(this.turn!, this)
    this.turn = undefined
  }

  private endTurn(): void {
    const { turn } = this
    this.turn = undefined
    if (turn !== undefined) this.turns.end(turn)
  }

  private closeSnapshot(): void {
    if (!this.snapshotOpen) return
    this.snapshotOpen = false
    this.state.read({ _tag: "CloseSnapshot", link: this.link })
  }
}
