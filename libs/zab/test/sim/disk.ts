/** A peer's disk: what has been completed survives a crash, what has not may or may not have happened. */
import { parseConfiguration } from "@zkmesh/membership"
import { follows, hex, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import type { RecoveredLog, StoredMembership } from "@zkmesh/zab"
import type { Random } from "./random.ts"
import { decode, encode, type Txn } from "./txns.ts"

/** The toy tree: how many transactions it has seen, and their digest. */
export interface Checkpoint {
  readonly zxid: Zxid
  readonly count: number
  readonly digest: number
  /** The last reconfiguration's text. */
  readonly configuration?: string
}

const CHUNKS = 5

export class Disk {
  acceptedEpoch = 0
  currentEpoch = 0
  isRebuilding = false
  /** Its peer is not told that something is missing. */
  forgets = false
  configuration: StoredMembership | undefined
  checkpoint: Checkpoint = { zxid: 0, count: 0, digest: 0 }
  floor: Zxid = 0
  log: Array<Txn> = []
  private restoring: { readonly zxid: Zxid; text: string } | undefined
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  get last(): Zxid {
    return this.log.length > 0 ? this.log[this.log.length - 1]!.zxid : this.floor
  }

  recover(): RecoveredLog {
    this.restoring = undefined
    const { acceptedEpoch, currentEpoch, floor, last } = this
    const rebuilding = this.isRebuilding && !this.forgets
    const recovered = { acceptedEpoch, currentEpoch, checkpoint: this.checkpoint.zxid, floor, last, rebuilding }
    if (this.configuration === undefined) return recovered
    const { committed, proposed } = this.configuration
    const version = proposed === undefined ? 0 : parseConfiguration(proposed).version
    const isLogged = version <= this.checkpoint.zxid || this.lastAtOrBefore(version) === version
    this.configuration = { committed, proposed: isLogged ? proposed : undefined }
    return { ...recovered, configuration: this.configuration }
  }

  /** The log and the checkpoint are found to be corrupt, and set aside; what was promised is still known. */
  setAside(): void {
    this.isRebuilding = true
    this.checkpoint = { zxid: 0, count: 0, digest: 0 }
    this.floor = 0
    this.log = []
    if (this.configuration !== undefined) this.configuration = { ...this.configuration, proposed: undefined }
  }

  append(batch: TxnBatch): void {
    for (const txn of decode(batch)) {
      if (!follows(this.last, txn.zxid)) throw new Error(`a hole: ${hex(txn.zxid)} after ${hex(this.last)}`)
      this.log.push(txn)
    }
  }

  truncate(zxid: Zxid): Zxid | undefined {
    const kept = this.lastAtOrBefore(zxid)
    if (kept !== undefined) this.log = this.log.filter((txn) => txn.zxid <= kept)
    return kept
  }

  lastAtOrBefore(zxid: Zxid): Zxid | undefined {
    if (zxid < this.floor) return undefined
    let found = this.floor
    for (const txn of this.log) {
      if (txn.zxid > zxid) break
      found = txn.zxid
    }
    return found
  }

  /** True if the transaction is in the log, or the tree of the checkpoint holds it. */
  holds(txn: Txn): boolean {
    if (txn.zxid <= this.checkpoint.zxid) return true
    for (let index = this.log.length - 1; index >= 0 && this.log[index]!.zxid >= txn.zxid; index--) {
      if (this.log[index]!.zxid === txn.zxid) return this.log[index]!.nonce === txn.nonce
    }
    return false
  }

  /** In batches cut at random; sometimes across an epoch, which a store is free to do. */
  read(after: Zxid, maxBytes: number): Array<TxnBatch> {
    if (after < this.floor) throw new Error(`read after ${hex(after)}, purged up to ${hex(this.floor)}`)
    const batches: Array<TxnBatch> = []
    let bytes = 0
    let run: Array<Txn> = []
    const flush = () => {
      if (run.length === 0) return
      const batch = encode(run)
      batches.push(batch)
      bytes += batch.bytes.length
      run = []
    }
    for (const txn of this.log) {
      if (txn.zxid <= after) continue
      if (bytes >= maxBytes) break
      const previous = run[run.length - 1]
      if (previous !== undefined && txn.zxid !== previous.zxid + 1 && this.random.chance(0.5)) flush()
      run.push(txn)
      if (this.random.chance(0.2)) flush()
    }
    flush()
    return batches
  }

  purge(zxid: Zxid): Zxid {
    const to = this.lastAtOrBefore(Math.min(zxid, this.checkpoint.zxid)) ?? this.floor
    this.log = this.log.filter((txn) => txn.zxid > to)
    this.floor = to
    return to
  }

  snapshotChunks(): Array<Uint8Array> {
    const bytes = new TextEncoder().encode(JSON.stringify(this.checkpoint).padEnd(400, " "))
    const size = Math.ceil(bytes.length / CHUNKS)
    return Array.from({ length: CHUNKS }, (_, index) => bytes.slice(index * size, (index + 1) * size))
  }

  beginRestore(zxid: Zxid): void {
    this.restoring = { zxid, text: "" }
  }
  restoreChunk(bytes: Uint8Array): void {
    this.restoring!.text += new TextDecoder().decode(bytes)
  }
  abortRestore(): void {
    this.restoring = undefined
  }
  commitRestore(): void {
    const checkpoint: Checkpoint = JSON.parse(this.restoring!.text)
    if (checkpoint.zxid !== this.restoring!.zxid) throw new Error("the snapshot is not the one that was announced")
    this.checkpoint = checkpoint
    this.floor = checkpoint.zxid
    this.log = []
    if (this.configuration !== undefined) this.configuration = { ...this.configuration, proposed: undefined }
    this.restoring = undefined
  }
}
