/** Who is in the ensemble placement, and where its clients connect. */
import { resolve } from "node:path"
import { type Config, ConfigError } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import type { Endpoint } from "./ports.ts"
import { type Members, membersOf } from "./settings.ts"

const DEFAULT_PEERS = 3
const FIRST_PORT = 2181

/** A peer of the ensemble and where its clients connect. */
export interface Seat {
  readonly sid: Sid
  readonly endpoint: Endpoint
  /** For clients that speak TLS. */
  readonly secure: Endpoint | undefined
}

/** What runs the ensemble: who is in it, where, and with which data. */
export interface Plan {
  readonly members: Members
  readonly seats: ReadonlyArray<Seat>
  readonly dataDir: string
}

/** What the command line says beyond the configuration. */
export interface Asked {
  readonly peers?: number | undefined
  /** clientPort is a flag's: it is stronger than the ports of server lines. */
  readonly portFlagged?: boolean
}

/** Decides who is in the ensemble; `found`: what the data is of. */
export const plan = (config: Config, { peers, portFlagged }: Asked, found: Members | undefined): Plan => {
  const { knobs, servers } = config
  if (servers.length > 0 && peers !== undefined && peers !== servers.length) {
    throw new ConfigError({ key: "--peers", reason: `${peers}, but the configuration names ${servers.length} servers` })
  }
  const members = servers.length > 0 ? membersOf(servers) : counted(peers, found)
  const sids = [...members.voters, ...members.observers].sort((a, b) => a - b)
  const host = knobs.clientPortAddress ?? "127.0.0.1"
  const own = servers.map((server) => server.clientPort)
  const distinct =
    portFlagged !== true && own.length > 0 && !own.includes(undefined) && new Set(own).size === own.length
  const first = knobs.clientPort ?? FIRST_PORT
  const secureHost = knobs.secureClientPortAddress ?? host
  const seats = sids.map((sid, at) => ({
    sid,
    endpoint: { host, port: distinct ? own[at]! : counting("clientPort", first, at, sid) },
    secure:
      knobs.secureClientPort === undefined
        ? undefined
        : { host: secureHost, port: counting("secureClientPort", knobs.secureClientPort, at, sid) }
  }))
  return { members, seats, dataDir: resolve(knobs.dataDir ?? "data") }
}

const counting = (key: string, first: number, at: number, sid: Sid): number => {
  if (first + at > 65_535) throw new ConfigError({ key, reason: `${first} leaves no port for peer ${sid}` })
  return first + at
}

const counted = (peers: number | undefined, found: Members | undefined): Members => {
  if (peers === undefined && found !== undefined) return found
  return { voters: Array.from({ length: peers ?? DEFAULT_PEERS }, (_, at) => at + 1), observers: [] }
}
