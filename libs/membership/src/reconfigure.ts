/** What a reconfiguration asks for, judged as ZooKeeper's PrepRequestProcessor does, in its order. */
import type { Sid, Zxid } from "@zkmesh/numbers"
import { ErrorCode } from "@zkmesh/protocol"
import { type Configuration, makeConfiguration, parseMembers } from "./configuration.ts"
import { type Member, MembershipError, parseMember, parseSid } from "./members.ts"

export interface ReconfigurationRequest {
  /** `server.N=…`, separated by commas. */
  readonly joiningServers: string | null
  /** Ids, separated by commas. */
  readonly leavingServers: string | null
  /** The whole new membership, separated by commas or newlines: then the other two do not count. */
  readonly newMembers: string | null
  /** The version that the asker means to change; -1: whichever. */
  readonly curConfigId: number
}

export interface ReconfigurationContext {
  readonly current: Configuration
  /** One voter is then a server alone, so a new configuration needs two. */
  readonly standaloneEnabled: boolean
  /** Who is connected and up to date, the leader among them. */
  readonly synced: ReadonlySet<Sid>
  /** The transaction's zxid: the new version. */
  readonly zxid: Zxid
}

export type Reconfiguration = { readonly configuration: Configuration } | { readonly error: ErrorCode }

const split = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")

/** The new configuration, or why there is none. That it may be asked for, and that none is under way, is the caller's. */
export const reconfigure = (request: ReconfigurationRequest, context: ReconfigurationContext): Reconfiguration => {
  const { current, zxid } = context
  if (request.curConfigId !== -1 && request.curConfigId !== current.version) return { error: ErrorCode.BADVERSION }
  let configuration: Configuration
  try {
    if (request.newMembers !== null) {
      const { members, groups } = parseMembers(request.newMembers.replaceAll(",", "\n"))
      configuration = makeConfiguration(zxid, members, groups)
      checkVoters(configuration, context.standaloneEnabled)
    } else if (current.groups !== undefined) return { error: ErrorCode.BADARGUMENTS }
    else configuration = makeConfiguration(zxid, changed(current.members, request))
  } catch (error) {
    if (error instanceof Unreadable) return { error: ErrorCode.MARSHALLINGERROR }
    if (error instanceof MembershipError) return { error: ErrorCode.BADARGUMENTS }
    throw error
  }
  const { quorum } = configuration
  if (quorum.voters.size < (context.standaloneEnabled ? 2 : 1)) return { error: ErrorCode.BADARGUMENTS }
  if (!quorum.has(context.synced)) return { error: ErrorCode.NEWCONFIGNOQUORUM }
  return { configuration }
}

/** What trips ZooKeeper while it reads the request (a number that is none, for one): MARSHALLINGERROR. */
class Unreadable extends Error {
  override readonly name = "Unreadable"
}

const checkVoters = ({ quorum, members }: Configuration, standaloneEnabled: boolean): void => {
  const voters = quorum.voters.size
  const hasObservers = members.length > voters
  if (voters === 0 ? hasObservers || !standaloneEnabled : voters === 1 && standaloneEnabled && hasObservers) {
    throw new Unreadable("observers without a quorum")
  }
}

const changed = (
  members: ReadonlyArray<Member>,
  { joiningServers, leavingServers }: ReconfigurationRequest
): ReadonlyArray<Member> => {
  const next = new Map(members.map((member) => [member.sid, member]))
  for (const leaving of split(leavingServers ?? "")) {
    if (!/^[+-]?\d+$/.test(leaving)) throw new Unreadable(leaving)
    next.delete(Number(leaving))
  }
  for (const joining of split(joiningServers ?? "")) {
    const [key = "", value, ...more] = joining.split("=").map((part) => part.trim())
    if (value === undefined || value === "" || more.length > 0) throw new MembershipError(`"${joining}" is no server`)
    const number = key.slice(key.lastIndexOf(".") + 1)
    if (!/^[+-]?\d+$/.test(number)) throw new Unreadable(number)
    const member = parseMember(parseSid(number), value)
    if (member.clientPort === undefined) throw new MembershipError(`server ${member.sid} needs three ports`)
    for (const other of next.values()) if (other.sid !== member.sid) checkAddresses(member, other)
    next.set(member.sid, member)
  }
  return [...next.values()]
}

/** As ZooKeeper: what names this machine, or all of its addresses, names nothing that two servers could share. */
const isSpecial = (host: string): boolean =>
  host === "localhost" || host.startsWith("127.") || /^[0:]+1?$/.test(host) || host === "0.0.0.0"

/** Two servers may not listen at one address. */
const checkAddresses = (a: Member, b: Member): void => {
  const taken = new Set(addressesOf(b))
  for (const address of addressesOf(a)) {
    if (taken.has(address)) throw new MembershipError(`servers ${a.sid} and ${b.sid} share ${address}`)
  }
}

const addressesOf = ({ host, quorumPort, electionPort, clientHost, clientPort }: Member): ReadonlyArray<string> => {
  const addresses = isSpecial(host) ? [] : [`${host}:${quorumPort}`, `${host}:${electionPort}`]
  const client = clientHost ?? "0.0.0.0"
  if (clientPort !== undefined && !isSpecial(client)) addresses.push(`${client}:${clientPort}`)
  return addresses
}
