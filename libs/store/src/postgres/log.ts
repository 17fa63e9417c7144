/** The log's statements. Each change is one statement, and so one round trip and one commit. */
import { crc32 } from "node:zlib"
import type { Zxid } from "@zkmesh/numbers"
import { follows, hex, WORD } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { sliceBatch } from "@zkmesh/txn"
import { lastWithin, problemOf } from "../batch.ts"
import { versionOf } from "../configuration.ts"
import type { Recovered, StoredConfiguration, StoreSizes } from "../store.ts"
import { StoreError } from "../store.ts"
import type { Connection, Row } from "./connection.ts"

const APPEND = {
  name: "append",
  text: "INSERT INTO log_batch (last_zxid, first_zxid, count, crc32, bytes) VALUES ($1, $2, $3, $4, $5)"
}
const COLUMNS = "first_zxid, last_zxid, count, crc32, bytes"
/** The rows after `after` whose sizes before them add up to less than `maxBytes`. COPY takes no parameters: numbers only. */
const readQuery = (after: Zxid, maxBytes: number) => `
  SELECT ${COLUMNS} FROM (
    SELECT *, sum(octet_length(bytes)) OVER (ORDER BY last_zxid) - octet_length(bytes) AS size_before
    FROM (SELECT * FROM log_batch WHERE last_zxid > ${after} ORDER BY last_zxid LIMIT ${rowsWithin(maxBytes)}) AS following
  ) AS sized
  WHERE size_before < ${Math.ceil(maxBytes)} ORDER BY last_zxid`
/** How many rows to look at: even the smallest transactions, one to a row, come in useful portions. */
const rowsWithin = (maxBytes: number) => Math.min(8192, Math.ceil(maxBytes / 100) + 1)
const AT_OR_AFTER = {
  name: "at_or_after",
  text: `SELECT ${COLUMNS} FROM log_batch WHERE last_zxid >= $1 ORDER BY last_zxid LIMIT 1`
}
const LAST_BEFORE = { name: "last_before", text: "SELECT max(last_zxid) FROM log_batch WHERE last_zxid < $1" }
const TRUNCATE = { name: "truncate", text: "DELETE FROM log_batch WHERE last_zxid > $1" }
/** The batch with the cut in it keeps what is before the cut. */
const TRUNCATE_INSIDE = {
  name: "truncate_inside",
  text: `WITH later AS (DELETE FROM log_batch WHERE last_zxid > $1)
         UPDATE log_batch SET last_zxid = $2, count = $3, crc32 = $4, bytes = $5 WHERE last_zxid = $1`
}
/** At most $2 rows at a time: appends must not wait for long. Never beyond the checkpoint. */
const PURGE = {
  name: "purge",
  text: `WITH old AS (
           SELECT last_zxid FROM log_batch WHERE last_zxid <= least($1, (SELECT zxid FROM checkpoint))
           ORDER BY last_zxid LIMIT $2
         ), gone AS (DELETE FROM log_batch USING old WHERE log_batch.last_zxid = old.last_zxid)
         UPDATE epochs SET floor = greatest(floor, (SELECT max(last_zxid) FROM old))
         RETURNING floor, (SELECT count(*) FROM old)`
}
const PURGE_ROWS = 500
const ACCEPTED_EPOCH = {
  name: "accepted_epoch",
  text: "UPDATE epochs SET accepted_epoch = $1 WHERE accepted_epoch <= $1 RETURNING 1"
}
const CURRENT_EPOCH = {
  name: "current_epoch",
  text: "UPDATE epochs SET current_epoch = $1 WHERE current_epoch <= $1 AND accepted_epoch >= $1 RETURNING 1"
}
const CONFIGURATION = { name: "configuration", text: "UPDATE configuration SET committed = $1, proposed = $2" }
const REBUILDING = "UPDATE epochs SET rebuilding = $1"
const STATE = `SELECT accepted_epoch, current_epoch, floor, checkpoint.zxid, (SELECT max(last_zxid) FROM log_batch),
                 configuration.committed, configuration.proposed, rebuilding
               FROM epochs, checkpoint, configuration`
const SIZES = `SELECT pg_total_relation_size('log_batch'),
  pg_total_relation_size('znodes') + pg_total_relation_size('sessions') + pg_total_relation_size('checkpoint')`
/** The first row that does not follow the one before it (the first row: the floor). */
const HOLE = `SELECT first_zxid, last_zxid, previous FROM (
    SELECT first_zxid, last_zxid, lag(last_zxid, 1, floor) OVER (ORDER BY last_zxid) AS previous FROM log_batch, epochs
  ) AS pairs
  WHERE first_zxid <> previous + 1
    AND NOT (first_zxid / ${WORD} > previous / ${WORD} AND first_zxid % ${WORD} = 1)
  ORDER BY last_zxid LIMIT 1`

/** The log of an open database. */
export class PostgresLog {
  /** Appends and epochs: the hot path, and the peer's lock. */
  readonly writer: Connection
  /** Everything that takes longer, so that no append waits for it. */
  readonly reader: Connection
  private floor: Zxid
  private checkpoint: Zxid
  /** The last zxid given to `append`; the last one that is durable. */
  private tail: Zxid
  private durable: Zxid
  private broken: StoreError | undefined

  private constructor(writer: Connection, reader: Connection, recovered: Recovered) {
    this.writer = writer
    this.reader = reader
    this.floor = recovered.floor
    this.checkpoint = recovered.checkpoint
    this.tail = this.durable = recovered.last
  }

  static async open(
    writer: Connection,
    reader: Connection
  ): Promise<{ readonly log: PostgresLog; readonly recovered: Recovered }> {
    const [row] = await writer.query(STATE)
    const [acceptedEpoch, currentEpoch, floor, checkpoint] = (row ?? []).slice(0, 4).map(Number) as [
      number,
      number,
      Zxid,
      Zxid
    ]
    const last = row?.[4] === null || row === undefined ? floor : Number(row[4])
    const recovered = {
      acceptedEpoch,
      currentEpoch,
      checkpoint,
      floor,
      last,
      ...(row?.[7] === "t" ? { rebuilding: true } : {})
    }
    const corrupt = (message: string) =>
      new StoreError({ operation: "open", message: `${writer.target} is corrupt: ${message}`, fault: "corrupt" })
    if (row === undefined) throw corrupt("epochs, checkpoint or configuration is empty")
    if (floor > checkpoint) throw corrupt(`the log starts after ${hex(floor)}, the checkpoint is ${hex(checkpoint)}`)
    if (checkpoint > last) throw corrupt(`the log ends at ${hex(last)}, before the checkpoint ${hex(checkpoint)}`)
    const [hole] = await writer.query(HOLE)
    if (hole !== undefined) {
      const [first, end, previous] = hole.map(Number) as [Zxid, Zxid, Zxid]
      throw corrupt(`log_batch row ${end} (it begins at ${hex(first)}) does not follow ${hex(previous)}`)
    }
    const log = new PostgresLog(writer, reader, recovered)
    // A row that was damaged on its way to the disk is most likely the last one.
    if (last > floor) log.batchOf((await writer.query(AT_OR_AFTER, [last]))[0]!)
    const [committed, proposed] = row.slice(5, 7).map((value) => (value === null ? undefined : String(value)))
    if (committed === undefined && proposed === undefined) return { log, recovered }
    const version = versionOf(proposed)
    const isLogged = version <= checkpoint || (await log.has(version))
    const configuration = { committed, proposed: isLogged ? proposed : undefined }
    // For good: a later checkpoint must not make it look as if it had been in the log.
    if (!isLogged) await log.setConfiguration(configuration)
    return { log, recovered: { ...recovered, configuration } }
  }

  async setConfiguration({ committed, proposed }: StoredConfiguration): Promise<void> {
    await this.writer.query(CONFIGURATION, [committed ?? null, proposed ?? null])
  }

  async append(batch: TxnBatch): Promise<void> {
    if (this.broken !== undefined) throw this.broken
    const problem = problemOf(this.tail, batch)
    if (problem !== undefined) throw this.refused("append", `batch ${hex(batch.first)}: ${problem}`)
    // At once: the next append may come before this one is durable.
    this.tail = batch.last
    const bytes = bufferOf(batch.bytes)
    try {
      const { first, last, count } = batch
      await this.writer.execute(APPEND, [`${last}`, `${first}`, `${count}`, `${crc32(bytes)}`, bytes])
    } catch (error) {
      throw this.breakBy(error)
    }
    this.durable = batch.last
  }

  async setAcceptedEpoch(epoch: number): Promise<void> {
    const rows = await this.writer.query(ACCEPTED_EPOCH, [epoch])
    if (rows.length === 0) throw this.refused("setAcceptedEpoch", `${epoch} is below the accepted epoch`)
  }

  async setCurrentEpoch(epoch: number): Promise<void> {
    const rows = await this.writer.query(CURRENT_EPOCH, [epoch])
    if (rows.length > 0) return
    const [row] = await this.writer.query("SELECT accepted_epoch, current_epoch FROM epochs")
    const [accepted, current] = (row ?? []).map(Number) as [number, number]
    const why = epoch > accepted ? `is above the accepted epoch ${accepted}` : `is below the current epoch ${current}`
    throw this.refused("setCurrentEpoch", `${epoch} ${why}`)
  }

  async setRebuilding(isRebuilding: boolean): Promise<void> {
    await this.writer.query(REBUILDING, [isRebuilding])
  }

  async truncate(zxid: Zxid): Promise<void> {
    if (zxid === this.tail && this.broken === undefined) return
    if (!(await this.has(zxid))) throw this.refused("truncate", `the log does not hold ${hex(zxid)}`)
    const [row] = await this.writer.query("SELECT zxid FROM checkpoint")
    this.checkpoint = Number(row?.[0])
    if (zxid < this.checkpoint) {
      throw this.refused("truncate", `${hex(zxid)} lies before the checkpoint ${hex(this.checkpoint)}`)
    }
    const batch = await this.batchAt(zxid)
    const kept = batch === undefined || batch.last === zxid ? undefined : sliceBatch(batch, 0, zxid)
    try {
      if (batch === undefined || kept === undefined) {
        await this.writer.query(TRUNCATE, [zxid])
      } else {
        const bytes = bufferOf(kept.bytes)
        await this.writer.query(TRUNCATE_INSIDE, [batch.last, zxid, kept.count, crc32(bytes), bytes])
      }
    } catch (error) {
      throw this.breakBy(error)
    }
    this.tail = this.durable = zxid
  }

  async has(zxid: Zxid): Promise<boolean> {
    return (await this.lastAtOrBefore(zxid)) === zxid
  }

  async lastAtOrBefore(zxid: Zxid): Promise<Zxid | undefined> {
    if (zxid >= this.durable) return this.durable
    if (zxid <= this.floor) return zxid === this.floor ? zxid : undefined
    const batch = await this.batchAt(zxid)
    const within = batch === undefined ? undefined : lastWithin(batch, zxid)
    if (within !== undefined) return within
    const [row] = await this.reader.query(LAST_BEFORE, [zxid])
    return row?.[0] === null || row === undefined ? this.floor : Number(row[0])
  }

  async read(after: Zxid, maxBytes: number): Promise<ReadonlyArray<TxnBatch>> {
    if (after < this.floor) throw this.startsLater(after)
    if (after >= this.durable) return []
    const batches: TxnBatch[] = []
    await this.reader.copyRows(readQuery(after, maxBytes), 5, (row) => {
      const [first, last, count, sum] = [row.int8(), row.int8(), row.int4(), row.int8()]
      const batch = { first, last, count, bytes: row.bytea() ?? new Uint8Array(0) }
      if (crc32(batch.bytes) !== sum) throw this.corrupt(batch, "its checksum is wrong")
      const previous = batches.at(-1)?.last
      if (previous !== undefined && !follows(previous, first)) {
        throw this.corrupt(batch, `it does not follow ${hex(previous)}`)
      }
      const part = sliceBatch(batch, after, Number.MAX_SAFE_INTEGER)
      if (part !== undefined) batches.push(part)
    })
    // A purge may have come before it: then the batches begin later than they should.
    if (after < this.floor) throw this.startsLater(after)
    return batches
  }

  async purge(zxid: Zxid): Promise<Zxid> {
    for (;;) {
      const [row] = await this.reader.query(PURGE, [zxid, PURGE_ROWS])
      this.floor = Number(row?.[0])
      if (Number(row?.[1]) < PURGE_ROWS) return this.floor
    }
  }

  async sizes(): Promise<StoreSizes> {
    const [row] = await this.reader.query(SIZES)
    return { log: Number(row?.[0]), checkpoint: Number(row?.[1]) }
  }

  /** A snapshot has replaced everything. */
  restored(zxid: Zxid): void {
    this.floor = this.checkpoint = this.tail = this.durable = zxid
  }

  /** The batch that `zxid` lies in or before; undefined beyond the end. */
  private async batchAt(zxid: Zxid): Promise<TxnBatch | undefined> {
    const [row] = await this.reader.query(AT_OR_AFTER, [zxid])
    return row === undefined ? undefined : this.batchOf(row)
  }

  private batchOf(row: Row): TxnBatch {
    const [first, last, count, sum] = row.slice(0, 4).map(Number) as [Zxid, Zxid, number, number]
    // Text, as everything from pg: \x and two digits per byte.
    const batch = { first, last, count, bytes: Buffer.from(row[4]!.slice(2), "hex") }
    if (crc32(batch.bytes) !== sum) throw this.corrupt(batch, "its checksum is wrong")
    return batch
  }

  private corrupt({ first, last }: TxnBatch, message: string): StoreError {
    const range = `${hex(first)} to ${hex(last)}`
    const row = `${this.writer.target}: log_batch row ${last} (${range})`
    return new StoreError({ operation: "read", message: `${row} is corrupt: ${message}`, fault: "corrupt" })
  }

  /** After a failed write nobody knows what the log holds: the peer has to open it again. */
  private breakBy(error: unknown): StoreError {
    this.broken ??= error instanceof StoreError ? error : this.refused("append", String(error))
    return this.broken
  }

  private startsLater(after: Zxid): StoreError {
    return this.refused("read", `the log starts after ${hex(this.floor)}, not ${hex(after)}`)
  }

  private refused(operation: string, message: string): StoreError {
    return new StoreError({ operation, message: `${this.writer.target}: ${message}` })
  }
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
