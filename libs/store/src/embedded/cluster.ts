/** The directory of an embedded Postgres: whose it is, where its cluster lies, who has it open. */
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmod, chown, link, mkdir, readdir, realpath, rename, stat, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { StoreError } from "../store.ts"
import type { Account } from "./account.ts"
import { barrier } from "./account.ts"
import type { Binaries } from "./binaries.ts"
import { readIfThere, remove, syncDirectory, writeWhole } from "./files.ts"
import { isAlive, startTimeOf } from "./processes.ts"

const MARKER = "zkmesh-postgres.json"
const OWNER = "owner.json"
export const SUPERUSER = "zkmesh"

export interface Place {
  /** What the caller named; holds the marker and, normally, everything else. */
  readonly dir: string
  /** Holds the cluster, its log and its socket. */
  readonly location: string
}

const failed = (message: string, cause?: unknown) => new StoreError({ operation: "startEmbedded", message, cause })

/**
 * Takes `dir` for our own: an empty one is marked, a marked one is used, any other is refused. If the account of Postgres
 * cannot reach `dir` (say it lies below /root), the cluster lies below `sharedDir` and the marker says where: by an id and
 * not by path, so that a directory that is deleted and made again does not get the old data back.
 */
export const claim = async (dir: string, account: Account | undefined, sharedDir: string): Promise<Place> => {
  await mkdir(dir, { recursive: true })
  const real = await realpath(dir)
  const marker = await readIfThere(join(real, MARKER))
  if (marker !== undefined) {
    const { location } = parseMarker(real, marker)
    return { dir: real, location: location === "." ? real : location }
  }
  const entries = await readdir(real)
  if (entries.length > 0) {
    throw failed(`${real} is not empty and was not made by zkmesh (it lacks ${MARKER}): choose another directory`)
  }
  const id = randomBytes(8).toString("hex")
  const location = (await barrier(real, account)) === undefined ? "." : join(sharedDir, id)
  if (location !== ".") {
    await mkdir(location, { recursive: true })
    await chmod(sharedDir, 0o755)
    await chmod(location, 0o755)
  }
  const about = "An embedded Postgres of zkmesh. Its cluster is at `location`, relative to this file."
  await writeWhole(join(real, MARKER), `${JSON.stringify({ about, id, location }, undefined, 2)}\n`)
  return { dir: real, location: location === "." ? real : location }
}

/** Where the cluster of a directory lies that has been claimed; undefined if it has not. */
export const locate = async (real: string): Promise<string | undefined> => {
  const marker = await readIfThere(join(real, MARKER))
  if (marker === undefined) return undefined
  const { location } = parseMarker(real, marker)
  return location === "." ? real : location
}

const parseMarker = (dir: string, text: string): { readonly location: string } => {
  try {
    const marker: unknown = JSON.parse(text)
    if (typeof marker === "object" && marker !== null && "location" in marker && typeof marker.location === "string") {
      return { location: marker.location }
    }
  } catch (cause) {
    throw failed(`${join(dir, MARKER)} is not readable`, cause)
  }
  throw failed(`${join(dir, MARKER)} does not say where the cluster is`)
}

/** Directories that this very process has open. */
const open = new Set<string>()

/** Refuses a directory that a living process has open; else it is ours until `release`. */
export const own = async (dir: string): Promise<void> => {
  const path = join(dir, OWNER)
  const record = JSON.stringify({ pid: process.pid, startTime: await startTimeOf(process.pid) })
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`
  await writeFile(temporary, `${record}\n`)
  try {
    for (let attempt = 0; ; attempt++) {
      const exists = await link(temporary, path).then(
        () => false,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return true
          throw error
        }
      )
      if (!exists) break
      const owner = await livingOwner(dir, path)
      if (owner !== undefined || attempt > 3) throw failed(`${dir} is in use by process ${owner ?? "unknown"}`)
      await remove(path)
    }
    open.add(dir)
  } finally {
    await unlink(temporary)
  }
}

export const release = async (dir: string): Promise<void> => {
  open.delete(dir)
  await remove(join(dir, OWNER))
}

const OWNER_RECORD = /^\{"pid":(\d+)(,"startTime":"(\d+)")?\}$/m

const livingOwner = async (dir: string, path: string): Promise<number | undefined> => {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  const [, digits, , startTime] = OWNER_RECORD.exec(text) ?? []
  // Cut short by a loss of power: nobody who lives.
  if (digits === undefined) return undefined
  const pid = Number(digits)
  // A container's first process always has the same pid, so one's own says nothing.
  if (pid === process.pid) return open.has(dir) ? pid : undefined
  return isAlive(pid) && (await startTimeOf(pid)) === startTime ? pid : undefined
}

/** The data directory, made by initdb if it is not there yet: whole or not at all. */
export const ensureCluster = async (
  { location }: Place,
  account: Account | undefined,
  binaries: Binaries
): Promise<string> => {
  const cluster = join(location, "cluster")
  const version = (await readIfThere(join(cluster, "PG_VERSION")))?.trim()
  if (version === undefined) {
    const fresh = `${cluster}.new`
    await remove(fresh)
    await mkdir(fresh, { mode: 0o700 })
    if (account !== undefined) await chown(fresh, account.uid, account.gid)
    await initdb(binaries, account, fresh)
    await rename(fresh, cluster)
    await syncDirectory(location)
    return cluster
  }
  if (version !== binaries.major) {
    throw failed(
      `${cluster} was made by Postgres ${version}, the programs are of Postgres ${binaries.major}: dump and restore it`
    )
  }
  const { uid } = await stat(cluster)
  const mine = account?.uid ?? process.getuid?.()
  if (uid !== mine) {
    throw failed(
      `${cluster} belongs to uid ${uid}, Postgres would run as uid ${mine}: start as you did when it was made`
    )
  }
  return cluster
}

const initdb = async (binaries: Binaries, account: Account | undefined, directory: string): Promise<void> => {
  const args = ["-D", directory, "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--auth=trust", "--no-instructions"]
  await promisify(execFile)(binaries.initdb, args, { ...credentials(account), cwd: "/", env: ENVIRONMENT }).catch(
    (cause: Error & { stderr?: string }) => {
      throw failed(`initdb failed: ${cause.stderr?.trim() ?? cause.message}`, cause)
    }
  )
}

/** For child_process: whom a child runs as. */
export const credentials = (account: Account | undefined): { uid?: number; gid?: number } =>
  account === undefined ? {} : { uid: account.uid, gid: account.gid }

/** Nothing of ours leaks in: PGDATA, PGPORT and the like would change what the server does. */
export const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }
