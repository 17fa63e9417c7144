/** A peer's store in its own Postgres database: LogStore and TreeStore, each over its own connections. */

import { Context, Effect, Layer, type Scope, Semaphore, Stream } from "effect"
import { attempt } from "../attempt.ts"
import { LogStore, StoreError, TreeStore } from "../store.ts"
import { AclToJson } from "./acl.ts"
import { CheckpointReader, CheckpointRestore, moveCheckpoint, SnapshotSource } from "./checkpoint.ts"
import { Connection, type PostgresOptions } from "./connection.ts"
import { PostgresLog } from "./log.ts"
import { openLocked } from "./open.ts"
import { setAsidePostgres } from "./setAside.ts"

const notOpen = (operation: string, role: string) => new StoreError({ operation, message: `the ${role} is not open` })

/** A connection that lives as long as the scope. */
const connected = (open: () => Promise<Connection>): Effect.Effect<Connection, StoreError, Scope.Scope> =>
  Effect.acquireRelease(attempt("connect", open), (connection) => Effect.promise(() => connection.close()))

/** A sequence of promises as a stream: the next one is asked for when somebody wants it. */
const pulled = <A>(operation: string, next: () => Promise<A | undefined>): Stream.Stream<A, StoreError> =>
  Stream.unfold(undefined, () =>
    Effect.map(attempt(operation, next), (value) => (value === undefined ? undefined : ([value, undefined] as const)))
  )

/**
 * LogStore and TreeStore of one peer. Nothing is connected until `open` or `load`, and nothing is connected again: a lost
 * connection is a StoreError for whoever uses it next, upon which the peer builds everything anew.
 */
export const postgresLayer = (options: PostgresOptions): Layer.Layer<LogStore | TreeStore> =>
  Layer.effectContext(
    Effect.sync(() => Context.make(LogStore, logOf(options)).pipe(Context.add(TreeStore, treeOf(options))))
  )

const logOf = (options: PostgresOptions): LogStore["Service"] => {
  let opened: PostgresLog | undefined
  const using = <A>(operation: string, use: (log: PostgresLog) => Promise<A>) =>
    Effect.suspend(() => {
      const log = opened
      return log === undefined ? Effect.fail(notOpen(operation, "log")) : attempt(operation, () => use(log))
    })
  return {
    open: Effect.gen(function* () {
      const writer = yield* connected(() => openLocked(options, "log"))
      const reader = yield* connected(() => Connection.open(options, "log reader"))
      const { log, recovered } = yield* attempt("open", () => PostgresLog.open(writer, reader))
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          opened = log
        }),
        () =>
          Effect.sync(() => {
            opened = undefined
          })
      )
      return recovered
    }),
    lost: Effect.flatMap(
      using("connection", (log) => Promise.race([log.writer.lost, log.reader.lost])),
      Effect.fail
    ),
    append: (batch) => using("append", (log) => log.append(batch)),
    setAcceptedEpoch: (epoch) => using("setAcceptedEpoch", (log) => log.setAcceptedEpoch(epoch)),
    setCurrentEpoch: (epoch) => using("setCurrentEpoch", (log) => log.setCurrentEpoch(epoch)),
    setConfiguration: (configuration) => using("setConfiguration", (log) => log.setConfiguration(configuration)),
    setAside: (request) => attempt("setAside", () => setAsidePostgres(options, request)),
    setRebuilding: using("setRebuilding", (log) => log.setRebuilding(true)),
    setRebuilt: using("setRebuilt", (log) => log.setRebuilding(false)),
    truncate: (zxid) => using("truncate", (log) => log.truncate(zxid)),
    has: (zxid) => using("has", (log) => log.has(zxid)),
    lastAtOrBefore: (zxid) => using("lastAtOrBefore", (log) => log.lastAtOrBefore(zxid)),
    read: (after, maxBytes) => using("read", (log) => log.read(after, maxBytes)),
    purge: (zxid) => using("purge", (log) => log.purge(zxid)),
    sizes: using("sizes", (log) => log.sizes()),
    snapshot: Effect.gen(function* () {
      const connection = yield* connected(() => Connection.open(options, "snapshot"))
      const reader = yield* attempt("snapshot", () => CheckpointReader.open(connection))
      const source = new SnapshotSource(reader)
      return { zxid: reader.zxid, chunks: pulled("snapshot", () => source.next()) }
    }),
    restore: (zxid) =>
      Effect.gen(function* () {
        const connection = yield* connected(() => Connection.open(options, "restore"))
        const restore = yield* attempt("restore", () => CheckpointRestore.begin(connection, zxid))
        return {
          write: (chunk: Uint8Array) => attempt("restore", () => restore.write(chunk)),
          commit: using("restore", async (log) => {
            await restore.commit()
            log.restored(zxid)
          })
        }
      })
  }
}

const treeOf = (options: PostgresOptions): TreeStore["Service"] => {
  /** Shared by all loads of this layer: after a SNAP the tree is loaded again while its lock is held. */
  const held: { connection: Connection | undefined; users: number } = { connection: undefined, users: 0 }
  const acls = new AclToJson()
  const oneByOne = Semaphore.makeUnsafe(1)
  const hold = Effect.acquireRelease(
    oneByOne.withPermits(1)(
      Effect.suspend(() => {
        held.users++
        if (held.connection !== undefined) return Effect.void
        return Effect.map(
          Effect.onError(
            attempt("load", () => openLocked(options, "tree")),
            () =>
              Effect.sync(() => {
                held.users--
              })
          ),
          (connection) => {
            held.connection = connection
          }
        )
      })
    ),
    () =>
      Effect.suspend(() => {
        const { connection } = held
        if (--held.users > 0 || connection === undefined) return Effect.void
        held.connection = undefined
        return Effect.promise(() => connection.close())
      })
  )
  return {
    load: Effect.gen(function* () {
      yield* hold
      const connection = yield* connected(() => Connection.open(options, "load"))
      const reader = yield* attempt("load", () => CheckpointReader.open(connection))
      const { zxid, digest, sessions } = reader
      return { zxid, digest, sessions, nodes: pulled("load", () => reader.next()) }
    }),
    checkpoint: (delta) =>
      Effect.suspend(() => {
        const { connection } = held
        if (connection === undefined) return Effect.fail(notOpen("checkpoint", "tree"))
        return attempt("checkpoint", () => moveCheckpoint(connection, acls, delta))
      })
  }
}
