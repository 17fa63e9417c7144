/** A Postgres for the tests of one file. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import pg from "pg"
import { type EmbeddedPostgres, type PostgresOptions, startEmbedded } from "../src/index.ts"

/** Started before the file's tests and stopped after them. */
export const testServer = (settings: Readonly<Record<string, string>> = {}) => {
  const root = mkdtempSync(join(tmpdir(), "zkmesh-store-"))
  chmodSync(root, 0o755)
  const scope = Scope.makeUnsafe()
  let server: EmbeddedPostgres | undefined
  let databases = 0
  const running = () => {
    if (server === undefined) throw new Error("the server has not started")
    return server
  }
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(startEmbedded({ dir: join(root, "pg"), settings }), scope))
  }, 60_000)
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(root, { recursive: true, force: true })
  }, 60_000)
  return {
    running,
    /** For a database that nobody has used. */
    options: (): PostgresOptions => ({ url: running().url(`peer_${databases++}`), lockWaitMs: 100 })
  }
}

/** Rows of a statement over a connection of its own. */
export const query = (url: string, text: string, values: ReadonlyArray<unknown> = []) =>
  Effect.promise(async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows as Array<Record<string, unknown>>
    } finally {
      await client.end()
    }
  })
