import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type EmbeddedPostgres, type PostgresOptions, postgresLayer, startEmbedded } from "../src/index.ts"
import { snapshotSuite } from "./snapshots.ts"
import { storeSuite } from "./suite.ts"

const root = mkdtempSync(join(tmpdir(), "zkmesh-store-"))
chmodSync(root, 0o755)
const scope = Scope.makeUnsafe()
let server: EmbeddedPostgres
let databases = 0

beforeAll(async () => {
  server = await Effect.runPromise(Scope.provide(startEmbedded({ dir: join(root, "pg") }), scope))
})
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(root, { recursive: true, force: true })
})

const fresh = () =>
  Effect.sync(() => {
    const options: PostgresOptions = { url: server.url(`peer_${databases++}`), lockWaitMs: 100 }
    return () => postgresLayer(options)
  })

storeSuite("postgres", fresh)
snapshotSuite("postgres", fresh, 50_000)

it.live("placeholder", () => Effect.sync(() => assert.isTrue(true)))
