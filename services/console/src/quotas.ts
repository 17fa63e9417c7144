import { ErrorCode, type ZkClient, ZkError } from "@zkmesh/client"
import type { Command } from "./command.ts"
import { childPath } from "./tree.ts"
import { type Parsed, UsageError } from "./words.ts"

const ROOT = "/zookeeper/quota"
const LIMITS = "zookeeper_limits"
const STATS = "zookeeper_stats"

/** A limit or a count, as ZooKeeper stores it in the quota tree; -1 is no limit. */
interface Track {
  count: number
  bytes: number
  countHardLimit: number
  byteHardLimit: number
}
type Limit = keyof Track

const LETTERS: ReadonlyArray<readonly [letter: string, limit: Limit, what: string]> = [
  ["n", "count", "num"],
  ["b", "bytes", "bytes"],
  ["N", "countHardLimit", "num"],
  ["B", "byteHardLimit", "bytes"]
]

const parseTrack = (data: Buffer | null): Track => {
  const track: Track = { count: -1, bytes: -1, countHardLimit: -1, byteHardLimit: -1 }
  for (const part of (data ?? "").toString().split(/[,;]/)) {
    const [name = "", value = ""] = part.split("=")
    if (name in track) track[name as Limit] = Number(value)
  }
  return track
}

/** Its two old fields first, the others behind a separator that old servers ignore. */
const formatTrack = ({ count, bytes, countHardLimit, byteHardLimit }: Track): string =>
  `count=${count},bytes=${bytes}=;byteHardLimit=${byteHardLimit};countHardLimit=${countHardLimit}`

const ifThere = async <A>(read: Promise<A>): Promise<A | undefined> => {
  try {
    return await read
  } catch (error) {
    if (error instanceof ZkError && error.code === ErrorCode.NONODE) return undefined
    throw error
  }
}

const quotaPath = (path: string): string => (path === "/" ? ROOT : ROOT + path)

/** Of nested quotas only one would be kept: those above and below are refused. */
const refuseNested = async (client: ZkClient, path: string): Promise<void> => {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const above = path.slice(0, at)
    if ((await client.exists(`${ROOT}${above}/${LIMITS}`)) !== undefined) {
      throw new UsageError(`${path} has a parent ${above} which has a quota`)
    }
  }
  await refuseBelow(client, path, path)
}

const refuseBelow = async (client: ZkClient, path: string, at: string): Promise<void> => {
  for (const name of (await ifThere(client.getChildren(quotaPath(at)))) ?? []) {
    if (name === STATS) continue
    if (name !== LIMITS) await refuseBelow(client, path, childPath(at, name))
    else if (at !== path) throw new UsageError(`${path} has child ${at} which has a quota`)
  }
}

const makeIfMissing = async (client: ZkClient, path: string, data: string | null): Promise<boolean> => {
  try {
    await client.create(path, data)
    return true
  } catch (error) {
    if (error instanceof ZkError && error.code === ErrorCode.NODEEXISTS) return false
    throw error
  }
}

/** Sets one limit and leaves the others; returns all limits that are in force then. */
const setLimit = async (client: ZkClient, path: string, limit: Limit, value: number): Promise<Track> => {
  if ((await client.exists(path)) === undefined) throw new UsageError(`${path} does not exist.`)
  await refuseNested(client, path)
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) {
    await makeIfMissing(client, ROOT + path.slice(0, at), null)
  }
  if (path !== "/") await makeIfMissing(client, ROOT + path, null)
  const limits = `${quotaPath(path)}/${LIMITS}`
  const wanted: Track = { count: -1, bytes: -1, countHardLimit: -1, byteHardLimit: -1, [limit]: value }
  if (await makeIfMissing(client, limits, formatTrack(wanted))) {
    await makeIfMissing(client, `${quotaPath(path)}/${STATS}`, "count=0,bytes=0")
    return wanted
  }
  const { data, stat } = await client.getData(limits)
  const changed = { ...parseTrack(data), [limit]: value }
  await client.setData(limits, formatTrack(changed), stat.version)
  return changed
}

const isBelow = (soft: number, hard: number, used: number): boolean =>
  (soft > -1 && soft < used) || (hard > -1 && hard < used)

/** What is over its limits from the start. */
const warnings = async (client: ZkClient, path: string, limits: Track): Promise<ReadonlyArray<string>> => {
  const stats = await ifThere(client.getData(`${quotaPath(path)}/${STATS}`))
  const used = parseTrack(stats?.data ?? null)
  const warned: Array<string> = []
  for (const [what, soft, hard, existing] of [
    ["count", limits.count, limits.countHardLimit, used.count],
    ["bytes", limits.bytes, limits.byteHardLimit, used.bytes]
  ] as const) {
    if (!isBelow(soft, hard, existing)) continue
    warned.push(`[Warning]: the ${what} quota you create is less than the existing ${what}:${existing}`)
  }
  return warned
}

const chosen = (parsed: Parsed) => LETTERS.filter(([letter]) => parsed.value(letter) !== undefined)

const setquota: Command = {
  name: "setquota",
  usage: "-n|-b|-N|-B val path",
  options: { values: ["n", "b", "N", "B"] },
  args: [1, 1],
  run: async ({ client, print }, parsed) => {
    const path = parsed.args[0]!
    const [one, another] = chosen(parsed)
    if (one === undefined || another !== undefined) throw new UsageError("exactly one of -n, -b, -N and -B is wanted")
    if (path.startsWith(ROOT)) throw new UsageError(`cannot set a quota under the path: ${ROOT}`)
    const [letter, limit, what] = one
    const value = parsed.integer(letter, "NumberFormatException happens when parsing the option value")!
    if (what === "num" && value <= 0) throw new UsageError("the num quota must be greater than zero")
    if (value < 0) throw new UsageError("the bytes quota must be greater than or equal to zero")
    const limits = await setLimit(client, path, limit, value)
    for (const warning of await warnings(client, path, limits)) print(warning)
  }
}

const listquota: Command = {
  name: "listquota",
  usage: "path",
  args: [1, 1],
  run: async ({ client, print, note }, parsed) => {
    const path = parsed.args[0]!
    const limits = `${quotaPath(path)}/${LIMITS}`
    note(`absolute path is ${limits}`)
    const limit = await ifThere(client.getData(limits))
    if (limit === undefined) {
      note(`quota for ${path} does not exist.`)
      return
    }
    print(`Output quota for ${path} ${String(limit.data)}`)
    const stats = await ifThere(client.getData(`${quotaPath(path)}/${STATS}`))
    if (stats !== undefined) print(`Output stat for ${path} ${String(stats.data)}`)
  }
}

/** The branch of the quota tree that holds nothing any more, from its leaf up. */
const prune = async (client: ZkClient, path: string): Promise<void> => {
  for (let at = path; at !== ROOT; at = at.slice(0, at.lastIndexOf("/"))) {
    try {
      await client.delete(at)
    } catch (error) {
      if (error instanceof ZkError && error.code === ErrorCode.NOTEMPTY) return
      throw error
    }
  }
}

const delquota: Command = {
  name: "delquota",
  usage: "[-n|-b|-N|-B] path",
  options: { flags: ["n", "b", "N", "B"] },
  args: [1, 1],
  run: async ({ client, print }, parsed) => {
    const path = parsed.args[0]!
    const limits = `${quotaPath(path)}/${LIMITS}`
    const found = await ifThere(client.getData(limits))
    if (found === undefined) {
      print(`Quota does not exist for ${path}`)
      return
    }
    const given = LETTERS.filter(([letter]) => parsed.has(letter))
    if (given.length > 1) throw new UsageError("at most one of -n, -b, -N and -B is wanted")
    if (given[0] !== undefined) {
      const left = { ...parseTrack(found.data), [given[0][1]]: -1 }
      await client.setData(limits, formatTrack(left), found.stat.version)
      return
    }
    await client.delete(limits)
    await ifThere(client.delete(`${quotaPath(path)}/${STATS}`))
    await prune(client, quotaPath(path))
  }
}

/** Commands about the quota tree. */
export const quotas: ReadonlyArray<Command> = [delquota, listquota, setquota]
