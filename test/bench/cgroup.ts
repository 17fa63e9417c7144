/** What the processes of a container have taken of the processors, all of them together, as the kernel counts it. */
import { readFileSync } from "node:fs"

const ROOT = "/sys/fs/cgroup"

/** The file that tells of the control group that a process is in. Throws where there are no control groups (it is no Linux). */
export function usageFileOf(pid: number): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, "latin1").trim().split("\n")
  for (const line of groups) {
    const [, controllers, path] = line.split(":")
    if (controllers!.split(",").includes("cpuacct")) return `${ROOT}/${controllers}${path}/cpuacct.usage`
  }
  const unified = groups.find((line) => line.startsWith("0::"))
  if (unified === undefined) throw new Error(`process ${pid} is in no control group that counts processor time`)
  return `${ROOT}${unified.slice(3)}/cpu.stat`
}

/** CPU seconds so far, from such a file. */
export function usageIn(file: string): number {
  const text = readFileSync(file, "latin1")
  const unified = /^usage_usec (\d+)$/m.exec(text)
  return unified === null ? Number(text) / 1e9 : Number(unified[1]) / 1e6
}
