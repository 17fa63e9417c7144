import { assert, it } from "@effect/vitest"
import { ActorDied } from "@zkmesh/actor"
import { makeConfiguration, parseMembers } from "@zkmesh/membership"
import { LogStore, MemoryDatabase, memoryLayer, type StoredConfiguration, StoreError } from "@zkmesh/store"
import { Cause, Effect } from "effect"
import { settingAside } from "../src/setAside.ts"

const corrupt = new StoreError({ operation: "read", message: "log_batch row 7 is corrupt", fault: "corrupt" })
const died = new ActorDied({ actor: "broadcast.1", cause: corrupt })

/** What is said after peer 1 of these voters has failed, and whether its store has gone. */
const after = (voters: ReadonlyArray<number>, cause: unknown, configuration?: StoredConfiguration) =>
  Effect.gen(function* () {
    const database = new MemoryDatabase()
    database.acceptedEpoch = 3
    database.configuration = configuration
    const said = yield* settingAside({ sid: 1, voters }, memoryLayer(database))(Cause.fail(cause))
    const recovered = yield* Effect.scoped(
      Effect.provide(
        Effect.flatMap(LogStore, (log) => log.open),
        memoryLayer(database)
      )
    )
    return { said, rebuilding: recovered.rebuilding ?? false, acceptedEpoch: recovered.acceptedEpoch }
  })

it.effect("a corrupt store is set aside, also if an actor has died of it, and the row is named", () =>
  Effect.gen(function* () {
    for (const cause of [corrupt, died]) {
      const { said, rebuilding, acceptedEpoch } = yield* after([1, 2, 3], cause)
      assert.match(said ?? "", /^its store is corrupt and is not served: log_batch row 7 is corrupt\. It is kept as/)
      assert.deepStrictEqual([rebuilding, acceptedEpoch], [true, 3])
    }
  })
)

it.effect("an observer's is as well", () =>
  Effect.gen(function* () {
    assert.isTrue((yield* after([2], corrupt)).rebuilding)
  })
)

it.effect("no other failure touches the store", () =>
  Effect.gen(function* () {
    const full = new StoreError({ operation: "append", message: "no room", fault: "full" })
    for (const cause of [full, new Error("lost")]) {
      assert.deepStrictEqual(yield* after([1, 2, 3], cause), { said: undefined, rebuilding: false, acceptedEpoch: 3 })
    }
  })
)

it.effect("what nobody else could replace stays where it is", () =>
  Effect.gen(function* () {
    for (const voters of [[1], [1, 2]]) {
      const { said, rebuilding } = yield* after(voters, corrupt)
      assert.match(said ?? "", /the others are no majority that it could be rebuilt from/)
      assert.isFalse(rebuilding)
    }
  })
)

const textOf = (version: number, voters: ReadonlyArray<number>): string =>
  makeConfiguration(
    version,
    parseMembers(voters.map((sid) => `server.${sid}=host${sid}:2888:3888;2181`).join("\n")).members
  ).text

it.effect("what a reconfiguration on its way would need stays where it is as well", () =>
  Effect.gen(function* () {
    const three = textOf(16, [1, 2, 3])
    const { said, rebuilding } = yield* after([1, 2, 3], corrupt, { committed: three, proposed: textOf(32, [1, 2]) })
    assert.match(said ?? "", /no majority that it could be rebuilt from in the configuration of 0x20: restore a backup/)
    assert.isFalse(rebuilding)
  })
)

it.effect("a reconfiguration that can do without it, or has been overtaken, is in nobody's way", () =>
  Effect.gen(function* () {
    const three = textOf(16, [1, 2, 3])
    for (const proposed of [textOf(32, [2, 3]), textOf(32, [1, 2, 3, 4, 5]), textOf(8, [1, 2])]) {
      assert.isTrue((yield* after([1, 2], corrupt, { committed: three, proposed })).rebuilding)
    }
  })
)
