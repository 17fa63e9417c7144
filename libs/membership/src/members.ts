/** One server of a configuration, in ZooKeeper's words: `host:quorumPort:electionPort[:role][;[clientHost:]clientPort]`. */
import type { Sid } from "@zkmesh/numbers"

export interface Member {
  readonly sid: Sid
  readonly host: string
  /** ZooKeeper's own ports: kept for the text form, opened by nobody here (peers meet over the bus). */
  readonly quorumPort: number
  readonly electionPort: number
  readonly role: "participant" | "observer"
  readonly clientHost: string | undefined
  readonly clientPort: number | undefined
}

/** A membership that cannot be; the message is for people. */
export class MembershipError extends Error {
  override readonly name = "MembershipError"
}

export const MAX_SID = 255

const HOST = String.raw`(\[[0-9a-fA-F:.%]+\]|[^:;|\[\]\s]+)`
const ADDRESS = new RegExp(`^${HOST}:(\\d+):(\\d+)(?::([A-Za-z]+))?$`)
const CLIENT = new RegExp(`^(?:${HOST}:)?(\\d+)$`)

const fail = (reason: string): never => {
  throw new MembershipError(reason)
}

/** Reads N of `server.N`. Throws MembershipError. */
export const parseSid = (text: string): Sid => {
  const sid = Number(text)
  return /^\d+$/.test(text) && sid >= 1 && sid <= MAX_SID ? sid : fail(`a server's id is a number from 1 to ${MAX_SID}`)
}

/** Reads the value of `server.<sid>`. Throws MembershipError. */
export const parseMember = (sid: Sid, value: string): Member => {
  const [address = "", client, ...more] = value.split(";").map((part) => part.trim())
  if (more.length > 0) fail("there is more than one ';'")
  if (address.includes("|")) fail("several addresses for one server are not supported: peers meet over the bus")
  const match = ADDRESS.exec(address)
  if (match === null)
    return fail(`expected host:quorumPort:electionPort[:role][;[clientHost:]clientPort], got "${value}"`)
  const [, host, quorum, election, roleText] = match
  const role = (roleText ?? "participant").toLowerCase()
  if (role !== "participant" && role !== "observer") return fail(`"${roleText}" is neither participant nor observer`)
  const quorumPort = port(quorum!)
  const electionPort = port(election!)
  if (quorumPort === electionPort) fail("quorum port and election port must differ")
  let clientHost: string | undefined
  let clientPort: number | undefined
  if (client !== undefined) {
    const clientMatch = CLIENT.exec(client)
    if (clientMatch === null) return fail(`"${client}" is not [clientHost:]clientPort`)
    clientHost = clientMatch[1] === undefined ? undefined : unbracket(clientMatch[1])
    clientPort = port(clientMatch[2]!)
  }
  return { sid, host: unbracket(host!), quorumPort, electionPort, role, clientHost, clientPort }
}

const port = (text: string): number => {
  const value = Number(text)
  return value >= 1 && value <= 65_535 ? value : fail(`${text} is not a port (1…65535)`)
}

const unbracket = (host: string): string => (host.startsWith("[") ? host.slice(1, -1) : host)
const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host)

/** ZooKeeper's text form of a server, as in `/zookeeper/config`. */
export const formatMember = (member: Member): string => {
  const client =
    member.clientPort === undefined ? "" : `;${bracket(member.clientHost ?? "0.0.0.0")}:${member.clientPort}`
  return `server.${member.sid}=${bracket(member.host)}:${member.quorumPort}:${member.electionPort}:${member.role}${client}`
}
