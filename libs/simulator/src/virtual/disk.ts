/**
 * A peer's disk. What has been completed survives a crash; what was under way may be lost, or be there without anybody
 * having been told. It may be slow, full, or fail, and rows of it may rot.
 */
import type { Zxid } from "@zkmesh/numbers"
import { LogStore, type MemoryDatabase, memoryLayer, StoreError, TreeStore } from "@zkmesh/store"
import { type Context, Effect, Layer, Stream } from "effect"
import type { SimProcess } from "./process.ts"
import type { Random } from "./random.ts"
import { Rot } from "./rot.ts"
import type { Timeline } from "./timeline.ts"

/** What an operator would read in the log: also how the simulator tells its own faults from the product's. */
export const DISK_FAULT = "the simulated disk"

export class SimDisk {
  database: MemoryDatabase
  /** How many times slower than usual. */
  slowness = 1
  condition: "good" | "full" | "failing" = "good"
  readonly rot = new Rot(DISK_FAULT)
  /** What had been set aside was given to its peer again. */
  onRebuilt: () => void = () => {}
  /** The end of the log that was set aside last. */
  private setAsideAt: Zxid = 0
  private readonly timeline: Timeline
  private readonly random: Random

  constructor(timeline: Timeline, random: Random, database: MemoryDatabase) {
    this.timeline = timeline
    this.random = random
    this.database = database
  }

  /** What is on it cannot all be read, or is not all that had been promised to be. */
  get isShaken(): boolean {
    return this.database.rebuilding || this.rot.isIn(this.database)
  }

  /** Up to where it has acknowledged what it does not hold any more, for which reason it has no vote; 0: nothing. */
  get lostUpTo(): Zxid {
    return this.database.rebuilding ? this.setAsideAt : 0
  }

  /** It is another database from now on. */
  replace(database: MemoryDatabase): void {
    this.database = database
    this.rot.clear()
  }

  /** The disk as a new life of its peer finds it. */
  layer(process: SimProcess): Layer.Layer<LogStore | TreeStore> {
    const pause = (ms: number): Effect.Effect<void> =>
      Effect.callback<void>((resume) => {
        this.timeline.after(ms * this.slowness, () => process.run(() => resume(Effect.void)))
      })
    const beforeDurable = (operation: string): Effect.Effect<void, StoreError> =>
      Effect.flatMap(pause(this.random.between(0.1, 4)), () => this.verdict(operation))
    /** It is done, and the news of it is on its way: a crash now leaves it done. */
    const told = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.tap(effect, () => (this.random.chance(0.3) ? pause(this.random.between(0.1, 3)) : Effect.void))
    const wrapped = Layer.effect(
      LogStore,
      Effect.map(LogStore, (store) =>
        LogStore.of({
          ...this.readable(store),
          append: (batch) => told(store.append(batch)),
          setAcceptedEpoch: (epoch) => told(store.setAcceptedEpoch(epoch)),
          setCurrentEpoch: (epoch) => told(store.setCurrentEpoch(epoch)),
          setRebuilt: Effect.tap(store.setRebuilt, () => Effect.sync(this.onRebuilt)),
          truncate: (zxid) => told(store.truncate(zxid)),
          restore: (zxid) =>
            Effect.map(store.restore(zxid), (restore) => ({
              write: (chunk: Uint8Array) => Effect.andThen(pause(this.random.between(0, 1)), restore.write(chunk)),
              commit: told(Effect.tap(restore.commit, () => Effect.sync(() => this.rot.clear())))
            }))
        })
      )
    )
    const memory = memoryLayer(this.database, { beforeDurable })
    return Layer.provideMerge(Layer.merge(wrapped, this.tree()), memory)
  }

  /** The log, with whatever reads a row looking at its checksum, as far as the real one does. */
  private readable(store: LogStore["Service"]): LogStore["Service"] {
    const { rot } = this
    const unless = <A, E>(find: () => StoreError | undefined, effect: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | StoreError> => {
        const error = find()
        return error === undefined ? effect : Effect.fail(error)
      })
    return {
      ...store,
      open: Effect.flatMap(store.open, (recovered) =>
        unless(() => rot.atEnd(this.database), Effect.succeed(recovered))
      ),
      has: (zxid) => unless(() => rot.at("has", this.database, zxid), store.has(zxid)),
      lastAtOrBefore: (zxid) => unless(() => rot.at("find", this.database, zxid), store.lastAtOrBefore(zxid)),
      truncate: (zxid) => unless(() => rot.at("truncate", this.database, zxid), store.truncate(zxid)),
      read: (after, maxBytes) =>
        Effect.flatMap(store.read(after, maxBytes), (batches) =>
          unless(() => rot.within("read", this.database, after, batches.at(-1)?.last ?? after), Effect.succeed(batches))
        ),
      snapshot: Effect.map(store.snapshot, ({ zxid, chunks }) => {
        const error = rot.ofTree("snapshot")
        return { zxid, chunks: error === undefined ? chunks : Stream.fail(error) }
      }),
      setAside: (request) =>
        Effect.suspend(() => {
          const { last, rebuilding } = this.database
          return Effect.tap(store.setAside(request), () =>
            Effect.sync(() => {
              rot.clear()
              // Lost once more before it was whole again: what it had at first is still what nobody may count on.
              this.setAsideAt = rebuilding ? Math.max(this.setAsideAt, last) : last
            })
          )
        })
    }
  }

  private tree(): Layer.Layer<TreeStore, never, TreeStore> {
    return Layer.effect(
      TreeStore,
      Effect.map(TreeStore, (store) =>
        TreeStore.of({
          ...store,
          load: Effect.flatMap(store.load, (loaded) => {
            const error = this.rot.ofTree("load")
            return error === undefined ? Effect.succeed(loaded) : Effect.fail(error)
          })
        })
      )
    )
  }

  /** The process that had it open is gone, and its locks with it. */
  release(): void {
    this.database.holders.clear()
  }

  private verdict(operation: string): Effect.Effect<void, StoreError> {
    if (this.condition === "good") return Effect.void
    const message = this.condition === "full" ? `${DISK_FAULT} is full` : `${DISK_FAULT} has failed`
    return Effect.fail(new StoreError({ operation, message }))
  }
}

/** The services that a disk provides, as a type. */
export type Stores = Context.Service.Identifier<typeof LogStore> | Context.Service.Identifier<typeof TreeStore>
