/**
 * A peer's znode service without its links and its database: the tree, what is read from it, what is applied to it, and
 * on the leader what is prepared. Synchronous; what it owes is collected and taken once per pass.
 */
import {
  type BroadcastToZnode,
  type RoleChange,
  type SessionToZnode,
  type Stats,
  statsAt,
  type TreeDigest,
  type ZnodeToBroadcast
} from "@zkmesh/messages"
import { counterOf, hex, type Zxid } from "@zkmesh/numbers"
import type { CheckpointDelta } from "@zkmesh/store"
import { EntryReader, type TxnBatch } from "@zkmesh/txn"
import { Applier } from "./apply.ts"
import { DigestCheck } from "./digestcheck.ts"
import type { Clocks, LinkId, ZnodeInput, ZnodeOptions, ZnodeOutput } from "./input.ts"
import { Leading } from "./leading.ts"
import { ROOT } from "./nodes.ts"
import type { QuotaSums } from "./quotas.ts"
import { RecentEvents } from "./recentEvents.ts"
import { RecentReplies } from "./replies.ts"
import { Streams } from "./streams.ts"
import { CONFIG_PATH, type Tree, TreeCorrupt } from "./tree.ts"

/** Digests are compared whenever a zxid's counter is a multiple of this, unless the options say otherwise. */
const DIGEST_EVERY = 128
const CONFIG_BYTES = Buffer.from(CONFIG_PATH)

export class ZnodeCore {
  private readonly options: ZnodeOptions
  private tree: Tree
  private applier: Applier
  private readonly streams: Streams
  private readonly leading: Leading
  private readonly digests = new DigestCheck()
  role: RoleChange = { _tag: "Role", role: "looking", epoch: 0, leader: 0 }
  /** What broadcast says of itself, for the operator. */
  private broadcastStats: Stats = {}
  /** What broadcast has told of the configuration that nobody has changed yet. */
  private configuration: string | undefined
  private isConnected = false
  isLoading = false
  private reload = false
  private toBroadcast: Array<ZnodeToBroadcast> = []
  private breaks: Array<{ readonly link: LinkId; readonly detail: string }> = []
  private reported: Zxid
  /** The checkpoint in the database, and what has happened since. */
  private checkpoint: Zxid
  private writing: { readonly to: Zxid; readonly startedMs: number; isSuperseded: boolean } | undefined
  private due: CheckpointDelta | undefined
  private txnsSince = 0
  private checkpointedMs = 0
  private readonly replies: RecentReplies | undefined
  private readonly counters = { checkpoints: 0, checkpointMs: 0, checkpointedAt: -1, applied: 0, reloads: 0 }

  constructor(options: ZnodeOptions, tree: Tree) {
    this.options = options
    this.tree = tree
    tree.skipAcl = options.skipAcl ?? false
    const { recentReplyBytes } = options
    this.replies = recentReplyBytes === undefined ? undefined : new RecentReplies(recentReplyBytes)
    this.keepEvents(tree)
    this.applier = new Applier(tree, options.sid, this.replies, options.traffic)
    this.streams = new Streams(tree, options.traffic)
    this.leading = new Leading(options, tree, this.role)
    this.reported = this.checkpoint = tree.zxid
    this.countConfiguration()
  }

  /** Each peer writes it by itself, and ZooKeeper counts that as a write. */
  private countConfiguration(): void {
    const text = this.tree.configText()
    if (text !== "") this.options.traffic?.wrote(CONFIG_BYTES, 0, CONFIG_BYTES.length, Buffer.byteLength(text))
  }

  step(input: ZnodeInput, clocks: Clocks): void {
    switch (input._tag) {
      case "StreamOpened":
        if (this.isLoading) this.breaks.push({ link: input.link, detail: LOADING })
        else this.streams.opened(input.link, this.role)
        return
      case "FromStream":
        if (!this.isLoading) for (const message of input.messages) this.fromSession(input.link, message)
        return
      case "StreamBroken":
        this.streams.broken(input.link)
        return
      case "PrepareOpened":
        if (this.isLoading) this.breaks.push({ link: input.link, detail: LOADING })
        else this.leading.opened(input.link)
        return
      case "FromPrepare":
        this.leading.received(input.link, input.messages, clocks.wallMs)
        return
      case "PrepareBroken":
        this.leading.broken(input.link)
        return
      case "BroadcastOpened":
        this.isConnected = true
        if (!this.isLoading) this.sayHello()
        return
      case "FromBroadcast":
        for (const message of input.messages) this.fromBroadcast(message, clocks)
        return
      case "BroadcastBroken":
        this.isConnected = false
        this.toBroadcast = []
        this.become({ ...this.role, role: "looking", leader: 0 }, clocks)
        return
      case "Loaded":
        this.loaded(input.tree)
        return
      case "CheckpointWritten":
        this.checkpointWritten(clocks)
        return
      case "CheckpointAbandoned":
        this.writing = undefined
        return
      case "Tick":
        this.leading.tick(clocks.nowMs, clocks.wallMs)
        this.considerCheckpoint(clocks.nowMs)
        return
    }
  }

  private keepEvents(tree: Tree): void {
    const { recentEvents = 0 } = this.options
    if (recentEvents > 0) tree.recentEvents = new RecentEvents(recentEvents, tree.zxid)
  }

  private sayHello(): void {
    this.reported = this.tree.zxid
    this.toBroadcast.push({ _tag: "Hello", applied: this.tree.zxid, checkpoint: this.checkpoint })
  }

  private fromSession(link: LinkId, message: SessionToZnode): void {
    switch (message._tag) {
      case "Reads":
        this.streams.read(link, message)
        return
      case "ReadsAfter":
        if (this.streams.readAfter(link, message)) return
        this.streams.broken(link)
        this.breaks.push({ link, detail: "a read came after what it was to come before" })
        return
      case "Query":
        this.streams.answer(link, message.id, this.answer(message.name))
        return
    }
  }

  private fromBroadcast(message: BroadcastToZnode, clocks: Clocks): void {
    switch (message._tag) {
      case "Committed":
        this.apply(message.batch, clocks)
        return
      case "Role":
        this.become(message, clocks)
        return
      case "Digest":
        this.digests.announced(message.digest)
        return
      case "Configuration":
        this.configuration = message.text
        this.tree.setConfig(message.text)
        this.countConfiguration()
        return
      case "Synced":
        this.leading.upToDate(message.sids)
        return
      case "Stats":
        this.broadcastStats = message.stats
        return
      case "Reload":
        this.unload(message.zxid, clocks)
        return
    }
  }

  private become(role: RoleChange, clocks: Clocks): void {
    this.role = role
    this.streams.role(role)
    this.leading.become(role, clocks.nowMs, clocks.wallMs)
  }

  private apply(batch: TxnBatch, clocks: Clocks): void {
    if (this.isLoading) throw new TreeCorrupt(`${hex(batch.first)} is committed while there is no tree`)
    const { tree, applier, streams } = this
    streams.beforeApply()
    const entries = new EntryReader(batch.bytes)
    while (entries.next()) {
      const txn = applier.apply(entries)
      if (txn === undefined) continue
      this.counters.applied++
      this.txnsSince++
      streams.applied(txn)
      if (counterOf(txn.zxid) % (this.options.digestEvery ?? DIGEST_EVERY) === 0) this.digestAt(txn.zxid)
    }
    this.leading.applied(tree.zxid, clocks.wallMs)
    if (this.txnsSince >= this.options.snapCount) this.considerCheckpoint(clocks.nowMs)
  }

  private digestAt(zxid: Zxid): void {
    const digest: TreeDigest = { zxid, digest: this.tree.digest() }
    this.digests.applied(digest)
    this.report(digest)
  }

  private report(digest: TreeDigest | undefined): void {
    const { zxid } = this.tree
    if (!this.isConnected || this.isLoading || (digest === undefined && zxid === this.reported)) return
    this.reported = zxid
    this.toBroadcast.push({ _tag: "Applied", zxid, digest })
  }

  /** The database holds another tree: this one must not be seen any more, nor what is read from it. */
  private unload(zxid: Zxid, clocks: Clocks): void {
    this.isLoading = this.reload = true
    this.counters.reloads++
    // What was captured of the old tree is none of the new one's business, but it may be under way.
    if (this.due !== undefined) this.due = this.writing = undefined
    if (this.writing !== undefined) this.writing.isSuperseded = true
    this.toBroadcast = []
    this.become({ ...this.role, role: "looking", leader: 0 }, clocks)
    const detail = `the tree is replaced by a checkpoint at ${hex(zxid)}`
    for (const link of [...this.streams.clear(), ...this.leading.clear()]) this.breaks.push({ link, detail })
  }

  private loaded(tree: Tree): void {
    this.isLoading = false
    this.tree = tree
    tree.skipAcl = this.options.skipAcl ?? false
    this.keepEvents(tree)
    if (this.configuration !== undefined) tree.setConfig(this.configuration)
    this.countConfiguration()
    this.applier = new Applier(tree, this.options.sid, this.replies, this.options.traffic)
    this.streams.replace(tree)
    this.leading.replace(tree)
    this.digests.clear()
    this.checkpoint = tree.zxid
    this.txnsSince = 0
    if (this.isConnected) this.sayHello()
  }

  private considerCheckpoint(nowMs: number): void {
    if (this.writing !== undefined || this.isLoading || this.txnsSince === 0) return
    const isDue = nowMs - this.checkpointedMs >= this.options.checkpointIntervalMs
    if (this.txnsSince < this.options.snapCount && !isDue) return
    const { tree } = this
    this.writing = { to: tree.zxid, startedMs: nowMs, isSuperseded: false }
    this.txnsSince = 0
    this.checkpointedMs = nowMs
    const nodes = tree.changes.capture()
    const sessions = tree.sessions.capture()
    this.due = {
      from: this.checkpoint,
      to: tree.zxid,
      digest: tree.digest(),
      upserted: nodes.upserted,
      deleted: nodes.deleted,
      sessions: sessions.changed,
      closedSessions: sessions.closed
    }
  }

  private checkpointWritten({ nowMs, wallMs }: Clocks): void {
    const { writing } = this
    this.writing = undefined
    if (writing === undefined || writing.isSuperseded) return
    this.counters.checkpoints++
    this.counters.checkpointedAt = Math.floor(wallMs / 1000)
    this.counters.checkpointMs = Math.round(nowMs - writing.startedMs)
    this.checkpoint = writing.to
    this.tree.changes.release()
    if (this.isConnected) this.toBroadcast.push({ _tag: "Checkpointed", zxid: writing.to })
    if (this.txnsSince >= this.options.snapCount) this.considerCheckpoint(nowMs)
  }

  /** False once the tree that the checkpoint being written is of has been replaced: then it may fail. */
  get needsCheckpoint(): boolean {
    return this.writing !== undefined && !this.writing.isSuperseded
  }

  /** Everything owed since the last call. */
  take(): ZnodeOutput {
    this.report(undefined)
    const proposals = this.leading.takeProposals()
    const output: ZnodeOutput = {
      toBroadcast: proposals.length === 0 ? this.toBroadcast : [...this.toBroadcast, ...proposals],
      toStreams: this.streams.take(),
      toPrepare: this.leading.takeMessages(),
      breaks: [...this.breaks, ...this.leading.takeBreaks()],
      checkpoint: this.due,
      reload: this.reload
    }
    this.toBroadcast = []
    this.breaks = []
    this.due = undefined
    this.reload = false
    return output
  }

  /** Every session that owns nodes, with their paths: the list that `dump` prints. */
  private ephemerals(): Stats {
    const { tree } = this
    const owners = [...tree.ephemerals].sort(([a], [b]) => a - b)
    return {
      ephemerals: owners.map(([id, slots]) => ({
        session: hex(id),
        paths: [...slots].map((slot) => tree.nodes.path(slot)).sort()
      }))
    }
  }

  private answer(question: Extract<SessionToZnode, { _tag: "Query" }>["name"]): Stats {
    if (question === "ephemerals") return this.ephemerals()
    if (question === "digests") return { digests: this.digests.all() }
    if (question === "acl") {
      return { acl: this.tree.aclOf(ROOT).map(({ perms, id }) => ({ perms, scheme: id.scheme, id: id.id })) }
    }
    if (question === "reset") {
      this.options.onReset?.()
      if (this.isConnected) this.toBroadcast.push({ _tag: "Reset" })
    }
    // The next look at what has changed writes it down.
    if (question === "checkpoint") this.checkpointedMs = Number.NEGATIVE_INFINITY
    // The numbers, and what this service and broadcast have measured.
    const figures = { ...statsAt(this.broadcastStats, "figures"), ...this.options.figures?.() }
    return { ...this.stats(), figures }
  }

  /** How many ends of sessions it has prepared so far. */
  get preparedCloses(): number {
    return this.leading.closes
  }

  quotaSums(): QuotaSums {
    return this.tree.quotas.sums()
  }

  /** The numbers that an operator asks for, under ZooKeeper's names; broadcast's among them. */
  stats(): Stats {
    const { tree, leading, counters } = this
    const leader: Stats = leading.isLeading
      ? {
          prepared_count: leading.counters.requests,
          prepare_rejected_count: leading.counters.rejected,
          prepare_paths_in_flight: leading.pathsInFlight,
          prepare_bytes_in_flight: leading.bytesInFlight,
          last_proposal_size: leading.counters.lastBatch,
          min_proposal_size: leading.counters.minBatch,
          max_proposal_size: leading.counters.maxBatch,
          container_deleted_count: leading.counters.swept
        }
      : {}
    return {
      ...leader,
      ...this.broadcastStats,
      outstanding_changes_queued: leading.changes.noted,
      outstanding_changes_removed: leading.changes.forgotten,
      role: this.role.role,
      epoch: this.role.epoch,
      leader: this.role.leader,
      last_processed_zxid: hex(tree.zxid),
      // ZooKeeper keeps the root under two names, and monitoring expects what it counts.
      znode_count: tree.nodes.count + 1,
      ephemerals_count: tree.ephemeralCount,
      approximate_data_size: tree.nodes.dataSize,
      global_sessions: tree.sessions.size,
      tree_memory_bytes: tree.nodes.reserved,
      acl_count: tree.acls.size,
      applied_count: counters.applied,
      digests_compared: this.digests.compared,
      configuration: this.tree.configText(),
      standalone_enabled: this.options.standaloneEnabled ?? true,
      checkpoint_zxid: hex(this.checkpoint),
      checkpoint_count: counters.checkpoints,
      checkpoint_time: counters.checkpointedAt,
      checkpoint_running: this.writing !== undefined,
      checkpoint_pending_changes: tree.changes.pending,
      snapshottime: counters.checkpointMs,
      tree_reload_count: counters.reloads
    }
  }
}

const LOADING = "the tree is being loaded"
