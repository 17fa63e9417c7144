/** What the four-letter words print, byte for byte as ZooKeeper does: monitors and scripts parse it. */
import { readdirSync, readFileSync } from "node:fs"
import { arch, freemem, hostname, type as osType, release, tmpdir, totalmem, userInfo } from "node:os"
import type { Stats } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Client } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"
import type { Peer } from "./Peer.ts"
import { shortName } from "./requests.ts"

/** The ZooKeeper release whose protocol this speaks, in the form that clients parse. */
export const VERSION = "3.9.5-zkmesh-0.1.0, built on 2026-01-01 00:00 UTC"

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

/** A double as Java prints it: never without a decimal. At most four of them, rounded half up. */
const double = (value: number): string => {
  const rounded = Math.round(value * 10_000) / 10_000
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`
}

const STATES = { leading: "leader", following: "follower", observing: "observer", looking: "looking" } as const

/** As ZooKeeper names it: an ensemble of one voter has no leader, it stands alone. */
export const serverState = (peer: Peer, stats: Stats): string =>
  peer.status.role === "leading" && number(stats, "quorum_size") === 1 ? "standalone" : STATES[peer.status.role]

const outstanding = (frontend: Frontend): number => frontend.statistics.outstanding

/** `srvr`; with `clients` between the version and the numbers it is `stat`. */
export const serverText = (frontend: Frontend, peer: Peer, stats: Stats, clients: string | undefined): string => {
  const { statistics } = frontend
  const { latency } = statistics
  const mode = serverState(peer, stats)
  const lines = [
    `Latency min/avg/max: ${Math.floor(latency.min)}/${double(latency.average)}/${Math.floor(latency.max)}`,
    `Received: ${statistics.received}`,
    `Sent: ${statistics.sent}`,
    `Connections: ${frontend.clients.size}`,
    `Outstanding: ${outstanding(frontend)}`,
    `Zxid: ${text(stats, "last_processed_zxid") ?? hex(peer.status.zxid)}`,
    `Mode: ${mode}`,
    `Node count: ${number(stats, "znode_count")}`
  ]
  if (mode === "leader") {
    const size = (key: string) => number(stats, `${key}_proposal_size`, -1)
    lines.push(`Proposal sizes last/min/max: ${size("last")}/${size("min")}/${size("max")}`)
  }
  return `Zookeeper version: ${VERSION}\n${clients ?? ""}${lines.join("\n")}\n`
}

const addressOf = (client: Client): string => {
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

/** What a Linux says of this process; elsewhere nothing: monitors take a missing key better than a wrong one. */
const proc = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined
    throw error
  }
}
const openFiles = (): number | undefined => proc(() => readdirSync("/proc/self/fd").length)
const fileLimit = (): number | undefined => {
  const soft = proc(() => /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1])
  return soft === undefined ? undefined : Number(soft)
}

/** What the frontend itself adds to its peer's numbers. */
const ownNumbers = (frontend: Frontend): Record<string, number | undefined> => {
  const { statistics, clients } = frontend
  const drops = (...reasons: ReadonlyArray<Parameters<typeof statistics.drops.get>[0]>) =>
    reasons.reduce((sum, reason) => sum + (statistics.drops.get(reason) ?? 0), 0)
  return {
    max_latency: Math.floor(statistics.latency.max),
    min_latency: Math.floor(statistics.latency.min),
    packets_received: statistics.received,
    packets_sent: statistics.sent,
    num_alive_connections: clients.size,
    outstanding_requests: statistics.outstanding,
    uptime: Math.floor(frontend.now() - statistics.startedAt),
    open_file_descriptor_count: openFiles(),
    max_file_descriptor_count: fileLimit(),
    last_client_response_size: statistics.lastReplyBytes,
    max_client_response_size: statistics.maxReplyBytes,
    min_client_response_size: statistics.minReplyBytes,
    auth_failed_count: statistics.authFailures,
    connection_request_count: statistics.connectionRequests,
    connection_rejected: drops("tooManyConnections"),
    connection_drop_count: [...statistics.drops.values()].reduce((sum, count) => sum + count, 0),
    sessionless_connections_expired: drops("sessionless"),
    cnxn_closed_without_zk_server_running: drops("notServing"),
    bytes_received_count: statistics.bytesReceived,
    response_bytes: statistics.bytesSent
  }
}

/** Keys of a peer's answer that say what it is, not how much of something there is. */
const HIDDEN = new Set(["serving", "role", "epoch", "leader", "zxid", "peer_state"])

/** `mntr` */
export const monitorText = (frontend: Frontend, peer: Peer, stats: Stats): string => {
  const lines = [`zk_version\t${VERSION}`, `zk_server_state\t${serverState(peer, stats)}`]
  const state = text(stats, "peer_state")
  if (state !== undefined) lines.push(`zk_peer_state\t${state}`)
  // Not ZooKeeper's: there a port belongs to one server, here a frontend turns to another peer while its own is away.
  lines.push(`zk_peer_id\t${peer.sid}`)
  lines.push(`zk_avg_latency\t${double(frontend.statistics.latency.average)}`)
  const own = ownNumbers(frontend)
  for (const [key, value] of Object.entries(own)) if (value !== undefined) lines.push(`zk_${key}\t${value}`)
  for (const [key, value] of Object.entries(stats)) {
    if (HIDDEN.has(key) || key in own || key === "avg_latency") continue
    if (typeof value === "number") lines.push(`zk_${key}\t${Number.isInteger(value) ? value : double(value)}`)
    else if (typeof value === "string") lines.push(`zk_${key}\t${value}`)
  }
  return `${lines.join("\n")}\n`
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
  for (const client of frontend.clients.values()) {
    const second = Math.ceil((client.deadline + wallAhead) / 1000) * 1000
    const set = sets.get(second) ?? []
    set.push(client)
    sets.set(second, set)
  }
  const lines = [`Connections Sets (${sets.size})/(${frontend.clients.size}):`]
  for (const [second, clients] of [...sets].sort(([a], [b]) => a - b)) {
    lines.push(`${clients.length} expire at ${javaDate(second)}:`)
    for (const client of clients) lines.push(`\tip: ${addressOf(client)} sessionId: ${hex(client.sessionId)}`)
  }
  return lines
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)}MB`

/** `envi`: Java's keys with Node's answers, so that what parses them finds each. */
export const environmentText = (): string => {
  const { heapUsed, heapTotal } = process.memoryUsage()
  const user = userInfo()
  const entries: ReadonlyArray<readonly [string, string]> = [
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
  return `Environment:\n${entries.map(([key, value]) => `${key}=${value}\n`).join("")}`
}
