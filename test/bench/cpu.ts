import { existsSync, readdirSync, readFileSync } from "node:fs"

/** Ticks per second of the times in /proc: 100 on every Linux that Node runs on. */
const TICKS = 100
const NS = 1e9

/** CPU seconds that processes have taken so far; undefined where the system does not say (it is no Linux). */
export const cpuSecondsOf = (pids: ReadonlyArray<number>): number | undefined => {
  if (process.platform !== "linux") return undefined
  return pids.reduce((sum, pid) => sum + (scheduled(pid) ?? ticked(pid)), 0)
}

/** To the nanosecond, from what the scheduler says of each thread; undefined if the kernel keeps no such account. */
const scheduled = (pid: number): number | undefined => {
  if (!existsSync(`/proc/${pid}/schedstat`)) return undefined
  let nanoseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0])
  }
  return nanoseconds / NS
}

/** To the hundredth of a second. */
const ticked = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
