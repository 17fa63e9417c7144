/** A peer's database as somebody sees it who may change nothing: no lock is taken, and no schema made or moved. */

import { crc32 } from "node:zlib"
import type { SessionRecord } from "@zkmesh/messages"
import { hex, type Zxid } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { Effect, type Scope, Stream } from "effect"
import { attempt } from "../attempt.ts"
import { type StoredNode, StoreError } from "../store.ts"
import { CheckpointReader } from "./checkpoint.ts"
import { Connection, type PostgresOptions, type Row } from "./connection.ts"

/** Rows of the log that are read at once; each is what one commit wrote, at most some MiB. */
const BATCHES = 16
const EXTENT = "SELECT floor, (SELECT max(last_zxid) FROM log_batch) FROM epochs"
const FOLLOWING = {
  name: "inspect_following",
  text: `SELECT first_zxid, last_zxid, count, crc32, bytes FROM log_batch
         WHERE last_zxid > $1 ORDER BY last_zxid LIMIT ${BATCHES}`
}

export interface Inspection {
  /** The log holds everything in (floor, last]; no transaction at all has been purged if the floor is 0. */
  readonly floor: Zxid
  readonly last: Zxid
  /** The tree as of the last checkpoint. */
  readonly checkpoint: Effect.Effect<InspectedCheckpoint, StoreError, Scope.Scope>
  /** What follows `after`, some batches of it: whole ones, so the first may begin earlier. Empty at the end. */
  readonly read: (after: Zxid) => Effect.Effect<ReadonlyArray<TxnBatch>, StoreError>
}

export interface InspectedCheckpoint {
  readonly zxid: Zxid
  readonly digest: number
  readonly sessions: ReadonlyArray<SessionRecord>
  /** Parents not necessarily first. */
  readonly nodes: Stream.Stream<ReadonlyArray<StoredNode>, StoreError>
}

const connected = (options: PostgresOptions): Effect.Effect<Connection, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt("inspect", async () => {
      const connection = await Connection.openDatabase(options, "inspection", undefined)
      await connection.query("SET default_transaction_read_only = on")
      const [row] = await connection.query("SELECT to_regclass('log_batch')")
      if (row?.[0] !== null) return connection
      await connection.close()
      throw new StoreError({ operation: "inspect", message: `${connection.target} holds no peer's data` })
    }),
    (connection) => Effect.promise(() => connection.close())
  )

const batchOf = (target: string, row: Row): TxnBatch => {
  const [first, last, count, sum] = row.slice(0, 4).map(Number) as [Zxid, Zxid, number, number]
  // Text, as everything from pg: \x and two digits per byte.
  const bytes = Buffer.from(row[4]!.slice(2), "hex")
  if (crc32(bytes) === sum) return { first, last, count, bytes }
  const message = `${target}: log_batch row ${last} (${hex(first)} to ${hex(last)}) is corrupt: its checksum is wrong`
  throw new StoreError({ operation: "inspect", message })
}

/** Opens a peer's database to look at it, whether its peer runs or not. */
export const inspectPostgres = (options: PostgresOptions): Effect.Effect<Inspection, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* connected(options)
    const [extent] = yield* attempt("inspect", () => connection.query(EXTENT))
    const floor = Number(extent?.[0] ?? 0)
    return {
      floor,
      last: extent?.[1] === undefined || extent[1] === null ? floor : Number(extent[1]),
      checkpoint: Effect.gen(function* () {
        const own = yield* connected(options)
        const reader = yield* attempt("inspect", () => CheckpointReader.open(own))
        const { zxid, digest, sessions } = reader
        const nodes = Stream.unfold(undefined, () =>
          Effect.map(
            attempt("inspect", () => reader.next()),
            (batch) => (batch === undefined ? undefined : ([batch, undefined] as const))
          )
        )
        return { zxid, digest, sessions, nodes }
      }),
      read: (after) =>
        attempt("inspect", async () => {
          const rows = await connection.query(FOLLOWING, [after])
          return rows.map((row) => batchOf(connection.target, row))
        })
    }
  })
