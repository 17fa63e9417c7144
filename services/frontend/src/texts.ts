/** What the four-letter words print, byte for byte as ZooKeeper does: monitors and scripts parse it. */
import { arch, freemem, hostname, type as osType, release, tmpdir, totalmem, userInfo } from "node:os"
import type { Stats } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Client } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"
import { VERSION } from "./operator/serverTexts.ts"
import { shortName } from "./requests.ts"

const number = (stats: Stats, key: string, otherwise = 0): number => {
  const value = stats[key]
  return typeof value === "number" ? value : otherwise
}
const text = (stats: Stats, key: string): string | undefined => {
  const value = stats[key]
  return typeof value === "string" ? value : undefined
}
const list = (stats: Stats, key: string): ReadonlyArray<Stats> => {
  const value = stats[key]
  return Array.isArray(value) ? (value as ReadonlyArray<Stats>) : []
}
const words = (stats: Stats, key: string): ReadonlyArray<string> => {
  const value = stats[key]
  return Array.isArray(value) ? (value as ReadonlyArray<string>) : []
}

/** `/127.0.0.1:52330` or `/[0:0:0:0:0:0:0:1]:52330` */
export const addressOf = (client: Client): string => {
  const { address, port } = client
  return address.includes(":") ? `/[${fullIpv6(address)}]:${port}` : `/${address}:${port}`
}

/** Java writes every group of an IPv6 address. */
const fullIpv6 = (address: string): string => {
  const [plain] = address.split("%", 1)
  const [before = "", after] = plain!.split("::")
  const groups = (part: string) => (part === "" ? [] : part.split(":"))
  const head = groups(before)
  const tail = after === undefined ? [] : groups(after)
  const zeros = after === undefined ? [] : new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0")
  return [...head, ...zeros, ...tail].map((group) => group.replace(/^0+(?=.)/, "")).join(":")
}

/** A line of `stat`, or with `full` of `cons`. */
export const connectionLine = (client: Client, full: boolean): string => {
  const counts = `queued=${client.outstanding},recved=${client.received},sent=${client.sent}`
  const head = ` ${addressOf(client)}[${client.isHeld ? 0 : 1}](${counts}`
  if (!full || client.sessionId === 0) return `${head})\n`
  const { latency } = client
  const fields = [
    `sid=${hex(client.sessionId)}`,
    `lop=${shortName(client.lastOp)}`,
    `est=${client.establishedAt}`,
    `to=${client.timeoutMs}`
  ]
  if (client.lastXid >= 0) fields.push(`lcxid=${hex(client.lastXid)}`)
  fields.push(
    `lzxid=${client.lastZxid}`,
    `lresp=${Math.floor(client.lastReplyAt)}`,
    `llat=${Math.floor(client.lastLatency)}`,
    `minlat=${Math.floor(latency.min)}`,
    `avglat=${Math.floor(latency.average)}`,
    `maxlat=${Math.floor(latency.max)}`
  )
  return `${head},${fields.join(",")})\n`
}

/** `wchs` */
export const watchSummary = (watches: Stats): string =>
  `${number(watches, "connections")} connections watching ${number(watches, "paths")} paths\n` +
  `Total watches:${number(watches, "watches")}\n`

/** `wchc` */
export const sessionsWatching = (watches: Stats): string => {
  const sessions = list(watches, "sessions").map((one) => {
    const paths = words(one, "paths").map((path) => `\t${path}\n`)
    return `${text(one, "session")}\n${paths.join("")}`
  })
  return `${sessions.join("")}\n`
}

/** `wchp` */
export const sessionsByWatch = (watches: Stats): string => {
  const byPath = new Map<string, Array<string>>()
  for (const one of list(watches, "sessions")) {
    for (const path of words(one, "paths")) {
      const sessions = byPath.get(path) ?? []
      sessions.push(`\t${text(one, "session")}\n`)
      byPath.set(path, sessions)
    }
  }
  return `${[...byPath].map(([path, sessions]) => `${path}\n${sessions.join("")}`).join("")}\n`
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** `Thu Jan 01 00:00:00 UTC 1970` */
const javaDate = (ms: number): string => {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, "0")
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`
  return `${day} ${time} UTC ${date.getUTCFullYear()}`
}

/** `dump` */
export const dumpText = (frontend: Frontend, stats: Stats): string => {
  const sessions = list(stats, "sessions")
  const lines = ["SessionTracker dump:"]
  if (stats["leading"] === true) {
    const sets = list(stats, "sets")
    lines.push(`Session Sets (${sets.length})/(${sessions.length}):`)
    const wallAhead = frontend.wallClock() - number(stats, "now")
    for (const set of sets) {
      const members = words(set, "sessions")
      lines.push(`${members.length} expire at ${javaDate(number(set, "expiresAt") + wallAhead)}:`)
      for (const session of members) lines.push(`\t${session}`)
    }
  } else {
    lines.push(`Global Sessions(${sessions.length}):`)
    for (const one of sessions) lines.push(`${text(one, "session")}\t${number(one, "timeout")}ms`)
  }
  const owners = list(stats, "ephemerals")
  lines.push("ephemeral nodes dump:", `Sessions with Ephemerals (${owners.length}):`)
  for (const owner of owners) {
    lines.push(`${text(owner, "session")}:`)
    for (const path of words(owner, "paths")) lines.push(`\t${path}`)
  }
  lines.push("Connections dump:", ...connectionSets(frontend))
  return `${lines.join("\n")}\n`
}

/** Connections by the second in which they would be closed for silence. */
const connectionSets = (frontend: Frontend): ReadonlyArray<string> => {
  const wallAhead = frontend.wallClock() - frontend.now()
  const sets = new Map<number, Array<Client>>()
  const { clients } = frontend.server
  for (const client of clients) {
    const second = Math.ceil((client.deadline + wallAhead) / 1000) * 1000
    const set = sets.get(second) ?? []
    set.push(client)
    sets.set(second, set)
  }
  const lines = [`Connections Sets (${sets.size})/(${clients.length}):`]
  for (const [second, members] of [...sets].sort(([a], [b]) => a - b)) {
    lines.push(`${members.length} expire at ${javaDate(second)}:`)
    for (const client of members) lines.push(`\tip: ${addressOf(client)} sessionId: ${hex(client.sessionId)}`)
  }
  return lines
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)}MB`

/** `envi`: Java's keys with Node's answers, so that what parses them finds each. */
export const environmentText = (): string =>
  `Environment:\n${environment()
    .map(([key, value]) => `${key}=${value}\n`)
    .join("")}`

/** The same as pairs. */
export const environment = (): ReadonlyArray<readonly [key: string, value: string]> => {
  const { heapUsed, heapTotal } = process.memoryUsage()
  const user = userInfo()
  return [
    ["zookeeper.version", VERSION],
    ["host.name", hostname()],
    ["java.version", `node ${process.version}`],
    ["java.vendor", "Node.js"],
    ["java.home", process.execPath],
    ["java.class.path", process.argv[1] ?? ""],
    ["java.library.path", ""],
    ["java.io.tmpdir", tmpdir()],
    ["java.compiler", `v8 ${process.versions.v8}`],
    ["os.name", osType()],
    ["os.arch", arch()],
    ["os.version", release()],
    ["user.name", user.username],
    ["user.home", user.homedir],
    ["user.dir", process.cwd()],
    ["os.memory.free", megabytes(Math.max(0, heapTotal - heapUsed) + freemem())],
    ["os.memory.max", megabytes(totalmem())],
    ["os.memory.total", megabytes(heapTotal)]
  ]
}
