/** Peers whose stores are empty: new ones, and ones that have lost what they had. */
import { assert, it } from "@effect/vitest"
import { loopbackLayer } from "@zkmesh/bus"
import type { Sid } from "@zkmesh/numbers"
import { MemoryDatabase } from "@zkmesh/store"
import { Effect } from "effect"
import { Changes, startPeer } from "./harness.ts"

const voters = [1, 2, 3]
const start = (sid: Sid, database: MemoryDatabase, changes: Changes, isNew: boolean) =>
  startPeer(sid, database, changes, { voters, mayVoteBlank: Effect.succeed(isNew) })

it.live("a peer that has lost its database has no vote until it has everything again", () =>
  Effect.gen(function* () {
    const changes = new Changes()
    const databases = new Map(voters.map((sid) => [sid, new MemoryDatabase()]))
    const first = yield* Effect.forEach(voters, (sid) => start(sid, databases.get(sid)!, changes, true))
    const [, two, three] = first.map(({ znode }) => znode)
    yield* changes.until("a leader", () => three!.role.role === "leading")
    three!.propose("a", "b")
    yield* changes.until("a and b", () => first.every(({ znode }) => znode.texts.length === 2))
    assert.isFalse([...databases.values()].some(({ rebuilding }) => rebuilding))

    yield* first[0]!.kill
    const lost = new MemoryDatabase()
    const back = yield* start(1, lost, changes, false)
    assert.isTrue(lost.rebuilding)
    yield* changes.until("its vote", () => !lost.rebuilding && back.znode.role.role === "following")
    assert.deepStrictEqual(back.znode.texts, ["a", "b"])

    // It counts: without it there would be no quorum.
    yield* first[2]!.kill
    yield* changes.until("another leader", () => [back.znode, two!].some(({ role }) => role.role === "leading"))
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)

it.live("two that have lost theirs elect nobody, until they are said to be new after all", () =>
  Effect.gen(function* () {
    const changes = new Changes()
    const databases = [new MemoryDatabase(), new MemoryDatabase()]
    const peers = yield* Effect.forEach(databases, (database, at) => start(at + 1, database, changes, false))
    yield* changes.until("both to look", () => peers.every(({ znode }) => znode.stats["zab_phase"] === "election"))
    assert.deepStrictEqual(
      databases.map(({ rebuilding, acceptedEpoch }) => [rebuilding, acceptedEpoch]),
      [
        [true, 0],
        [true, 0]
      ]
    )
    for (const { kill } of peers) yield* kill
    const again = yield* Effect.forEach(databases, (database, at) => start(at + 1, database, changes, true))
    yield* changes.until("a leader", () => again.some(({ znode }) => znode.role.role === "leading"))
    assert.isFalse(databases.some(({ rebuilding }) => rebuilding))
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
)
