import { readFileSync } from "node:fs"

/** Ticks per second of the times in /proc: 100 on every Linux that Node runs on. */
const TICKS = 100

/** CPU seconds that processes have taken so far; undefined where the system does not say (it is no Linux). */
export const cpuSecondsOf = (pids: ReadonlyArray<number>): number | undefined => {
  if (process.platform !== "linux") return undefined
  let ticks = 0
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name, in parentheses, may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS
}
