/** The store's two lanes: writes one after another, and beside them reads one after another. */
import type { ActorContext } from "@zkmesh/actor"
import type { Zxid } from "@zkmesh/numbers"
import type { LogStore, Restore, StoreError } from "@zkmesh/store"
import type { Input, LinkId, ReadOp, WriteOp } from "@zkmesh/zab"
import { Effect, Exit, Pull, Scope, Stream } from "effect"
import type { Statistics } from "./Statistics.ts"
import type { BroadcastTracing } from "./tracing/BroadcastTracing.ts"

type Store = LogStore["Service"]
type Done = { readonly _tag: "Done"; readonly lane: Lane<unknown>; readonly input: Input | undefined }
/** What a lane tells its actor: an operation has ended, with this for the core. */
export type LaneMessage = Done

type Context = Pick<ActorContext<LaneMessage>, "pipe" | "nextTurn">

/** Runs one operation at a time; the next one starts when the actor says that it has heard of the end of the last. */
export class Lane<Op> {
  private readonly queue: Array<Op> = []
  private head = 0
  private readonly perform: (op: Op) => Effect.Effect<Input | undefined, StoreError>
  private readonly context: Context
  private readonly done = (input: Input | undefined): Done => ({ _tag: "Done", lane: this as Lane<unknown>, input })

  constructor(perform: (op: Op) => Effect.Effect<Input | undefined, StoreError>, context: Context) {
    this.perform = perform
    this.context = context
  }

  /**
   * Returns how many operations are before it. One that `yields` begins when what this turn has to say to others has left:
   * they are at it while this peer's database is.
   */
  push(op: Op, yields = false): number {
    const before = this.queue.length - this.head
    this.queue.push(op)
    if (before > 0) return before
    if (yields) this.context.nextTurn(this.start)
    else this.start()
    return before
  }

  /** The actor has heard of the end of the operation under way. */
  next(): void {
    this.head++
    if (this.head < this.queue.length) this.start()
    if (this.head === this.queue.length || this.head > 1024) {
      this.queue.splice(0, this.head)
      this.head = 0
    }
  }

  private readonly start = (): void => {
    this.context.pipe(Effect.map(this.perform(this.queue[this.head]!), this.done))
  }
}

/** As ZooKeeper warns of its disk. */
const warnOfSlow = (ms: number, count: number): Effect.Effect<void> =>
  Effect.logWarning(`a commit of the log took ${Math.round(ms)} ms (${count} transactions): the database is slow`)

/** Carries out what changes the log or the epochs. */
export class Writer {
  private readonly store: Store
  private readonly scope: Scope.Scope
  private readonly statistics: Statistics
  private readonly now: () => number
  private readonly slowMs: number
  private readonly tracing: BroadcastTracing | undefined
  private restoring: { readonly scope: Scope.Closeable; readonly restore: Restore } | undefined

  constructor(
    store: Store,
    scope: Scope.Scope,
    statistics: Statistics,
    now: () => number,
    slowMs: number,
    tracing?: BroadcastTracing
  ) {
    this.store = store
    this.scope = scope
    this.statistics = statistics
    this.now = now
    this.slowMs = slowMs
    this.tracing = tracing
  }

  readonly perform = (op: WriteOp): Effect.Effect<Input, StoreError> => {
    const { store } = this
    const stored: Input = { _tag: "Stored", op }
    switch (op._tag) {
      case "Append": {
        const startedAt = this.now()
        const since = this.statistics.appending(startedAt)
        return Effect.flatMap(store.append(op.batch), () => {
          const endedAt = this.now()
          this.statistics.appended(op.batch, since, startedAt, endedAt)
          this.tracing?.log.appends(op.batch, startedAt, endedAt)
          const tookMs = endedAt - startedAt
          return tookMs < this.slowMs ? Effect.succeed(stored) : Effect.as(warnOfSlow(tookMs, op.batch.count), stored)
        })
      }
      case "SetConfiguration":
        return Effect.as(store.setConfiguration(op.membership), stored)
      case "SetAcceptedEpoch":
        return Effect.as(store.setAcceptedEpoch(op.epoch), stored)
      case "SetCurrentEpoch":
        return Effect.as(store.setCurrentEpoch(op.epoch), stored)
      case "SetRebuilt":
        return Effect.as(store.setRebuilt, stored)
      case "Truncate":
        return Effect.map(this.truncate(op.zxid), (kept): Input => ({ _tag: "Truncated", op, kept }))
      case "Restore":
        return Effect.as(this.begin(op.zxid), stored)
      case "RestoreChunk":
        return Effect.as(
          Effect.suspend(() => this.restoring!.restore.write(op.bytes)),
          stored
        )
      case "RestoreCommit":
        return Effect.as(
          Effect.andThen(
            Effect.suspend(() => this.restoring!.restore.commit),
            this.end()
          ),
          stored
        )
      case "RestoreAbort":
        return Effect.as(this.end(), stored)
    }
  }

  private truncate(zxid: Zxid): Effect.Effect<Zxid | undefined, StoreError> {
    const { store } = this
    return Effect.flatMap(store.lastAtOrBefore(zxid), (kept) =>
      kept === undefined ? Effect.succeed(kept) : Effect.as(store.truncate(kept), kept)
    )
  }

  private begin(zxid: Zxid): Effect.Effect<void, StoreError> {
    const { store, scope } = this
    return Effect.gen({ self: this }, function* () {
      const own = yield* Scope.fork(scope)
      const restore = yield* Scope.provide(store.restore(zxid), own)
      this.restoring = { scope: own, restore }
    })
  }

  /** Lets go of the restore; what was not committed has never been. */
  private end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { restoring } = this
      this.restoring = undefined
      return restoring === undefined ? Effect.void : Scope.close(restoring.scope, Exit.void)
    })
  }
}

interface OpenSnapshot {
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<Uint8Array>, StoreError>
  /** What the last pull brought and has not been asked for. */
  readonly rest: Array<Uint8Array>
}

const NO_BYTES = new Uint8Array(0)

/** Carries out what only reads the log, or drops what is old. */
export class Reader {
  private readonly store: Store
  private readonly scope: Scope.Scope
  private readonly snapshots = new Map<LinkId, OpenSnapshot>()

  constructor(store: Store, scope: Scope.Scope) {
    this.store = store
    this.scope = scope
  }

  readonly perform = (op: ReadOp): Effect.Effect<Input | undefined, StoreError> => {
    const { store } = this
    switch (op._tag) {
      case "Find":
        return Effect.map(store.lastAtOrBefore(op.zxid), (zxid): Input => ({ _tag: "Found", op, zxid }))
      case "Read":
        return Effect.map(store.read(op.after, op.maxBytes), (batches): Input => ({ _tag: "Read", op, batches }))
      case "OpenSnapshot":
        return Effect.map(this.open(op.link), (zxid): Input => ({ _tag: "SnapshotOpened", op, zxid }))
      case "ReadSnapshot":
        return Effect.suspend(() => {
          const snapshot = this.snapshots.get(op.link)
          // Closed while this was waiting for its turn: nobody expects an answer.
          return snapshot === undefined ? Effect.succeed(undefined) : this.read(op, snapshot)
        })
      case "CloseSnapshot":
        return Effect.as(this.close(op.link), undefined)
      case "Purge":
        return Effect.map(store.purge(op.zxid), (floor): Input => ({ _tag: "Purged", op, floor }))
    }
  }

  private open(link: LinkId): Effect.Effect<Zxid, StoreError> {
    const { store, scope } = this
    return Effect.gen({ self: this }, function* () {
      const own = yield* Scope.fork(scope)
      const { zxid, chunks } = yield* Scope.provide(store.snapshot, own)
      const pull = yield* Scope.provide(Stream.toPull(chunks), own)
      this.snapshots.set(link, { scope: own, pull, rest: [] })
      return zxid
    })
  }

  private read(op: ReadOp, snapshot: OpenSnapshot): Effect.Effect<Input, StoreError> {
    const chunk = (bytes: Uint8Array, last: boolean): Input => ({ _tag: "SnapshotRead", op, bytes, last })
    const next = snapshot.rest.shift()
    if (next !== undefined) return Effect.succeed(chunk(next, false))
    return Pull.matchEffect(snapshot.pull, {
      onSuccess: ([first, ...rest]) => {
        snapshot.rest.push(...rest)
        return Effect.succeed(chunk(first ?? NO_BYTES, false))
      },
      onFailure: (cause) => Effect.failCause(cause),
      onDone: () => Effect.succeed(chunk(NO_BYTES, true))
    })
  }

  private close(link: LinkId): Effect.Effect<void> {
    return Effect.suspend(() => {
      const snapshot = this.snapshots.get(link)
      this.snapshots.delete(link)
      return snapshot === undefined ? Effect.void : Scope.close(snapshot.scope, Exit.void)
    })
  }
}
