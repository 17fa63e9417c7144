/**
 * A peer's store in memory: for tests and experiments. What it calls durable is what its `MemoryDatabase` holds, which
 * outlives the layer as a disk outlives a process.
 */
import type { SessionRecord } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { hex } from "@zkmesh/numbers"
import type { TxnBatch } from "@zkmesh/txn"
import { sliceBatch } from "@zkmesh/txn"
import { Context, Effect, Layer, Semaphore, Stream } from "effect"
import { lastWithin, problemOf } from "./batch.ts"
import { versionOf } from "./configuration.ts"
import { CorruptSnapshot, SnapshotReader, SnapshotWriter } from "./snapshot.ts"
import type { CheckpointDelta, Recovered, StoredConfiguration, StoredNode } from "./store.ts"
import { LogStore, StoreError, TreeStore } from "./store.ts"

/** The disk of one peer. Closing a layer's scope leaves it as it is; another layer over it finds everything again. */
export class MemoryDatabase {
  acceptedEpoch = 0
  currentEpoch = 0
  /** What was logged here was lost. */
  rebuilding = false
  configuration: StoredConfiguration | undefined
  floor: Zxid = 0
  batches: Array<TxnBatch> = []
  checkpoint: Zxid = 0
  digest = 0
  readonly nodes = new Map<string, StoredNode>()
  readonly sessions = new Map<SessionId, SessionRecord>()
  /** Who has it open, as Postgres's advisory locks would know. */
  readonly holders = new Map<"log" | "tree", { readonly owner: object; uses: number }>()

  /** Begins anew, with nothing but what was promised. A memory has no place for what was there before. */
  setAside(): string {
    this.rebuilding = true
    this.floor = this.checkpoint = this.digest = 0
    this.batches = []
    this.nodes.clear()
    this.sessions.clear()
    if (this.configuration !== undefined) this.configuration = { ...this.configuration, proposed: undefined }
    return "nowhere: it was in memory"
  }

  get last(): Zxid {
    return this.batches.at(-1)?.last ?? this.floor
  }
}

export interface MemoryOptions {
  /**
   * Runs before a change takes effect, one change at a time: delay it for a slow disk, fail it for a broken one. A scope
   * that is closed meanwhile loses the change, as a crash before the fsync does.
   */
  readonly beforeDurable?: (operation: string) => Effect.Effect<void, StoreError>
}

const fail = (operation: string, message: string, cause?: unknown) => new StoreError({ operation, message, cause })

/** LogStore and TreeStore of one peer, both over `database`. */
export const memoryLayer = (database: MemoryDatabase, options: MemoryOptions = {}): Layer.Layer<LogStore | TreeStore> =>
  Layer.effectContext(
    Effect.sync(() => {
      const disk = new Disk(database, options)
      return Context.make(LogStore, logOf(disk)).pipe(Context.add(TreeStore, treeOf(disk)))
    })
  )

/** The database as one layer has it open. */
class Disk {
  readonly database: MemoryDatabase
  private readonly options: MemoryOptions
  private readonly oneByOne = Semaphore.makeUnsafe(1)

  constructor(database: MemoryDatabase, options: MemoryOptions) {
    this.database = database
    this.options = options
  }

  /** Takes the lock of a service until the scope closes; this layer may take it more than once. */
  hold(operation: string, role: "log" | "tree") {
    const { holders } = this.database
    return Effect.acquireRelease(
      Effect.suspend(() => {
        const holder = holders.get(role)
        if (holder !== undefined && holder.owner !== this) {
          return Effect.fail(fail(operation, `this memory database is in use: another ${role} store has it open`))
        }
        if (holder === undefined) holders.set(role, { owner: this, uses: 1 })
        else holder.uses++
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          const holder = holders.get(role)
          if (holder !== undefined && --holder.uses === 0) holders.delete(role)
        })
    )
  }

  /** `use` on an opened database. */
  opened<A>(operation: string, role: "log" | "tree", use: (database: MemoryDatabase) => A | StoreError) {
    return Effect.suspend(() => {
      if (this.database.holders.get(role)?.owner !== this)
        return Effect.fail(fail(operation, `the ${role} is not open`))
      const result = use(this.database)
      return result instanceof StoreError ? Effect.fail(result) : Effect.succeed(result as A)
    })
  }

  /** A change: `apply` once the disk has it. */
  durably<A>(operation: string, role: "log" | "tree", apply: (database: MemoryDatabase) => A | StoreError) {
    const change = this.opened(operation, role, apply)
    const { beforeDurable } = this.options
    if (beforeDurable === undefined) return change
    return this.oneByOne.withPermits(1)(Effect.flatMap(beforeDurable(operation), () => change))
  }
}

const logOf = (disk: Disk): LogStore["Service"] => ({
  open: Effect.andThen(
    disk.hold("open", "log"),
    disk.opened("open", "log", (database): Recovered => {
      const { acceptedEpoch, currentEpoch, checkpoint, floor, last, rebuilding } = database
      const known = { acceptedEpoch, currentEpoch, checkpoint, floor, last }
      const recovered = rebuilding ? { ...known, rebuilding } : known
      if (database.configuration === undefined) return recovered
      const { committed, proposed } = database.configuration
      const version = versionOf(proposed)
      const isLogged = version <= checkpoint || lastAtOrBefore(database, version) === version
      // For good: a later checkpoint must not make it look as if it had been in the log.
      database.configuration = { committed, proposed: isLogged ? proposed : undefined }
      return { ...recovered, configuration: database.configuration }
    })
  ),
  lost: Effect.never,
  append: (batch) =>
    disk.durably("append", "log", (database) => {
      const problem = problemOf(database.last, batch)
      if (problem !== undefined) return fail("append", `batch ${hex(batch.first)}: ${problem}`)
      database.batches.push(batch)
    }),
  setAcceptedEpoch: (epoch) =>
    disk.durably("setAcceptedEpoch", "log", (database) => {
      const { acceptedEpoch } = database
      if (epoch < acceptedEpoch)
        return fail("setAcceptedEpoch", `${epoch} is below the accepted epoch ${acceptedEpoch}`)
      database.acceptedEpoch = epoch
    }),
  setCurrentEpoch: (epoch) =>
    disk.durably("setCurrentEpoch", "log", (database) => {
      const { acceptedEpoch, currentEpoch } = database
      if (epoch < currentEpoch) return fail("setCurrentEpoch", `${epoch} is below the current epoch ${currentEpoch}`)
      if (epoch > acceptedEpoch) return fail("setCurrentEpoch", `${epoch} is above the accepted epoch ${acceptedEpoch}`)
      database.currentEpoch = epoch
    }),
  setConfiguration: (configuration) =>
    disk.durably("setConfiguration", "log", (database) => {
      database.configuration = configuration
    }),
  setAside: ({ objection }) =>
    Effect.suspend(() => {
      const { database } = disk
      const why = objection(database.configuration ?? { committed: undefined, proposed: undefined })
      if (why !== undefined) return Effect.fail(fail("setAside", `it is not set aside: ${why}`))
      return Effect.succeed(database.setAside())
    }),
  setRebuilding: disk.durably("setRebuilding", "log", (database) => {
    database.rebuilding = true
  }),
  setRebuilt: disk.durably("setRebuilt", "log", (database) => {
    database.rebuilding = false
  }),
  truncate: (zxid) => disk.durably("truncate", "log", (database) => truncate(database, zxid)),
  has: (zxid) => disk.opened("has", "log", (database) => lastAtOrBefore(database, zxid) === zxid),
  lastAtOrBefore: (zxid) => disk.opened("lastAtOrBefore", "log", (database) => lastAtOrBefore(database, zxid)),
  read: (after, maxBytes) => disk.opened("read", "log", (database) => read(database, after, maxBytes)),
  purge: (zxid) =>
    disk.durably("purge", "log", (database) => {
      const upTo = Math.min(zxid, database.checkpoint)
      let count = 0
      for (const batch of database.batches) {
        if (batch.last > upTo) break
        database.floor = batch.last
        count++
      }
      database.batches.splice(0, count)
      return database.floor
    }),
  sizes: Effect.sync(() => {
    const { batches, nodes } = disk.database
    let log = 0
    for (const batch of batches) log += batch.bytes.length
    let checkpoint = 0
    for (const { path, data } of nodes.values()) checkpoint += path.length + (data?.length ?? 0)
    return { log, checkpoint }
  }),
  snapshot: disk.opened("snapshot", "log", (database) => {
    // The copies are what makes it one state: a checkpoint replaces nodes, it never changes one.
    const chunks = snapshotChunks(database.checkpoint, database.digest, [
      [...database.sessions.values()],
      [...database.nodes.values()]
    ])
    return {
      zxid: database.checkpoint,
      chunks: Stream.unfold(chunks, (rest) =>
        Effect.sync(() => {
          const next = rest.next()
          return next.done === true ? undefined : ([next.value, rest] as const)
        })
      )
    }
  }),
  restore: (zxid) => disk.opened("restore", "log", () => restoreOf(disk, zxid))
})

const treeOf = (disk: Disk): TreeStore["Service"] => ({
  load: Effect.andThen(
    disk.hold("load", "tree"),
    disk.opened("load", "tree", (database) => ({
      zxid: database.checkpoint,
      digest: database.digest,
      sessions: [...database.sessions.values()].map((record) => ({ ...record })),
      nodes: database.nodes.size === 0 ? Stream.empty : Stream.succeed([...database.nodes.values()])
    }))
  ),
  checkpoint: (delta) => disk.durably("checkpoint", "tree", (database) => checkpoint(database, delta))
})

const lastAtOrBefore = (database: MemoryDatabase, zxid: Zxid): Zxid | undefined => {
  if (zxid < database.floor) return undefined
  let low = 0
  let high = database.batches.length
  // The first batch that ends at or after zxid.
  while (low < high) {
    const middle = (low + high) >>> 1
    if (database.batches[middle]!.last < zxid) low = middle + 1
    else high = middle
  }
  const batch = database.batches[low]
  const within = batch === undefined ? undefined : lastWithin(batch, zxid)
  return within ?? database.batches[low - 1]?.last ?? database.floor
}

const truncate = (database: MemoryDatabase, zxid: Zxid): StoreError | undefined => {
  if (lastAtOrBefore(database, zxid) !== zxid) return fail("truncate", `the log does not hold ${hex(zxid)}`)
  if (zxid < database.checkpoint) {
    return fail("truncate", `${hex(zxid)} lies before the checkpoint ${hex(database.checkpoint)}`)
  }
  const kept: TxnBatch[] = []
  for (const batch of database.batches) {
    const part = sliceBatch(batch, 0, zxid)
    if (part === undefined) break
    kept.push(part)
  }
  database.batches = kept
  return undefined
}

const read = (database: MemoryDatabase, after: Zxid, maxBytes: number): ReadonlyArray<TxnBatch> | StoreError => {
  if (after < database.floor) return fail("read", `the log starts after ${hex(database.floor)}, not ${hex(after)}`)
  const batches: TxnBatch[] = []
  let size = 0
  for (const batch of database.batches) {
    const part = sliceBatch(batch, after, Number.MAX_SAFE_INTEGER)
    if (part === undefined) continue
    batches.push(part)
    size += part.bytes.length
    if (size >= maxBytes) break
  }
  return batches
}

const checkpoint = (database: MemoryDatabase, delta: CheckpointDelta): StoreError | undefined => {
  if (database.checkpoint !== delta.from) {
    return fail(
      "checkpoint",
      `it builds on ${hex(delta.from)}, but the database's checkpoint is ${hex(database.checkpoint)}`
    )
  }
  for (const path of delta.deleted) database.nodes.delete(path)
  for (const node of delta.upserted) database.nodes.set(node.path, node)
  for (const id of delta.closedSessions) database.sessions.delete(id)
  for (const record of delta.sessions) database.sessions.set(record.id, { ...record })
  database.checkpoint = delta.to
  database.digest = delta.digest
  return undefined
}

function* snapshotChunks(
  zxid: Zxid,
  digest: number,
  [sessions, nodes]: readonly [ReadonlyArray<SessionRecord>, ReadonlyArray<StoredNode>]
): Generator<Uint8Array, undefined> {
  const writer = new SnapshotWriter(zxid, digest)
  for (const record of sessions) writer.session(record)
  for (const node of nodes) {
    writer.node(node)
    yield* writer.take()
  }
  writer.finish()
  yield* writer.take()
  return undefined
}

const restoreOf = (disk: Disk, zxid: Zxid) => {
  const reader = new SnapshotReader()
  const sessions: SessionRecord[] = []
  const nodes: StoredNode[] = []
  return {
    write: (chunk: Uint8Array) =>
      Effect.try({
        try: () => {
          const part = reader.read(chunk)
          for (const record of part.sessions) sessions.push(record)
          for (const node of part.nodes) nodes.push(node)
        },
        catch: (cause) => fail("restore", cause instanceof CorruptSnapshot ? cause.message : String(cause), cause)
      }),
    commit: disk.durably("restore", "log", (database) => {
      if (!reader.finished) return fail("restore", "the snapshot is not complete")
      if (reader.zxid !== zxid) return fail("restore", `the snapshot is of another zxid than ${hex(zxid)}`)
      database.nodes.clear()
      for (const node of nodes) database.nodes.set(node.path, node)
      database.sessions.clear()
      for (const record of sessions) database.sessions.set(record.id, record)
      database.checkpoint = database.floor = zxid
      database.digest = reader.digest
      database.batches = []
      // It was in the log that is no more.
      if (database.configuration !== undefined) {
        database.configuration = { ...database.configuration, proposed: undefined }
      }
    })
  }
}
