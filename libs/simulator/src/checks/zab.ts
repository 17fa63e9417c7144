/** The invariants of Zab.tla, checked at each message and each durable write that could break one. */

import type { Quorum } from "@zkmesh/membership"
import type { BroadcastToZnode, FanOut, RoleChange, ZnodeToBroadcast } from "@zkmesh/messages"
import { epochOf, follows, hex, type Sid, type Zxid } from "@zkmesh/numbers"
import type { MemoryDatabase } from "@zkmesh/store"
import { EntryReader, type TxnBatch } from "@zkmesh/txn"
import { type History, type Txn, txnOf } from "./history.ts"
import { Violation } from "./violation.ts"

/** A peer's, as it is at the moment. */
interface Disk {
  readonly database: MemoryDatabase
  /** Up to where it has acknowledged what was set aside since; 0: nothing. */
  readonly lostUpTo: Zxid
}

export class ZabChecks {
  private readonly history: History
  private readonly count: (group: string, what: string) => void
  private readonly disks: ReadonlyMap<Sid, Disk>
  private readonly proposed = new Map<Zxid, number>()
  private readonly leaders = new Map<number, Sid>()
  /** How much of the history was there when an epoch's leader was established. */
  private readonly established = new Map<number, number>()
  /** Up to where each znode has been told what is committed, and where its tree stands. */
  private readonly told = new Map<Sid, Zxid>()
  readonly applied = new Map<Sid, Zxid>()
  private readonly digests = new Map<Zxid, { readonly sid: Sid; readonly digest: number }>()

  /** `count` is told of what is worth knowing that a run has reached. */
  constructor(history: History, disks: ReadonlyMap<Sid, Disk>, count: (group: string, what: string) => void) {
    this.history = history
    this.disks = disks
    this.count = count
  }

  /** Integrity, and one leader per epoch: what a leader publishes first tells that it is established. */
  published(message: FanOut): void {
    const { leader } = message
    this.establishes(leader, message.epoch)
    if (message._tag !== "Propose") return
    const entries = new EntryReader(message.batch.bytes)
    while (entries.next()) {
      const txn = txnOf(entries)
      const before = this.proposed.get(txn.zxid)
      if (before !== undefined && before !== txn.hash) {
        throw new Violation("proposed twice", `${hex(txn.zxid)} by server ${leader}`)
      }
      if (epochOf(txn.zxid) !== message.epoch) throw new Violation("Leadership", `${leader} proposes ${hex(txn.zxid)}`)
      this.proposed.set(txn.zxid, txn.hash)
    }
  }

  /**
   * Leadership, and PrimaryIntegrity: a leader begins with all that was delivered in the epochs before its own. Those who
   * have acknowledged it may be in a later one by the time it hears of them, and speaks: what that one has delivered it need
   * not have, be it of the later epoch or of an earlier one's that had been left undecided.
   */
  private establishes(sid: Sid, epoch: number): void {
    const other = this.leaders.get(epoch)
    if (other === sid) return
    if (other !== undefined) throw new Violation("Leadership", `epoch ${epoch} is led by ${other} and by ${sid}`)
    this.leaders.set(epoch, sid)
    let past = this.history.countBefore(epoch)
    for (const [other, count] of this.established) if (other > epoch) past = Math.min(past, count)
    this.established.set(epoch, past)
    const last = this.history.txns[past - 1]?.zxid ?? 0
    if (last > 0 && !holds(this.disks.get(sid)!.database, last)) {
      throw new Violation("PrimaryIntegrity", `${sid} leads epoch ${epoch} without committed ${hex(last)}`)
    }
  }

  fromZnode(sid: Sid, message: ZnodeToBroadcast): void {
    if (message._tag === "Hello") {
      this.told.set(sid, message.applied)
      this.applied.set(sid, message.applied)
    } else if (message._tag === "Applied") {
      this.applied.set(sid, message.zxid)
      if (message.digest !== undefined) this.compare(sid, message.digest.zxid, message.digest.digest)
    }
  }

  toZnode(sid: Sid, message: BroadcastToZnode): void {
    if (message._tag === "Committed") this.delivered(sid, message.batch)
    else if (message._tag === "Role" && message.role !== "looking") this.takesRole(sid, message)
  }

  /** PrefixConsistency, Agreement, TotalOrder: every znode is told just the history. */
  private delivered(sid: Sid, batch: TxnBatch): void {
    const { history } = this
    const entries = new EntryReader(batch.bytes)
    let isNew = false
    while (entries.next()) {
      const txn = txnOf(entries)
      const previous = this.told.get(sid) ?? 0
      if (!follows(previous, txn.zxid)) {
        throw new Violation("hole", `znode ${sid} is told ${hex(txn.zxid)} after ${hex(previous)}`)
      }
      this.told.set(sid, txn.zxid)
      const place = history.place(txn.zxid)
      if (place !== undefined) {
        if (history.txns[place]!.hash !== txn.hash) throw new Violation("Agreement", `${hex(txn.zxid)} at ${sid}`)
        if ((history.txns[place - 1]?.zxid ?? 0) !== previous) {
          throw new Violation("PrefixConsistency", `znode ${sid} was not told what comes before ${hex(txn.zxid)}`)
        }
        continue
      }
      if (previous !== history.last) {
        throw new Violation(
          "PrefixConsistency",
          `znode ${sid} is told ${hex(txn.zxid)} after ${hex(previous)}, where others have had ${hex(history.last)}`
        )
      }
      if (this.proposed.get(txn.zxid) !== txn.hash) throw new Violation("Integrity", `${hex(txn.zxid)} at ${sid}`)
      if (txn.configuration !== undefined) this.reconfigures(txn)
      history.append(txn)
      isNew = true
    }
    if (!holds(this.disks.get(sid)!.database, batch.last)) {
      throw new Violation("durable", `znode ${sid} is told ${hex(batch.last)}, which its own disk does not have`)
    }
    if (isNew) this.isOnAQuorum(history.txns.at(-1)!)
  }

  /** A znode takes its role when it has been told all that its epoch began with. */
  private takesRole(sid: Sid, { role, epoch }: RoleChange): void {
    const least = this.established.get(epoch)
    if (least === undefined || (role === "leading" && this.leaders.get(epoch) !== sid)) {
      throw new Violation(
        "Leadership",
        `${sid} is ${role} in epoch ${epoch}, led by ${this.leaders.get(epoch) ?? "nobody"}`
      )
    }
    if (least > 0 && (this.told.get(sid) ?? 0) < this.history.txns[least - 1]!.zxid) {
      throw new Violation("PrimaryIntegrity", `${sid} is ${role} in epoch ${epoch} without all of its past`)
    }
  }

  private compare(sid: Sid, zxid: Zxid, digest: number): void {
    const other = this.digests.get(zxid)
    if (other === undefined) this.digests.set(zxid, { sid, digest })
    else if (other.digest !== digest) {
      throw new Violation("digest", `the trees of ${other.sid} and ${sid} differ at ${hex(zxid)}`)
    }
  }

  /**
   * Nothing is delivered anywhere that is not on the disks of a quorum, or was until one of them was set aside: without a
   * vote its peer takes part in no quorum that could miss what it has lost.
   */
  private isOnAQuorum(txn: Txn): void {
    for (const quorum of this.history.quorumsAt(txn.zxid)) this.isOn(quorum, txn)
  }

  private isOn(quorum: Quorum, { zxid }: Txn): void {
    const having = [...quorum.voters].filter((sid) => {
      const { database, lostUpTo } = this.disks.get(sid)!
      return holds(database, zxid) || zxid <= lostUpTo
    })
    if (quorum.has(having)) return
    throw new Violation("durable", `${hex(zxid)} was delivered, but ${having.length} disks have it`)
  }

  private reconfigures({ zxid, configuration }: Txn): void {
    const before = this.history.configuration.quorum.voters
    const { voters } = configuration!.quorum
    this.count("reconfiguration", `from ${before.size} to ${voters.size} voters`)
    if (!voters.has(this.leaders.get(epochOf(zxid)) ?? 0)) this.count("reconfiguration", "the leader is removed")
    if ([...voters].every((sid) => !before.has(sid))) this.count("reconfiguration", "nobody is left")
  }

  /** At the end: every log is free of holes, holds what was proposed, and nothing committed is missing from a quorum. */
  logs(): void {
    for (const [sid, { database }] of this.disks) {
      const { batches, floor } = database
      let previous = floor
      for (const batch of batches) {
        const entries = new EntryReader(batch.bytes)
        while (entries.next()) {
          const txn = txnOf(entries)
          if (!follows(previous, txn.zxid)) {
            throw new Violation("hole", `${sid}'s log has ${hex(txn.zxid)} after ${hex(previous)}`)
          }
          previous = txn.zxid
          if (this.proposed.get(txn.zxid) !== txn.hash) throw new Violation("Integrity", `${sid}'s ${hex(txn.zxid)}`)
        }
      }
    }
    const { quorum } = this.history.configuration
    for (const txn of this.history.txns) this.isOn(quorum, txn)
  }
}

/** True if the transaction is in the log, or in the tree of the checkpoint. */
export const holds = ({ batches, checkpoint }: MemoryDatabase, zxid: Zxid): boolean => {
  if (zxid <= checkpoint) return true
  let low = 0
  let high = batches.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (batches[middle]!.last < zxid) low = middle + 1
    else high = middle
  }
  const batch = batches[low]
  if (batch === undefined || batch.first > zxid) return false
  if (epochOf(batch.first) === epochOf(batch.last)) return true
  const entries = new EntryReader(batch.bytes)
  while (entries.next()) if (entries.zxid === zxid) return true
  return false
}
