/** What has to be so before a service may use its peer's database: the lock, the schema, a server that keeps its word. */
import { fileURLToPath } from "node:url"
import { StoreError } from "../store.ts"
import type { PostgresOptions } from "./connection.ts"
import { Connection, storeError } from "./connection.ts"

/** The first half of our advisory locks' keys: "zkms". */
const LOCK_CLASS = 0x7a6b6d73
const LOCK = { log: 1, tree: 2, migration: 3 } as const
const MIGRATIONS = fileURLToPath(new URL("../../migrations", import.meta.url))
const RETRY_MS = 20

/** A connection that holds the lock of one of the peer's services, to a database that is ready for use. */
export const openLocked = async (options: PostgresOptions, role: "log" | "tree"): Promise<Connection> => {
  const connection = await Connection.open(options, role)
  try {
    await checkServer(connection, options)
    await lock(connection, role, options.lockWaitMs ?? 2000)
    await migrate(connection)
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** An acknowledged write has to survive a loss of power. */
const checkServer = async (connection: Connection, options: PostgresOptions): Promise<void> => {
  const names = ["synchronous_commit", "fsync", "full_page_writes", "server_encoding"]
  const [row] = await connection.query(`SELECT ${names.map((name) => `current_setting('${name}')`).join(", ")}`)
  const [synchronousCommit, fsync, fullPageWrites, encoding] = row ?? []
  if (encoding !== "UTF8") {
    throw new StoreError({ operation: "open", message: `${connection.target}: its encoding is ${encoding}, not UTF8` })
  }
  // Anything but off waits for this server's own disk at least; a stronger setting is left as it is.
  if (synchronousCommit === "off") await connection.query("SET synchronous_commit = on")
  const unsafe = [fsync === "off" ? "fsync" : "", fullPageWrites === "off" ? "full_page_writes" : ""].filter(Boolean)
  if (unsafe.length > 0 && options.allowUnsafe !== true) {
    const message = `${connection.target}: the server has ${unsafe.join(" and ")} off, so it may lose acknowledged writes`
    throw new StoreError({ operation: "open", message })
  }
}

/** The locks of all of the peer's services: for as long as the connection lives none of them runs. */
export const lockAll = async (connection: Connection, waitMs: number): Promise<void> => {
  await lock(connection, "log", waitMs)
  await lock(connection, "tree", waitMs)
}

const lock = async (connection: Connection, role: "log" | "tree", waitMs: number): Promise<void> => {
  const limit = performance.now() + waitMs
  const attempt = `SELECT pg_try_advisory_lock(${LOCK_CLASS}, ${LOCK[role]})`
  while ((await connection.query(attempt))[0]?.[0] !== "t") {
    if (performance.now() > limit) {
      const [holder] = await connection.query(
        `SELECT activity.pid, activity.application_name, activity.client_addr, activity.backend_start::timestamptz(0)
         FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
         WHERE held.locktype = 'advisory' AND held.granted AND held.classid = ${LOCK_CLASS} AND held.objid = ${LOCK[role]}
           AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())`
      )
      const who =
        holder === undefined
          ? "another process"
          : `"${holder[1]}" (backend ${holder[0]}, from ${holder[2] ?? "this machine"}, since ${holder[3]})`
      const message = `${connection.target} is in use: ${who} holds the lock of its ${role}; one peer, one database`
      throw new StoreError({ operation: "open", message })
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** Brings the schema up to date; the peer's services may come at the same time. */
const migrate = async (connection: Connection): Promise<void> => {
  const { entries } = await journal()
  const newest = entries.at(-1)
  if ((await latestMigration(connection)) === newest?.when) return
  await connection.query(`SELECT pg_advisory_lock(${LOCK_CLASS}, ${LOCK.migration})`)
  try {
    const latest = await latestMigration(connection)
    if (latest !== undefined && newest !== undefined && latest > newest.when) {
      const message = `${connection.target} has the schema of a newer zkmesh: start that one`
      throw new StoreError({ operation: "migrate", message })
    }
    // Loaded only when there is something to migrate: it costs a service a third of its start-up.
    const [{ drizzle }, migrator] = await Promise.all([
      import("drizzle-orm/node-postgres"),
      import("drizzle-orm/node-postgres/migrator")
    ])
    await connection.exclusively(async () => {
      try {
        await migrator.migrate(drizzle(connection.client), { migrationsFolder: MIGRATIONS })
      } catch (error) {
        throw storeError("migrate", connection.target, error instanceof Error ? (error.cause ?? error) : error)
      }
    })
  } finally {
    await connection.query(`SELECT pg_advisory_unlock(${LOCK_CLASS}, ${LOCK.migration})`)
  }
}

const journal = async (): Promise<{ readonly entries: ReadonlyArray<{ readonly when: number }> }> => {
  const { default: found } = await import("../../migrations/meta/_journal.json", { with: { type: "json" } })
  return found
}

/** When the newest migration that the database has was written; undefined if it has none. */
const latestMigration = async (connection: Connection): Promise<number | undefined> => {
  const [table] = await connection.query("SELECT to_regclass('drizzle.__drizzle_migrations')")
  if (table === undefined || table[0] === null) return undefined
  const [row] = await connection.query("SELECT max(created_at) FROM drizzle.__drizzle_migrations")
  return row === undefined || row[0] === null ? undefined : Number(row[0])
}
