/**
 * The invariants of Zab.tla (zab-and-election.md §15), checked after every step that could break one.
 *
 * `history` is what has been delivered anywhere, in the order of the first delivery: every znode must deliver just that
 * (PrefixConsistency, Agreement, TotalOrder, and with zxids ascending both primary orders).
 */
import { Majority, parseConfiguration, type Quorum } from "@zkmesh/membership"
import { epochOf, follows, hex, type Sid, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import type { Disk } from "./disk.ts"
import { decode, fold, type Txn } from "./txns.ts"

export class Violation extends Error {
  override readonly name = "Violation"
}

export class Checker {
  readonly history: Array<Txn> = []
  /** The toy tree's digest after each of `history`. */
  readonly digests: Array<number> = []
  private readonly proposed = new Map<Zxid, number>()
  private readonly leaders = new Map<number, Sid>()
  /** How much of `history` was there when the epoch's leader was established. */
  readonly established = new Map<number, number>()
  private readonly disks: ReadonlyMap<Sid, Disk>
  /** Of the last configuration that was delivered anywhere. */
  quorum: Quorum
  /** Its text, once there has been one. */
  configuration: string | undefined

  constructor(disks: ReadonlyMap<Sid, Disk>, voters: ReadonlyArray<Sid>) {
    this.disks = disks
    this.quorum = new Majority(voters)
  }

  /** Leadership2: an epoch has one established leader, ever. */
  leads(sid: Sid, epoch: number): void {
    const other = this.leaders.get(epoch)
    if (other === sid) return
    if (other !== undefined) throw new Violation(`epoch ${epoch} is led by ${other} and by ${sid}`)
    this.leaders.set(epoch, sid)
    this.established.set(epoch, this.history.length)
    // Whatever was delivered anywhere is in the new leader's history.
    const disk = this.disks.get(sid)!
    for (const txn of this.history) {
      if (!disk.holds(txn)) throw new Violation(`leader ${sid} of epoch ${epoch} lacks committed ${hex(txn.zxid)}`)
    }
  }

  proposes(sid: Sid, batch: TxnBatch): void {
    for (const { zxid, nonce } of decode(batch)) {
      if (this.proposed.has(zxid)) throw new Violation(`${hex(zxid)} was proposed twice`)
      if (this.leaders.get(epochOf(zxid)) !== sid) throw new Violation(`${sid} proposes ${hex(zxid)} without leading`)
      this.proposed.set(zxid, nonce)
    }
  }

  /** `index` transactions were delivered to this znode before. */
  delivers(sid: Sid, index: number, txn: Txn): void {
    const { history } = this
    if (index < history.length) {
      const expected = history[index]!
      if (expected.zxid !== txn.zxid || expected.nonce !== txn.nonce) {
        throw new Violation(`${sid} delivers ${hex(txn.zxid)} where others had ${hex(expected.zxid)}`)
      }
      return
    }
    if (index > history.length) throw new Violation(`${sid} is ahead of history`)
    if (this.proposed.get(txn.zxid) !== txn.nonce) throw new Violation(`Integrity: ${hex(txn.zxid)} was never proposed`)
    const last = history[index - 1]
    if (!follows(last?.zxid ?? 0, txn.zxid)) throw new Violation(`${hex(txn.zxid)} follows ${hex(last?.zxid ?? 0)}`)
    history.push(txn)
    if (txn.configuration !== undefined) {
      this.configuration = txn.configuration
      this.quorum = parseConfiguration(txn.configuration).quorum
    }
    this.digests.push(fold(this.digests[index - 1] ?? 0, txn))
    this.durable()
  }

  /**
   * What has been delivered is on the disks of a quorum, from the first delivery on and for ever. Whoever has set its log
   * aside may have had it: what comes of that is seen when somebody leads, and at the end.
   */
  durable(): void {
    const last = this.history[this.history.length - 1]
    if (last === undefined) return
    const lost = [...this.quorum.voters].filter((sid) => this.disks.get(sid)!.isRebuilding)
    const holders = [...new Set([...this.holders(last), ...lost])]
    if (!this.quorum.has(holders)) {
      const voters = [...this.quorum.voters].join(", ")
      throw new Violation(`${hex(last.zxid)} was delivered, but of ${voters} only ${holders.join(", ")} have it`)
    }
  }

  private holders(txn: Txn): ReadonlyArray<Sid> {
    return [...this.quorum.voters].filter((sid) => this.disks.get(sid)!.holds(txn))
  }

  /** The znode is told its role after all that the epoch began with; the leader's has exactly that. */
  takesRole(sid: Sid, role: string, epoch: number, applied: number): void {
    const least = this.established.get(epoch)
    if (least === undefined) throw new Violation(`${sid} is ${role} in epoch ${epoch}, which nobody leads`)
    if (applied < least) throw new Violation(`${sid} is ${role} in epoch ${epoch} before it has all of its past`)
    if (role === "leading" && applied !== this.history.length) {
      throw new Violation(`PrimaryIntegrity: ${sid} leads epoch ${epoch} at ${applied} of ${this.history.length}`)
    }
  }

  /** At the end every log is free of holes and agrees with history. */
  logs(): void {
    for (const [sid, disk] of this.disks) {
      let previous = disk.floor
      for (const txn of disk.log) {
        if (!follows(previous, txn.zxid))
          throw new Violation(`${sid}'s log has ${hex(txn.zxid)} after ${hex(previous)}`)
        previous = txn.zxid
        if (this.proposed.get(txn.zxid) !== txn.nonce) throw new Violation(`${sid}'s log has a forged ${hex(txn.zxid)}`)
      }
    }
    for (const txn of this.history) {
      if (!this.quorum.has(this.holders(txn))) throw new Violation(`committed ${hex(txn.zxid)} was lost`)
    }
  }
}
