/** What becomes of a store that is corrupt: it is kept where an operator can look at it, and its peer begins anew. */
import pg from "pg"
import type { SetAside } from "../store.ts"
import { StoreError } from "../store.ts"
import { Connection, type PostgresOptions } from "./connection.ts"
import { lockAll } from "./open.ts"

/** The peer's other connections: whoever holds one has to read anew what there is. */
const DISCONNECT_OTHERS = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'zkmesh %'`
/** All that may be damaged, and all that means nothing without it. Moved by its catalogue entry, so no row is read. */
const TABLES = ["log_batch", "checkpoint", "znodes", "sessions"]
const VIEWS = ["log", "tree"]

/**
 * Moves log and checkpoint into a schema of their own and puts empty tables in their place, in one transaction. The epochs
 * that this peer has promised stay, or it could break its word, and with them the mark that it has lost its log.
 */
export const setAsidePostgres = async (options: PostgresOptions, request: SetAside): Promise<string> => {
  const connection = await Connection.open(options, "set aside")
  try {
    await connection.query(DISCONNECT_OTHERS)
    await lockAll(connection, options.lockWaitMs ?? 2000)
    const [promises] = await connection.query("SELECT accepted_epoch, current_epoch FROM epochs")
    const [configuration] = await connection.query("SELECT committed, proposed FROM configuration")
    const [committed, proposed] = [configuration?.[0] ?? undefined, configuration?.[1] ?? undefined]
    const refuse = (why: string) =>
      new StoreError({
        operation: "setAside",
        message: `${connection.target} is not set aside: ${why}`,
        fault: "corrupt"
      })
    if (promises === undefined)
      throw refuse("the table epochs has lost its row, and with it what this peer has promised")
    const objection = request.objection({ committed, proposed })
    if (objection !== undefined) throw refuse(objection)
    const schema = `set_aside_${new Date().toISOString().replace(/\D/g, "")}`
    await connection.transaction(() => moveTo(connection, schema, request.reason))
    return `schema ${schema} of ${connection.target}`
  } finally {
    await connection.close()
  }
}

const moveTo = async (connection: Connection, schema: string, reason: string): Promise<void> => {
  const run = (sql: string) => connection.run(sql)
  const views = new Map<string, string>()
  for (const view of VIEWS) views.set(view, String((await run(`SELECT pg_get_viewdef('${view}'::regclass)`))[0]?.[0]))
  await run(`CREATE SCHEMA ${schema}`)
  await run(`COMMENT ON SCHEMA ${schema} IS ${pg.escapeLiteral(reason)}`)
  await run(`CREATE TABLE ${schema}.epochs AS TABLE epochs`)
  await run(`CREATE TABLE ${schema}.configuration AS TABLE configuration`)
  for (const view of VIEWS) await run(`ALTER VIEW ${view} SET SCHEMA ${schema}`)
  for (const table of TABLES) {
    await run(`ALTER TABLE ${table} SET SCHEMA ${schema}`)
    await run(`CREATE TABLE ${table} (LIKE ${schema}.${table} INCLUDING ALL)`)
    await run(`COMMENT ON TABLE ${table} IS ${await commentOn(connection, `${schema}.${table}`)}`)
  }
  for (const [view, text] of views) {
    await run(`CREATE VIEW ${view} AS ${text}`)
    const comment = await commentOn(connection, `${schema}.${view}`)
    await run(`COMMENT ON VIEW ${view} IS ${comment}`)
  }
  await run("INSERT INTO checkpoint DEFAULT VALUES")
  await run("UPDATE epochs SET floor = 0, rebuilding = true")
  // It was in the log that is no more; that there is a row at all is a matter of the schema.
  await run("INSERT INTO configuration DEFAULT VALUES ON CONFLICT (id) DO UPDATE SET proposed = NULL")
}

const commentOn = async (connection: Connection, relation: string): Promise<string> => {
  const [row] = await connection.run(`SELECT obj_description('${relation}'::regclass, 'pg_class')`)
  const comment = row?.[0] ?? null
  return comment === null ? "NULL" : pg.escapeLiteral(comment)
}
