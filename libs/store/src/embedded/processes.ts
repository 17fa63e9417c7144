/** What one has to know about processes that are not one's children. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { readdir, readlink } from "node:fs/promises"
import { promisify } from "node:util"
import { readIfThere } from "./files.ts"

const POLL_MS = 10

export const isAlive = (pid: number): boolean => isTaken(pid) && !isZombie(pid)

/** True if a process bears this number, even one that has ended and was not collected: what Postgres takes for alive. */
export const isTaken = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false
    // EPERM: it is there, but somebody else's.
    if ((error as NodeJS.ErrnoException).code === "EPERM") return true
    throw error
  }
}

/** Ended, but not yet collected by its parent: in a container that has no init it stays so for ever. */
const isZombie = (pid: number): boolean => {
  if (process.platform !== "linux") return false
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8")
    return line.slice(line.lastIndexOf(")") + 2).startsWith("Z")
  } catch (error) {
    // It has been collected meanwhile.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH")
      return true
    throw error
  }
}

/** Tells a process from a later one with the same pid. Undefined where the platform does not say. */
export const startTimeOf = async (pid: number): Promise<string | undefined> => {
  if (process.platform !== "linux") return undefined
  const line = await readIfThere(`/proc/${pid}/stat`)
  // The command's name may hold blanks and brackets; the start time is the 20th field after it.
  return line?.slice(line.lastIndexOf(")") + 2).split(" ")[19]
}

/** True if `pid` is a Postgres process whose data directory is `directory`: it makes that its working directory. */
export const isPostmasterOf = async (pid: number, directory: string): Promise<boolean> => {
  if (!isAlive(pid)) return false
  if (process.platform === "linux") {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch((error: NodeJS.ErrnoException) => {
      // ENOENT: it has ended meanwhile. EACCES: another account's, so not ours.
      if (error.code === "ENOENT" || error.code === "ESRCH" || error.code === "EACCES") return undefined
      throw error
    })
    return cwd === directory
  }
  const { stdout } = await promisify(execFile)("ps", ["-o", "command=", "-p", String(pid)])
  return stdout.includes(directory)
}

/** Waits for the end of a process that is not a child; false if it outlives `limitMs`. */
export const waitForEnd = async (pid: number, limitMs: number): Promise<boolean> => {
  const limit = performance.now() + limitMs
  while (isAlive(pid)) {
    if (performance.now() > limit) return false
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return true
}

/** Every process whose working directory is `directory`; undefined where the platform does not say. */
export const processesIn = async (directory: string): Promise<ReadonlyArray<number> | undefined> => {
  if (process.platform !== "linux") return undefined
  const pids = (await readdir("/proc")).map(Number).filter((pid) => Number.isSafeInteger(pid) && pid > 0)
  const inside = await Promise.all(pids.map((pid) => isPostmasterOf(pid, directory)))
  return pids.filter((_, index) => inside[index])
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** True if `event` comes within `ms`. Leaves no timer behind. */
export const within = async (event: Promise<unknown>, ms: number): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([event.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
