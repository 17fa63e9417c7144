/** SNAP: one store's checkpoint carried into another's. */
import { assert, describe, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import { Effect, Stream } from "effect"
import type { StoredNode, StoreError } from "../src/index.ts"
import { LogStore, SNAPSHOT_CHUNK, TreeStore } from "../src/index.ts"
import { batch, node, session } from "./data.ts"
import type { StoreLayer } from "./suite.ts"
import { delta, life, loaded, refusal, sameNode } from "./suite.ts"

export const manyNodes = (count: number): Array<StoredNode> =>
  Array.from({ length: count }, (_, index) =>
    node(`/app/config/service-${index}`, { version: index, data: Buffer.alloc(150, index % 256) })
  )

export const snapshotSuite = (
  name: string,
  fresh: () => Effect.Effect<() => StoreLayer, StoreError>,
  count: number
) => {
  describe(`${name}: snapshots`, () => {
    it.live(
      `carries ${count} znodes from one peer to another`,
      () =>
        Effect.gen(function* () {
          const [leader, learner] = [yield* fresh(), yield* fresh()]
          const nodes = [...manyNodes(count), node("/huge", { data: Buffer.alloc(900_000, 1) })]
          const sessions = [session(zxid(1, 5)), session(zxid(1, 6))]
          const to = zxid(1, 10)
          const chunks = yield* life(
            leader(),
            Effect.gen(function* () {
              const [log, tree] = [yield* LogStore, yield* TreeStore]
              yield* log.open
              yield* tree.load
              yield* log.append(batch(zxid(1, 1), 20))
              yield* tree.checkpoint(delta(0, to, { upserted: nodes, sessions, digest: 77 }))
              const snapshot = yield* log.snapshot
              assert.strictEqual(snapshot.zxid, to)
              // What changes meanwhile must not show.
              yield* tree.checkpoint(delta(to, to + 1, { upserted: [node("/new")], deleted: ["/huge"] }))
              return yield* Stream.runCollect(snapshot.chunks)
            })
          )
          for (const chunk of chunks.slice(0, -1)) assert.strictEqual(chunk.length, SNAPSHOT_CHUNK)
          yield* life(
            learner(),
            Effect.gen(function* () {
              const [log, tree] = [yield* LogStore, yield* TreeStore]
              yield* log.open
              yield* tree.load
              yield* log.append(batch(zxid(1, 1), 2))
              yield* tree.checkpoint(delta(0, zxid(1, 1), { upserted: [node("/old")] }))
              yield* Effect.scoped(
                Effect.gen(function* () {
                  const restore = yield* log.restore(to)
                  for (const chunk of chunks) yield* restore.write(chunk)
                  yield* restore.commit
                })
              )
              assert.isTrue(yield* log.has(to))
              assert.deepStrictEqual(yield* log.read(to, 1000), [])
              yield* log.append(batch(zxid(1, 11), 1))
              // The tree was at an older checkpoint: it has to load anew.
              assert.match(yield* refusal(tree.checkpoint(delta(zxid(1, 1), zxid(1, 2)))), /builds on/)
            })
          )
          yield* life(
            learner(),
            Effect.gen(function* () {
              const log = yield* LogStore
              const recovered = yield* log.open
              const { checkpoint, floor, last } = recovered
              assert.deepStrictEqual([checkpoint, floor, last], [to, to, zxid(1, 11)])
              const state = yield* loaded
              assert.deepStrictEqual([state.zxid, state.digest, state.nodes.size], [to, 77, nodes.length])
              for (const expected of nodes) sameNode(state.nodes.get(expected.path), expected)
              assert.strictEqual(state.sessions.length, 2)
            })
          )
        }),
      120_000
    )

    it.live("leaves everything as it was unless it is whole", () =>
      Effect.gen(function* () {
        const layer = yield* fresh()
        yield* life(
          layer(),
          Effect.gen(function* () {
            const [log, tree] = [yield* LogStore, yield* TreeStore]
            yield* log.open
            yield* tree.load
            yield* log.append(batch(zxid(1, 1), 5))
            yield* tree.checkpoint(delta(0, zxid(1, 3), { upserted: manyNodes(3000) }))
            const snapshot = yield* log.snapshot
            const chunks = yield* Stream.runCollect(snapshot.chunks)
            assert.isAbove(chunks.length, 1)
            const attempt = (zxid: number, parts: ReadonlyArray<Uint8Array>) =>
              refusal(
                Effect.scoped(
                  Effect.gen(function* () {
                    const restore = yield* log.restore(zxid)
                    for (const part of parts) yield* restore.write(part)
                    yield* restore.commit
                  })
                )
              )
            const damaged = Buffer.from(chunks[0]!)
            damaged[1000] = damaged[1000]! ^ 1
            assert.match(yield* attempt(zxid(1, 3), chunks.slice(0, 1)), /not complete/)
            assert.match(yield* attempt(zxid(1, 3), []), /not complete/)
            assert.match(yield* attempt(zxid(1, 4), chunks), /of another zxid/)
            assert.match(yield* attempt(zxid(1, 3), [damaged, ...chunks.slice(1)]), /checksum|record/)
            assert.match(yield* attempt(zxid(1, 3), [Buffer.alloc(100)]), /no snapshot of zkmesh/)
            assert.match(yield* attempt(zxid(1, 3), [...chunks, Buffer.alloc(1)]), /follow the snapshot's end/)
            yield* log.append(batch(zxid(1, 6), 1))
          })
        )
        yield* life(
          layer(),
          Effect.gen(function* () {
            const log = yield* LogStore
            const { checkpoint, floor, last } = yield* log.open
            assert.deepStrictEqual([checkpoint, floor, last], [zxid(1, 3), 0, zxid(1, 6)])
            assert.strictEqual((yield* loaded).nodes.size, 3000)
          })
        )
      })
    )
  })
}
