/** One connection to a peer's database: statements one after the other, COPY in both directions, errors that say where. */
import { Socket } from "node:net"
import { eagerSocket } from "@zkmesh/socket"
import pg from "pg"
import { StoreError } from "../store.ts"
import { CorruptCopy, RowReader } from "./binary.ts"
import { CopyIn, CopyOut, rawConnection } from "./copy.ts"
import { Execution } from "./execution.ts"
import { CorruptRow } from "./sums.ts"

export interface PostgresOptions {
  /** `postgresql://user:password@host:port/database`; a Unix socket as `postgresql:///database?host=/directory&user=…`. */
  readonly url: string
  /** How long to wait for an earlier holder of the peer's lock to go away: one that was killed is gone in milliseconds. */
  readonly lockWaitMs?: number
  readonly connectTimeoutMs?: number
  /** A statement that takes longer is a StoreError: a database that hangs must not make its peer hang with it. */
  readonly statementTimeoutMs?: number
  /** Takes a server that may lose what it has acknowledged (fsync = off). For experiments only. */
  readonly allowUnsafe?: boolean
}

const CLOSE_MS = 2000

/** A statement, prepared once per connection under its name. */
export interface Statement {
  readonly name: string
  readonly text: string
}

export type Row = ReadonlyArray<string | null>
type Value = string | number | boolean | Buffer | null

export class Connection {
  readonly target: string
  readonly client: pg.Client
  /** Resolves when the connection has ended by itself, with why. */
  readonly lost: Promise<StoreError>
  private readonly statementTimeoutMs: number
  /** Why it can no longer be used. */
  private failure: Error | undefined
  /** Resolves when all that was asked before is done: pg wants one statement at a time. */
  private idle: Promise<unknown> = Promise.resolve()
  /** How many have asked and are not done. */
  private holders = 0
  private executing = false
  private watchdog: NodeJS.Timeout | undefined

  private constructor(client: pg.Client, options: PostgresOptions) {
    this.client = client
    this.target = targetOf(client)
    this.statementTimeoutMs = options.statementTimeoutMs ?? 60_000
    this.lost = new Promise((resolve) => {
      client.on("error", (error) => {
        this.failure ??= error
        resolve(this.failed("connection", error))
      })
    })
  }

  /** Connects, creating the database if it does not exist yet. */
  static async open(options: PostgresOptions, role: string): Promise<Connection> {
    try {
      return await connect(options, role, undefined)
    } catch (error) {
      if (codeOf(error) !== "3D000") throw error
      await createDatabase(options)
      return await connect(options, role, undefined)
    }
  }

  static async openDatabase(options: PostgresOptions, role: string, database: string | undefined): Promise<Connection> {
    const connection = new Connection(clientOf(options, role, database), options)
    const { client, target } = connection
    try {
      await client.connect()
    } catch (cause) {
      throw storeError("connect", target, cause)
    }
    return connection
  }

  /** Rows as arrays of text. */
  query(statement: Statement | string, values: ReadonlyArray<Value> = []): Promise<ReadonlyArray<Row>> {
    return this.exclusively(() => this.run(statement, values))
  }

  /** A prepared statement without rows, by the shortest way. */
  execute(statement: Statement, values: ReadonlyArray<string | Buffer>): Promise<void> {
    const send = () => this.send(statement, values)
    return this.holders === 0 ? this.hold(send()) : this.exclusively(send)
  }

  private send(statement: Statement, values: ReadonlyArray<string | Buffer>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) {
        reject(this.failed(statement.name, this.failure))
        return
      }
      this.executing = true
      this.watchdog ??= setTimeout(() => {
        if (!this.executing) return
        this.failure ??= new Error("Query read timeout")
        rawConnection(this.client).stream.destroy()
      }, this.statementTimeoutMs).unref()
      // One timer for all of them: each begins its wait anew.
      this.watchdog.refresh()
      const done = (error: Error | undefined) => {
        this.executing = false
        if (error === undefined) resolve()
        else reject(this.failed(statement.name, error))
      }
      this.client.query(new Execution(statement, values, done) as unknown as pg.Submittable)
    })
  }

  /** `use` with the connection to itself: its statements reach it through the function that it is given. */
  exclusively<A>(use: () => Promise<A>): Promise<A> {
    return this.hold(this.idle.then(use))
  }

  /** The next one waits for the end of this one, however it comes; who asked gets the error. */
  private hold<A>(result: Promise<A>): Promise<A> {
    this.holders++
    const end = () => {
      this.holders--
    }
    this.idle = result.then(end, end)
    return result
  }

  /** Within `exclusively`. */
  async run(statement: Statement | string, values: ReadonlyArray<Value> = []): Promise<ReadonlyArray<Row>> {
    const named = typeof statement === "string" ? { text: statement } : statement
    const operation = typeof statement === "string" ? "query" : statement.name
    if (this.failure !== undefined) throw this.failed(operation, this.failure)
    const config: pg.QueryArrayConfig & { readonly query_timeout: number } = {
      ...named,
      values: values as Array<Value>,
      rowMode: "array",
      types: AS_TEXT,
      query_timeout: this.statementTimeoutMs
    }
    try {
      const result = await this.client.query<Array<string | null>>(config)
      return result.rows
    } catch (error) {
      throw this.failed(operation, error)
    }
  }

  /** All rows of a query, in binary: for what is large. `take` reads the `fields` fields of one row. */
  copyRows(query: string, fields: number, take: (row: RowReader) => void): Promise<void> {
    return this.exclusively(async () => {
      const rows = new RowReader()
      const copy = this.copyOut(`COPY (${query}) TO STDOUT (FORMAT binary)`, (message) => {
        rows.set(message)
        while (rows.next(fields)) take(rows)
      })
      const timer = setTimeout(() => {
        this.failure ??= new Error("Query read timeout")
        rawConnection(this.client).stream.destroy()
      }, this.statementTimeoutMs)
      try {
        await copy.done
      } finally {
        clearTimeout(timer)
      }
    })
  }

  /** A transaction with the connection to itself; rolled back if `use` fails. */
  transaction<A>(use: () => Promise<A>): Promise<A> {
    return this.exclusively(async () => {
      await this.run("BEGIN")
      try {
        const result = await use()
        await this.run("COMMIT")
        return result
      } catch (error) {
        if (this.failure === undefined) await this.run("ROLLBACK")
        throw error
      }
    })
  }

  /** Starts `COPY … TO STDOUT (FORMAT binary)`, which has the connection to itself until it is done. */
  copyOut(text: string, onMessage: (message: Buffer) => void): CopyOut {
    return this.started(new CopyOut(text, onMessage, (error) => this.failed("copy", error)))
  }

  /** Starts `COPY … FROM STDIN (FORMAT binary)`, which has the connection to itself until it is done. */
  copyIn(text: string): CopyIn {
    return this.started(new CopyIn(text, (error) => this.failed("copy", error)))
  }

  private started<C extends CopyIn | CopyOut>(copy: C): C {
    this.client.query(copy)
    return copy
  }

  /** Ends it, also in the middle of something. Bounded. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), CLOSE_MS)
    })
    const ended = this.client.end().catch((error: Error) => {
      this.failure ??= error
    })
    if ((await Promise.race([ended, late])) === "late") rawConnection(this.client).stream.destroy()
    clearTimeout(timer)
  }

  failed(operation: string, error: unknown): StoreError {
    if (error instanceof CorruptRow || error instanceof CorruptCopy) {
      return new StoreError({ operation, message: `${this.target}: ${error.message}`, fault: "corrupt", cause: error })
    }
    if (error instanceof StoreError || (codeOf(error) !== undefined && !isShutdown(error))) {
      return storeError(operation, this.target, error)
    }
    // Later errors only say that it is lost; what is worth knowing is how.
    if (error instanceof Error) this.failure ??= error
    const cause = this.failure ?? error
    return new StoreError({
      operation,
      message: `${this.target}: the connection is lost: ${messageOf(cause)}`,
      cause
    })
  }
}

/** 57P01…57P03: the server ends the connection with these words. */
const isShutdown = (error: unknown): boolean => codeOf(error)?.startsWith("57P0") === true

/** No parsing by pg: 64-bit numbers stay exact, and nothing becomes a Date. */
const AS_TEXT = { getTypeParser: () => (value: string) => value } as pg.CustomTypesConfig

const connect = async (options: PostgresOptions, role: string, database: string | undefined): Promise<Connection> => {
  const connection = await Connection.openDatabase(options, role, database)
  try {
    await connection.query(SESSION_SETTINGS)
  } catch (error) {
    await connection.close()
    throw error
  }
  return connection
}

/** What a role or a server may have set otherwise, and a connection of ours relies on. */
const SESSION_SETTINGS = [
  "SET statement_timeout = 0",
  "SET lock_timeout = '30s'",
  "SET idle_in_transaction_session_timeout = 0",
  "SET search_path = public",
  "SET bytea_output = 'hex'",
  "SET client_min_messages = warning",
  "SET tcp_keepalives_idle = 10",
  "SET tcp_keepalives_interval = 3",
  "SET tcp_keepalives_count = 3"
].join("; ")

const clientOf = (options: PostgresOptions, role: string, database: string | undefined): pg.Client => {
  const config: pg.ClientConfig = {
    connectionString: options.url,
    application_name: `zkmesh ${role}`,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    stream: socketOf
  }
  const client = new pg.Client(config)
  if (database === undefined) return client
  // What the URL says wins over every other setting, so the other database is asked for by its parts.
  const { host, port, user, password, ssl } = client
  return new pg.Client({
    ...config,
    connectionString: undefined,
    host,
    port,
    user: user ?? undefined,
    password: password ?? undefined,
    ssl,
    database
  })
}

/** What is encrypted is read by the TLS socket around it. */
const socketOf = (config?: { readonly ssl?: unknown }): Socket => (config?.ssl ? new Socket() : eagerSocket())

const createDatabase = async (options: PostgresOptions): Promise<void> => {
  const name = clientOf(options, "create", undefined).database
  if (name === undefined || name === null) throw storeError("connect", "", new Error("the URL names no database"))
  const admin = await Connection.openDatabase(options, "create", "postgres")
  try {
    await admin.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`)
  } catch (error) {
    // 42P04, or 23505 in a race: the peer's other service was quicker.
    const code = codeOf(error instanceof StoreError ? error.cause : error)
    if (code !== "42P04" && code !== "23505") throw error
  } finally {
    await admin.close()
  }
}

/** For messages: never the password. */
const targetOf = (client: pg.Client): string =>
  client.host.startsWith("/")
    ? `database ${client.database} at ${client.host}`
    : `database ${client.database} at ${client.host}:${client.port}`

/** The SQLSTATE of an error of the server; undefined for any other. */
export const codeOf = (error: unknown): string | undefined => {
  const cause = error instanceof StoreError ? error.cause : error
  return cause instanceof pg.DatabaseError ? cause.code : undefined
}

/** For people. */
const FAULTS = { corrupt: "its files are corrupt", full: "its disk is full" } as const

/** XX001 and XX002: Postgres's own checks of its pages and indexes; 53100: no room. */
const faultOf = (error: unknown): StoreError["fault"] => {
  const code = codeOf(error)
  if (code === "53100") return "full"
  return code === "XX001" || code === "XX002" ? "corrupt" : undefined
}

export const storeError = (operation: string, target: string, cause: unknown): StoreError => {
  if (cause instanceof StoreError) return cause
  const said = cause instanceof AggregateError ? cause.errors.map(String).join("; ") : messageOf(cause)
  const fault = faultOf(cause)
  const message = fault === undefined ? said : `${FAULTS[fault]}: ${said}`
  const where = target === "" ? message : `${target}: ${message}`
  return new StoreError({ operation, message: where, ...(fault === undefined ? {} : { fault }), cause })
}

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const { detail, hint } = cause instanceof pg.DatabaseError ? cause : { detail: undefined, hint: undefined }
  return [cause.message, detail, hint].filter((part) => part !== undefined && part !== "").join(": ")
}
