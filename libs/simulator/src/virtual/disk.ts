/**
 * A peer's disk. What has been completed survives a crash; what was under way may be lost, or be there without anybody
 * having been told. It may be slow, full, or fail.
 */
import { LogStore, type MemoryDatabase, memoryLayer, StoreError, type TreeStore } from "@zkmesh/store"
import { type Context, Effect, Layer } from "effect"
import type { SimProcess } from "./process.ts"
import type { Random } from "./random.ts"
import type { Timeline } from "./timeline.ts"

/** What an operator would read in the log: also how the simulator tells its own faults from the product's. */
export const DISK_FAULT = "the simulated disk"

export class SimDisk {
  database: MemoryDatabase
  /** How many times slower than usual. */
  slowness = 1
  condition: "good" | "full" | "failing" = "good"
  private readonly timeline: Timeline
  private readonly random: Random

  constructor(timeline: Timeline, random: Random, database: MemoryDatabase) {
    this.timeline = timeline
    this.random = random
    this.database = database
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
          ...store,
          append: (batch) => told(store.append(batch)),
          setAcceptedEpoch: (epoch) => told(store.setAcceptedEpoch(epoch)),
          setCurrentEpoch: (epoch) => told(store.setCurrentEpoch(epoch)),
          truncate: (zxid) => told(store.truncate(zxid)),
          restore: (zxid) =>
            Effect.map(store.restore(zxid), (restore) => ({
              write: (chunk: Uint8Array) => Effect.andThen(pause(this.random.between(0, 1)), restore.write(chunk)),
              commit: told(restore.commit)
            }))
        })
      )
    )
    const memory = memoryLayer(this.database, { beforeDurable })
    return Layer.provideMerge(wrapped, memory)
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
