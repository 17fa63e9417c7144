/** `server.N` lines: `host:quorumPort:electionPort[:role][;[clientHost:]clientPort]`. */
import type { Sid } from "@zkmesh/numbers"
import { ConfigError } from "./errors.ts"

export interface Server {
  readonly sid: Sid
  readonly host: string
  /** ZooKeeper's own ports: kept for the text form, opened by nobody here (peers meet over the bus). */
  readonly quorumPort: number
  readonly electionPort: number
  readonly role: "participant" | "observer"
  readonly clientHost: string | undefined
  readonly clientPort: number | undefined
}

export const MAX_SID = 255

const HOST = String.raw`(\[[0-9a-fA-F:.%]+\]|[^:;|\[\]\s]+)`
const ADDRESS = new RegExp(`^${HOST}:(\\d+):(\\d+)(?::([A-Za-z]+))?$`)
const CLIENT = new RegExp(`^(?:${HOST}:)?(\\d+)$`)

/** Reads the value of `server.<n>`. Throws ConfigError. */
export const parseServer = (key: string, value: string, source: string): Server => {
  const fail = (reason: string): never => {
    throw new ConfigError({ key, reason, source })
  }
  const number = key.slice("server.".length)
  const sid = Number(number)
  if (!/^\d+$/.test(number) || sid < 1 || sid > MAX_SID) fail(`a server's id is a number from 1 to ${MAX_SID}`)
  const [address = "", client, ...more] = value.split(";").map((part) => part.trim())
  if (more.length > 0) fail("there is more than one ';'")
  if (address.includes("|")) fail("several addresses for one server are not supported: peers meet over the bus")
  const match = ADDRESS.exec(address)
  if (match === null)
    return fail(`expected host:quorumPort:electionPort[:role][;[clientHost:]clientPort], got "${value}"`)
  const [, host, quorum, election, roleText] = match
  const role = (roleText ?? "participant").toLowerCase()
  if (role !== "participant" && role !== "observer") return fail(`"${roleText}" is neither participant nor observer`)
  const quorumPort = port(quorum!, fail)
  const electionPort = port(election!, fail)
  if (quorumPort === electionPort) fail("quorum port and election port must differ")
  let clientHost: string | undefined
  let clientPort: number | undefined
  if (client !== undefined) {
    const clientMatch = CLIENT.exec(client)
    if (clientMatch === null) return fail(`"${client}" is not [clientHost:]clientPort`)
    clientHost = clientMatch[1] === undefined ? undefined : unbracket(clientMatch[1])
    clientPort = port(clientMatch[2]!, fail)
  }
  return { sid, host: unbracket(host!), quorumPort, electionPort, role, clientHost, clientPort }
}

const port = (text: string, fail: (reason: string) => never): number => {
  const value = Number(text)
  return value >= 1 && value <= 65_535 ? value : fail(`${text} is not a port (1…65535)`)
}

const unbracket = (host: string): string => (host.startsWith("[") ? host.slice(1, -1) : host)

/** ZooKeeper's text form of a server, as in `/zookeeper/config`. */
export const formatServer = (server: Server): string => {
  const client =
    server.clientPort === undefined ? "" : `;${bracket(server.clientHost ?? "0.0.0.0")}:${server.clientPort}`
  return `server.${server.sid}=${bracket(server.host)}:${server.quorumPort}:${server.electionPort}:${server.role}${client}`
}

const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host)
