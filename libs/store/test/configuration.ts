/** What every store has to do about configurations, whatever it is made of. */
import { assert, describe, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import { Effect, Stream } from "effect"
import type { StoreError } from "../src/index.ts"
import { LogStore, TreeStore } from "../src/index.ts"
import { batch } from "./data.ts"
import { delta, life, type StoreLayer } from "./suite.ts"

const at = (counter: number) => zxid(1, counter)
const text = (version: number): string => `server.1=h1:1:2:participant;0.0.0.0:3\nversion=${version.toString(16)}`

export const configurationSuite = (name: string, fresh: () => Effect.Effect<() => StoreLayer, StoreError>) => {
  const test = (title: string, body: (layer: () => StoreLayer) => Effect.Effect<void, StoreError>) =>
    it.live(title, () => Effect.flatMap(fresh(), body))
  /** One life: opens, does something, and says what configuration it found. */
  const found = (layer: () => StoreLayer, then: (log: LogStore["Service"]) => Effect.Effect<void, StoreError>) =>
    life(
      layer(),
      Effect.gen(function* () {
        const log = yield* LogStore
        const { configuration } = yield* log.open
        yield* then(log)
        return configuration
      })
    )
  const nothing = () => Effect.void

  describe(`${name}: the configuration`, () => {
    test("is none at first, and then what was stored last", (layer) =>
      Effect.gen(function* () {
        const stored = { committed: text(1), proposed: text(at(2)) }
        const first = yield* found(layer, (log) =>
          Effect.andThen(log.append(batch(at(1), 3)), log.setConfiguration(stored))
        )
        assert.isUndefined(first)
        assert.deepStrictEqual(yield* found(layer, nothing), stored)
        yield* found(layer, (log) => log.setConfiguration({ committed: text(at(2)), proposed: undefined }))
        assert.deepStrictEqual(yield* found(layer, nothing), { committed: text(at(2)), proposed: undefined })
      }))

    test("is not what the log never held, for good", (layer) =>
      Effect.gen(function* () {
        yield* found(layer, (log) =>
          Effect.andThen(
            log.append(batch(at(1), 2)),
            log.setConfiguration({ committed: text(1), proposed: text(at(3)) })
          )
        )
        assert.deepStrictEqual(yield* found(layer, nothing), { committed: text(1), proposed: undefined })
        // Another epoch's history passes the zxid by, and its checkpoint too.
        yield* life(
          layer(),
          Effect.gen(function* () {
            const [log, tree] = [yield* LogStore, yield* TreeStore]
            yield* log.open
            yield* tree.load
            yield* log.append(batch(zxid(2, 1), 2))
            yield* tree.checkpoint(delta(0, zxid(2, 2)))
          })
        )
        assert.deepStrictEqual(yield* found(layer, nothing), { committed: text(1), proposed: undefined })
      }))

    test("is proposed no more when a snapshot replaces the log that it was in", (layer) =>
      Effect.gen(function* () {
        yield* found(layer, (log) =>
          Effect.andThen(
            log.append(batch(at(1), 3)),
            log.setConfiguration({ committed: text(1), proposed: text(at(2)) })
          )
        )
        const to = zxid(3, 5)
        const chunks = yield* life(
          (yield* fresh())(),
          Effect.gen(function* () {
            const [log, tree] = [yield* LogStore, yield* TreeStore]
            yield* log.open
            yield* tree.load
            yield* log.append(batch(zxid(3, 1), 5))
            yield* tree.checkpoint(delta(0, to))
            return yield* Stream.runCollect((yield* log.snapshot).chunks)
          })
        )
        yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            yield* log.open
            const restore = yield* log.restore(to)
            for (const chunk of chunks) yield* restore.write(chunk)
            yield* restore.commit
          })
        )
        assert.deepStrictEqual(yield* found(layer, nothing), { committed: text(1), proposed: undefined })
      }))
  })
}
