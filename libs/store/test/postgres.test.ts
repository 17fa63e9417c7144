import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogStore, postgresLayer } from "../src/index.ts"
import { configurationSuite } from "./configuration.ts"
import { testServer } from "./server.ts"
import { snapshotSuite } from "./snapshots.ts"
import { life, refusal, storeSuite } from "./suite.ts"

// The suite makes many databases: it need not wait for each of them to reach the disk.
const server = testServer({ fsync: "off" })
const fresh = () =>
  Effect.sync(() => {
    const options = { ...server.options(), allowUnsafe: true }
    return () => postgresLayer(options)
  })

storeSuite("postgres", fresh)
snapshotSuite("postgres", fresh, 50_000)
configurationSuite("postgres", fresh)

it.live("refuses a server that may lose what it acknowledges", () =>
  Effect.gen(function* () {
    const open = Effect.flatMap(LogStore, (log) => log.open)
    const refused = yield* refusal(life(postgresLayer(server.options()), open))
    assert.match(refused, /the server has fsync off, so it may lose acknowledged writes/)
  })
)
