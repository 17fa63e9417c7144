/** `srvr`, `stat`, `mntr`, `conf`, `dirs` and `hash`: what the server says of itself, byte for byte as ZooKeeper does. */
import { type Stats, statsAt } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Peer } from "../Peer.ts"
import type { Frontends } from "./Frontends.ts"

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

/** A double as Java prints it: never without a decimal. At most four of them, rounded half up. */
export const double = (value: number): string => {
  const rounded = Math.round(value * 10_000) / 10_000
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`
}

const STATES = { leading: "leader", following: "follower", observing: "observer", looking: "looking" } as const

/** As ZooKeeper names it: an ensemble of one voter has no leader, it stands alone, unless it is to be one of several. */
export const serverState = (peer: Peer, stats: Stats): string => {
  if (peer.status.readOnly === true) return "read-only"
  if (peer.status.role !== "leading") return STATES[peer.status.role]
  const isAlone = number(statsAt(stats, "figures"), "quorum_size", 3) === 1
  return isAlone && stats["standalone_enabled"] !== false ? "standalone" : "leader"
}

/** `leading - broadcast`; undefined for a server that stands alone. */
export const peerState = (peer: Peer, stats: Stats): string | undefined => {
  if (serverState(peer, stats) === "standalone") return undefined
  return `${peer.status.role} - ${text(stats, "zab_phase") ?? "broadcast"}`
}

export const lastZxid = (peer: Peer, stats: Stats): string =>
  text(stats, "last_processed_zxid") ?? hex(peer.status.zxid)

/** The last, smallest and largest proposal; -1: none yet. */
export const proposalSizes = (stats: Stats): readonly [last: number, min: number, max: number] => {
  const figures = statsAt(stats, "figures")
  const size = (which: string) => number(figures, `${which}_proposal_size`, -1)
  return [size("last"), size("min"), size("max")]
}

/** `srvr`; with `clients` between the version and the numbers it is `stat`. */
const READ_ONLY = "READ-ONLY mode; serving only read-only clients\n"

export const serverText = (server: Frontends, peer: Peer, stats: Stats, clients: string | undefined): string => {
  const totals = server.totals()
  const mode = serverState(peer, stats)
  const { minLatency, averageLatency, maxLatency } = totals
  const lines = [
    `Latency min/avg/max: ${Math.floor(minLatency)}/${double(averageLatency)}/${Math.floor(maxLatency)}`,
    `Received: ${totals.received}`,
    `Sent: ${totals.sent}`,
    `Connections: ${server.clients.length}`,
    `Outstanding: ${totals.outstanding}`,
    `Zxid: ${lastZxid(peer, stats)}`,
    `Mode: ${mode}`,
    `Node count: ${number(stats, "znode_count")}`
  ]
  if (mode === "leader") lines.push(`Proposal sizes last/min/max: ${proposalSizes(stats).join("/")}`)
  const reads = peer.status.readOnly === true ? READ_ONLY : ""
  return `Zookeeper version: ${VERSION}\n${reads}${clients ?? ""}${lines.join("\n")}\n`
}

/** Everything that is measured: by the frontends here, and by the peer that has answered. Keys without `zk_`. */
export const figuresOf = (server: Frontends, stats: Stats): Readonly<Record<string, number>> => {
  const figures: Record<string, number> = {}
  for (const [key, value] of Object.entries(statsAt(stats, "figures"))) {
    if (typeof value === "number") figures[key] = value
  }
  return { ...figures, ...server.metrics.figures("frontend", "process", "none") }
}

/** Whether Java would print it as a double. */
const isDouble = (key: string): boolean => key.startsWith("avg_") || key === "connection_drop_probability"

/** `mntr` */
export const monitorText = (server: Frontends, peer: Peer, stats: Stats): string => {
  const lines = [`zk_version\t${VERSION}`, `zk_server_state\t${serverState(peer, stats)}`]
  const state = peerState(peer, stats)
  if (state !== undefined) lines.push(`zk_peer_state\t${state}`)
  if (peer.status.role === "observing") lines.push(`zk_observer_master_id\t${number(stats, "leader", -1)}`)
  // Not ZooKeeper's: there a port belongs to one server, here a frontend turns to another peer while its own is away.
  lines.push(`zk_peer_id\t${peer.sid}`)
  for (const [key, value] of Object.entries(figuresOf(server, stats))) {
    lines.push(`zk_${key}\t${isDouble(key) || !Number.isInteger(value) ? double(value) : value}`)
  }
  return `${lines.join("\n")}\n`
}

/** Bytes of the checkpoint and of the log, as the database takes room for them. */
export const sizesOf = (stats: Stats): { readonly data: number; readonly log: number } => {
  const figures = statsAt(stats, "figures")
  return { data: number(figures, "data_dir_size"), log: number(figures, "log_dir_size") }
}

/** `dirs` */
export const sizesText = (stats: Stats): string => {
  const { data, log } = sizesOf(stats)
  return `datadir_size: ${data}\nlogdir_size: ${log}\n`
}

/** `conf`: what was configured, with the sizes and the membership that there are now. */
export const configurationText = (
  configured: ReadonlyArray<readonly [key: string, value: string | number]>,
  stats: Stats
): string => {
  const { data, log } = sizesOf(stats)
  const lines: Array<string> = []
  for (const [key, value] of configured) {
    lines.push(`${key}=${value}\n`)
    if (key === "dataDir") lines.push(`dataDirSize=${data}\n`)
    if (key === "dataLogDir") lines.push(`dataLogSize=${log}\n`)
  }
  const membership = text(stats, "configuration") ?? ""
  return membership === "" ? lines.join("") : `${lines.join("")}membership: \n${membership}`
}

/** `hash`: the tree's digests at every 128th transaction, the latest 1024 of them. */
export const digestsText = (stats: Stats): string =>
  digestsOf(stats)
    .map(({ zxid, digest }) => `${zxid.toString(16)}: ${digest}\n`)
    .join("")

/** The digests in an answer about them. */
export const digestsOf = (stats: Stats): ReadonlyArray<{ readonly zxid: number; readonly digest: number }> => {
  const digests = stats["digests"]
  return Array.isArray(digests) ? (digests as ReadonlyArray<{ zxid: number; digest: number }>) : []
}
