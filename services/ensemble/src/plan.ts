/** Who is in the ensemble placement, and where its clients connect. */
import { resolve } from "node:path"
import { type Config, ConfigError } from "@zkmesh/config"
import { type Member, makeConfiguration, parseConfiguration, withVersion } from "@zkmesh/membership"
import type { Sid } from "@zkmesh/numbers"
import type { Membership } from "./dataDir.ts"
import type { Endpoint } from "./ports.ts"
import { type Members, membersOf } from "./settings.ts"

const DEFAULT_PEERS = 3
const FIRST_PORT = 2181
const FIRST_QUORUM_PORT = 2888
const FIRST_ELECTION_PORT = 3888

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
  /** With the members that the peers start from. */
  readonly config: Config
}

/** What the command line says beyond the configuration. */
export interface Asked {
  readonly peers?: number | undefined
  /** clientPort is a flag's: it is stronger than the ports of server lines. */
  readonly portFlagged?: boolean
}

/**
 * Decides who is in the ensemble; `found`: what the data is of. What the ensemble has been reconfigured to is stronger than
 * file and flags, which are of its beginning.
 */
export const plan = (config: Config, asked: Asked, found: Membership | undefined): Plan => {
  if (found?.configuration !== undefined) {
    const { text, members } = withVersion(parseConfiguration(found.configuration), 0)
    const reconfigured = { ...config, servers: members, membership: text }
    return planned(reconfigured, { ...asked, portFlagged: false }, membersOf(members))
  }
  const { servers } = config
  const { peers } = asked
  if (servers.length > 0 && peers !== undefined && peers !== servers.length) {
    throw new ConfigError({ key: "--peers", reason: `${peers}, but the configuration names ${servers.length} servers` })
  }
  const first = planned(config, asked, servers.length > 0 ? membersOf(servers) : counted(peers, found))
  if (servers.length > 0 || !config.knobs.reconfigEnabled) return first
  // Who is to be reconfigured has addresses, as ZooKeeper writes them.
  const members = first.seats.map((seat, at) => memberOf(seat, at, first.members))
  return { ...first, config: { ...config, servers: members, membership: makeConfiguration(0, members).text } }
}

/** Nobody opens the quorum and election ports: peers of one process need none. */
const memberOf = ({ sid, endpoint }: Seat, at: number, { observers }: Members): Member => ({
  sid,
  host: "127.0.0.1",
  quorumPort: FIRST_QUORUM_PORT + at,
  electionPort: FIRST_ELECTION_PORT + at,
  role: observers.includes(sid) ? "observer" : "participant",
  clientHost: endpoint.host,
  clientPort: endpoint.port
})

const planned = (config: Config, { portFlagged }: Asked, members: Members): Plan => {
  const { knobs, servers } = config
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
  return { members, seats, dataDir: resolve(knobs.dataDir ?? "data"), config }
}

/** The seat of a member that has joined, `at` beyond those who were there: its port is the next, unless it names one. */
export const seatOf = ({ knobs }: Config, { sid, clientPort }: Member, at: number): Seat => {
  const host = knobs.clientPortAddress ?? "127.0.0.1"
  const { secureClientPort } = knobs
  const secure =
    secureClientPort === undefined
      ? undefined
      : {
          host: knobs.secureClientPortAddress ?? host,
          port: counting("secureClientPort", secureClientPort, at, sid)
        }
  return {
    sid,
    endpoint: { host, port: clientPort ?? counting("clientPort", knobs.clientPort ?? FIRST_PORT, at, sid) },
    secure
  }
}

const counting = (key: string, first: number, at: number, sid: Sid): number => {
  if (first + at > 65_535) throw new ConfigError({ key, reason: `${first} leaves no port for peer ${sid}` })
  return first + at
}

const counted = (peers: number | undefined, found: Members | undefined): Members => {
  if (peers === undefined && found !== undefined) return found
  return { voters: Array.from({ length: peers ?? DEFAULT_PEERS }, (_, at) => at + 1), observers: [] }
}
