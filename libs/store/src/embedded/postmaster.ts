/** The server's process: started, awaited, stopped; and not left behind when this process is killed. */
import { type ChildProcess, spawn } from "node:child_process"
import { chmod, chown, mkdir, mkdtemp, open, readFile, rename, stat } from "node:fs/promises"
import { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { StoreError } from "../store.ts"
import type { Account } from "./account.ts"
import type { Binaries } from "./binaries.ts"
import { credentials, ENVIRONMENT } from "./cluster.ts"
import { readIfThere, remove } from "./files.ts"
import { isPostmasterOf, isTaken, pause, processesIn, waitForEnd, within } from "./processes.ts"

/** Part of the socket's file name; nothing listens on TCP. */
export const PORT = 5432
/** The kernel takes 107 bytes of a socket's path. */
const SOCKET_DIR_LIMIT = 107 - `/.s.PGSQL.${PORT}.lock`.length
const LOG_LIMIT = 16 * 1024 * 1024
const STOP_MS = 5000
const POLL_MS = 5

/**
 * For a log that a few peers append to: every acknowledged commit on disk, little memory, few processes, WAL segments
 * that are used again instead of made anew.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "",
  unix_socket_permissions: "0700",
  max_connections: "100",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  shared_buffers: "64MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  wal_buffers: "4MB",
  min_wal_size: "256MB",
  max_wal_size: "1GB",
  checkpoint_timeout: "10min",
  autovacuum_max_workers: "2",
  max_parallel_workers_per_gather: "0",
  jit: "off",
  // After a crash one call instead of an fsync for each of a thousand files.
  ...(process.platform === "linux" ? { recovery_init_sync_method: "syncfs" } : {}),
  log_checkpoints: "off",
  log_timezone: "UTC"
}

export interface PostmasterOptions {
  readonly binaries: Binaries
  readonly account: Account | undefined
  readonly cluster: string
  readonly location: string
  readonly settings: Readonly<Record<string, string>>
  readonly startTimeoutMs: number
}

const failed = (message: string, cause?: unknown) => new StoreError({ operation: "startEmbedded", message, cause })

/** A directory for the socket that only Postgres's account and root may enter; a temporary one if the path is too long. */
export const socketDirectory = async (location: string, account: Account | undefined): Promise<string> => {
  const own = join(location, "run")
  const short = Buffer.byteLength(own) <= SOCKET_DIR_LIMIT
  const directory = short ? own : await mkdtemp(join(tmpdir(), "zkmesh-"))
  if (short) await mkdir(own, { recursive: true })
  await chmod(directory, 0o700)
  if (account !== undefined) await chown(directory, account.uid, account.gid)
  return directory
}

/**
 * Stops a postmaster that an earlier owner has left running in `location`. It is not taken over: its watchdog may be about
 * to stop it, and it is not our child, so its end would go unnoticed.
 */
export const stopLeftover = async (location: string, cluster: string): Promise<number | undefined> => {
  let stopped: number | undefined
  // Its locks on the cluster and on the socket: either one alone would refuse the next.
  for (const lock of [join(cluster, "postmaster.pid"), join(location, "run", `.s.PGSQL.${PORT}.lock`)]) {
    const pid = Number((await readIfThere(lock))?.split("\n")[0])
    if (!Number.isSafeInteger(pid) || pid <= 0) continue
    if (await isPostmasterOf(pid, cluster)) {
      await end(pid, cluster)
      stopped = pid
    }
    // By the lock of one that is dead and gone Postgres knows the shared memory that orphaned backends may still use.
    if (isTaken(pid)) await forget(lock, pid, cluster)
  }
  return stopped
}

const end = async (pid: number, cluster: string): Promise<void> => {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
    }
    if (await waitForEnd(pid, STOP_MS)) return
  }
  throw failed(`the postmaster ${pid}, left running on ${cluster}, does not stop`)
}

/**
 * Postgres would take whatever bears the dead one's number for the owner: another program by now, or the dead one itself
 * that nobody has collected yet. Its backends end by themselves as soon as they see that it has gone.
 */
const forget = async (lock: string, pid: number, cluster: string): Promise<void> => {
  const limit = performance.now() + STOP_MS
  for (;;) {
    const users = await processesIn(cluster)
    if (users?.length === 0) return remove(lock)
    if (users === undefined || performance.now() > limit) {
      const why = users === undefined ? `${pid} seems to be another program` : `${users.join(", ")} still run on it`
      throw failed(`${lock} names process ${pid}, but ${why}: if no Postgres uses ${cluster}, delete the file`)
    }
    await pause(POLL_MS)
  }
}

export class Postmaster {
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<string>
  readonly pid: number
  private readonly child: ChildProcess
  private readonly watchdog: ChildProcess
  private running = true

  private constructor(child: ChildProcess, pid: number, account: Account | undefined) {
    this.child = child
    this.pid = pid
    this.watchdog = watch(pid, account)
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.running = false
        // A pid that is free again must not be killed.
        this.watchdog.stdin?.end("done\n")
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`)
      })
    })
  }

  /** Returns once it accepts connections. Tries again while the processes of a killed postmaster are still ending. */
  static async start(options: PostmasterOptions, socketDir: string): Promise<Postmaster> {
    const limit = performance.now() + options.startTimeoutMs
    for (let wait = 20; ; wait *= 2) {
      const result = await launch(options, socketDir, limit)
      if (typeof result !== "string") return new Postmaster(result.child, result.pid, options.account)
      const passing = /pre-existing shared memory block/.test(result)
      if (!passing || performance.now() > limit) throw failed(`Postgres does not start: ${result}`)
      await pause(wait)
    }
  }

  /** A fast shutdown, and ever harder ones if it takes too long: bounded, and safe for what was acknowledged. */
  async stop(): Promise<void> {
    for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
      if (!this.running) return
      this.child.kill(signal)
      if (await within(this.ended, STOP_MS)) return
    }
  }
}

/** A shell that reads from a pipe which ends with this process, and then stops the postmaster. */
const watch = (pid: number, account: Account | undefined): ChildProcess => {
  const script = 'read -r line || kill -INT "$1" 2>/dev/null'
  const watchdog = spawn("/bin/sh", ["-c", script, "zkmesh-postgres-watchdog", String(pid)], {
    ...credentials(account),
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true
  })
  // Without a shell there is no watchdog: then the next start stops what was left behind.
  watchdog.on("error", (error) => process.emitWarning(`no watchdog for the embedded Postgres: ${error.message}`))
  watchdog.stdin?.on("error", (error) => process.emitWarning(`the watchdog has gone: ${error.message}`))
  watchdog.unref()
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref()
  return watchdog
}

/** The child once it is ready, or what it said before it ended. */
const launch = async (
  { binaries, account, cluster, location, settings }: PostmasterOptions,
  socketDir: string,
  limit: number
): Promise<{ readonly child: ChildProcess; readonly pid: number } | string> => {
  const logPath = join(location, "postgres.log")
  await rotate(logPath)
  const log = await open(logPath, "a")
  const { size } = await log.stat()
  const flags = Object.entries({ ...SETTINGS, ...settings, unix_socket_directories: socketDir, port: String(PORT) })
  const child = spawn(
    binaries.postgres,
    ["-D", cluster, ...flags.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    {
      ...credentials(account),
      cwd: "/",
      env: ENVIRONMENT,
      stdio: ["ignore", log.fd, log.fd],
      // Its own session: a Ctrl-C for this process must not stop the database before the peers have stopped.
      detached: true
    }
  )
  const gone = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message))
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  await log.close()
  const ended = gone.then((how) => ({ how }))
  for (;;) {
    const outcome = await Promise.race([ended, pause(POLL_MS)])
    if (outcome !== undefined) {
      const said = (await readFile(logPath)).subarray(size).toString().trim()
      return `${outcome.how}${said === "" ? "" : `\n${said}`}`
    }
    if (child.pid !== undefined && (await isReady(cluster, child.pid))) return { child, pid: child.pid }
    if (performance.now() > limit) {
      child.kill("SIGQUIT")
      await gone
      return "it took too long (see postgres.log)"
    }
  }
}

/** postmaster.pid: the pid in line 1, the state in line 8. */
const isReady = async (cluster: string, pid: number): Promise<boolean> => {
  const lines = (await readIfThere(join(cluster, "postmaster.pid")))?.split("\n")
  return lines?.[0] === String(pid) && lines[7]?.trim() === "ready"
}

const rotate = async (path: string): Promise<void> => {
  const size = await stat(path).then(
    (found) => found.size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return 0
      throw error
    }
  )
  if (size > LOG_LIMIT) await rename(path, `${path}.1`)
}
