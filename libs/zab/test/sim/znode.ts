/** A toy znode: applies what it is told, proposes while it leads, makes checkpoints, and trusts nobody. */

import { parseConfiguration, reconfigure } from "@zkmesh/membership"
import type { BroadcastToZnode, ZnodeToBroadcast } from "@zkmesh/messages"
import { counterOf, epochOf, follows, hex, type Sid, type Zxid, zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { type Checker, Violation } from "./checker.ts"
import type { Checkpoint, Disk } from "./disk.ts"
import type { Random } from "./random.ts"
import { decode, encode, fold } from "./txns.ts"

export interface ZnodeHost {
  readonly sid: Sid
  readonly disk: Disk
  readonly checker: Checker
  readonly random: Random
  /** Runs unless the znode has crashed meanwhile. */
  readonly after: (ms: number, run: () => void) => void
  /** False if there is no link. */
  readonly send: (message: ZnodeToBroadcast) => void
  readonly slowness: () => number
  /** What somebody asks for; undefined: nothing. */
  readonly reconfigure: () => string | undefined
}

export class ToyZnode {
  private readonly host: ZnodeHost
  private tree: Checkpoint
  /** Told, not yet applied. */
  private queue: Array<BroadcastToZnode> = []
  private told: Zxid
  private busy = false
  private loading = true
  private hasReloaded = false
  private leadingEpoch = 0
  private lastProposed: Zxid = 0
  private checkpointing = false
  /** The checkpoint that its next one builds on. */
  private base: Zxid
  isProposing = true
  /** The configuration before any was changed. */
  private initial: string | undefined
  private synced: ReadonlySet<Sid> = new Set()
  /** The last reconfiguration that was proposed. */
  private reconfigured: Zxid = 0
  /** The connection to broadcast; whatever comes by an older one is old. */
  connection = 0

  constructor(host: ZnodeHost) {
    this.host = host
    this.tree = host.disk.checkpoint
    this.told = this.base = this.tree.zxid
    host.after(host.random.between(0, 20), () => {
      // It has been told to load something else meanwhile.
      if (this.hasReloaded) return
      this.loading = false
      this.hello()
    })
    this.propose()
    this.plan()
  }

  get applied(): Zxid {
    return this.tree.zxid
  }

  opened(): void {
    this.connection++
    // A new link starts from what is applied: what an older one has told and is not applied comes again.
    this.queue = []
    this.told = this.tree.zxid
    this.leadingEpoch = 0
    if (!this.loading) this.hello()
  }

  private hello(): void {
    this.told = this.tree.zxid
    this.host.send({ _tag: "Hello", applied: this.tree.zxid, checkpoint: this.base })
  }

  heard(message: BroadcastToZnode): void {
    const { host } = this
    switch (message._tag) {
      case "Committed":
        if (this.loading) return
        if (!follows(this.told, message.batch.first)) {
          throw new Violation(`${host.sid} is told ${hex(message.batch.first)} after ${hex(this.told)}`)
        }
        this.told = message.batch.last
        this.queue.push(message)
        this.work()
        return
      case "Role":
        // Its overlay is worth nothing once it no longer leads.
        if (message.role !== "leading") this.leadingEpoch = 0
        this.queue.push(message)
        this.work()
        return
      case "Digest":
        this.digest(message.digest.zxid, message.digest.digest)
        return
      case "Reload":
        this.reload()
        return
      case "Configuration":
        this.initial = message.text
        return
      case "Synced":
        this.synced = new Set(message.sids)
        return
      case "Stats":
        return
    }
  }

  private work(): void {
    if (this.busy || this.queue.length === 0) return
    this.busy = true
    const { connection } = this
    this.host.after(this.host.random.between(0, 1) * this.host.slowness(), () => {
      this.busy = false
      if (connection === this.connection) this.one(this.queue.shift())
      this.work()
    })
  }

  private one(message: BroadcastToZnode | undefined): void {
    if (message?._tag === "Committed") this.apply(message.batch)
    if (message?._tag !== "Role") return
    const { role, epoch } = message
    if (role === "looking") return
    this.host.checker.takesRole(this.host.sid, role, epoch, this.tree.count)
    if (role !== "leading") return
    this.leadingEpoch = epoch
    this.lastProposed = zxid(epoch, 0)
  }

  private apply(batch: TxnBatch): void {
    const { checker, sid, random } = this.host
    let digest: { zxid: Zxid; digest: number } | undefined
    for (const txn of decode(batch)) {
      checker.delivers(sid, this.tree.count, txn)
      const configuration = txn.configuration ?? this.tree.configuration
      const digest32 = fold(this.tree.digest, txn)
      this.tree = {
        zxid: txn.zxid,
        count: this.tree.count + 1,
        digest: digest32,
        ...(configuration === undefined ? {} : { configuration })
      }
      if (counterOf(txn.zxid) % 4 === 0) digest = { zxid: txn.zxid, digest: this.tree.digest }
    }
    this.host.send({ _tag: "Applied", zxid: batch.last, digest })
    if (random.chance(0.05)) this.checkpoint()
  }

  private digest(at: Zxid, digest: number): void {
    const { history, digests } = this.host.checker
    const index = history.findLastIndex((txn) => txn.zxid === at)
    if (index < 0 || digests[index] !== digest) throw new Violation(`the leader's digest at ${hex(at)} is wrong`)
  }

  private checkpoint(): void {
    if (this.checkpointing) return
    this.checkpointing = true
    const tree = this.tree
    this.host.after(this.host.random.between(1, 10), () => {
      this.checkpointing = false
      // A SNAP has come between: this checkpoint builds on nothing.
      if (this.host.disk.checkpoint.zxid !== this.base || this.loading) return
      this.host.disk.checkpoint = tree
      this.base = tree.zxid
      this.host.send({ _tag: "Checkpointed", zxid: tree.zxid })
    })
  }

  private reload(): void {
    this.loading = true
    this.hasReloaded = true
    this.queue = []
    this.leadingEpoch = 0
    this.connection++
    const { connection } = this
    this.host.after(this.host.random.between(1, 20), () => {
      if (connection !== this.connection) return
      this.tree = this.host.disk.checkpoint
      this.base = this.tree.zxid
      const { digests, history } = this.host.checker
      const { count, digest, zxid: at } = this.tree
      if (count > 0 && (digests[count - 1] !== digest || history[count - 1]!.zxid !== at)) {
        throw new Violation(`${this.host.sid} was given a wrong snapshot at ${hex(at)}`)
      }
      this.loading = false
      this.hello()
    })
  }

  private plan(): void {
    this.host.after(this.host.random.between(1, 25), () => {
      this.propose()
      this.plan()
    })
  }

  /** As the real one prepares it: one at a time, and only what has a quorum. */
  private nextConfiguration(): string | undefined {
    const current = this.tree.configuration ?? this.initial
    const newMembers = this.host.reconfigure()
    if (current === undefined || newMembers === undefined || this.reconfigured > this.tree.zxid) return undefined
    const result = reconfigure(
      { newMembers, joiningServers: null, leavingServers: null, curConfigId: -1 },
      {
        current: parseConfiguration(current),
        standaloneEnabled: false,
        synced: this.synced,
        zxid: this.lastProposed + 1
      }
    )
    return "configuration" in result ? result.configuration.text : undefined
  }

  private propose(): void {
    const { host, leadingEpoch } = this
    if (leadingEpoch === 0 || !this.isProposing) return
    const inFlight = epochOf(this.tree.zxid) === leadingEpoch ? this.lastProposed - this.tree.zxid : 0
    if (inFlight > 60) return
    const configuration = this.nextConfiguration()
    if (configuration !== undefined) {
      this.reconfigured = ++this.lastProposed
      const nonce = host.random.int(0, 0xffff_ffff)
      const batch = encode([{ zxid: this.lastProposed, nonce, configuration }])
      host.send({ _tag: "Propose", epoch: leadingEpoch, batch })
    }
    const count = host.random.int(1, 5)
    const txns = Array.from({ length: count }, () => ({
      zxid: ++this.lastProposed,
      nonce: host.random.int(0, 0xffff_ffff)
    }))
    const waiter = host.random.pick([0, 0, 1, 2, undefined])
    host.send({ _tag: "Propose", epoch: leadingEpoch, batch: encode(txns), waiter })
  }
}
