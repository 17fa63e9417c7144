/**
 * A configuration of the ensemble: its members, who of them votes and how, and its version, the zxid of the
 * transaction that made it (0: it has been read from a file and nobody has agreed on it yet).
 *
 * Its text is ZooKeeper's, as in `/zookeeper/config`: a line per server, then groups and weights, then
 * `version=<hex>` without a newline.
 */
import type { Sid, Zxid } from "@zkmesh/numbers"
import { formatMember, type Member, MembershipError, parseMember, parseSid } from "./members.ts"
import { type Groups, Hierarchy, Majority, type Quorum } from "./quorum.ts"

export interface Configuration {
  readonly version: Zxid
  /** By ascending sid; empty if only the voters are known. */
  readonly members: ReadonlyArray<Member>
  /** Set if quorums are hierarchical. */
  readonly groups: Groups | undefined
  readonly quorum: Quorum
  /** "" if only the voters are known. */
  readonly text: string
}

/** Of these members. Throws MembershipError if groups do not fit. */
export const makeConfiguration = (
  version: Zxid,
  members: ReadonlyArray<Member>,
  groups: Groups | undefined = undefined
): Configuration => {
  const sorted = [...members].sort((a, b) => a.sid - b.sid)
  const voters = sorted.filter((member) => member.role === "participant").map((member) => member.sid)
  if (groups !== undefined) checkGroups(voters, groups)
  const lines = sorted.map(formatMember)
  if (groups !== undefined) {
    for (const [group, sids] of groups.groups) lines.push(`group.${group}=${sids.join(":")}`)
    for (const [sid, weight] of groups.weights) lines.push(`weight.${sid}=${weight}`)
  }
  lines.push(`version=${version.toString(16)}`)
  const quorum = groups === undefined ? new Majority(voters) : new Hierarchy(voters, groups)
  return { version, members: sorted, groups, quorum, text: lines.join("\n") }
}

/** The same members as of another version. */
export const withVersion = (configuration: Configuration, version: Zxid): Configuration =>
  makeConfiguration(version, configuration.members, configuration.groups)

/** Where nothing but the voters' ids is known: such an ensemble cannot be reconfigured. */
export const configurationOfVoters = (voters: ReadonlyArray<Sid>): Configuration => ({
  version: 0,
  members: [],
  groups: undefined,
  quorum: new Majority(voters),
  text: ""
})

const checkGroups = (voters: ReadonlyArray<Sid>, { groups, weights }: Groups): void => {
  const seen = new Set<Sid>()
  for (const [group, sids] of groups) {
    for (const sid of sids) {
      if (seen.has(sid)) throw new MembershipError(`server ${sid} is in two groups`)
      if (!voters.includes(sid)) throw new MembershipError(`group ${group}: there is no voting server ${sid}`)
      seen.add(sid)
    }
  }
  for (const sid of voters) if (!seen.has(sid)) throw new MembershipError(`server ${sid} is in no group`)
  for (const [sid, weight] of weights) {
    if (!voters.includes(sid)) throw new MembershipError(`weight of ${sid}: there is no such voting server`)
    if (!Number.isInteger(weight) || weight < 0) throw new MembershipError(`weight of ${sid}: ${weight}`)
  }
}

/** Keys and values of Java properties, as far as memberships use them. */
const propertiesOf = (text: string): Array<readonly [key: string, value: string]> => {
  const entries: Array<readonly [string, string]> = []
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim()
    if (line === "" || line.startsWith("#") || line.startsWith("!")) continue
    const at = line.search(/[=:]/)
    if (at < 0) throw new MembershipError(`"${line}" is no setting`)
    entries.push([line.slice(0, at).trim(), line.slice(at + 1).trim()])
  }
  return entries
}

export interface ParsedMembers {
  readonly members: ReadonlyArray<Member>
  readonly groups: Groups | undefined
  readonly version: Zxid | undefined
}

/** Reads a membership: a whole configuration's text, or what an operator gives as one. Throws MembershipError. */
export const parseMembers = (text: string): ParsedMembers => {
  const members = new Map<Sid, Member>()
  const groups = new Map<number, ReadonlyArray<Sid>>()
  const weights = new Map<Sid, number>()
  let version: Zxid | undefined
  for (const [key, value] of propertiesOf(text)) {
    if (key.startsWith("server.")) {
      const sid = parseSid(key.slice("server.".length))
      members.set(sid, parseMember(sid, value))
    } else if (key.startsWith("group.")) groups.set(Number(key.slice("group.".length)), value.split(":").map(parseSid))
    else if (key.startsWith("weight.")) weights.set(parseSid(key.slice("weight.".length)), Number(value))
    else if (key === "version") version = Number.parseInt(value, 16)
    else throw new MembershipError(`unrecognised parameter: ${key}`)
  }
  if (version !== undefined && !Number.isSafeInteger(version)) throw new MembershipError("the version is no number")
  const isHierarchical = groups.size > 0 || weights.size > 0
  return { members: [...members.values()], groups: isHierarchical ? { groups, weights } : undefined, version }
}

/** Reads a configuration's text; without a version it is 0. Throws MembershipError. */
export const parseConfiguration = (text: string): Configuration => {
  const { members, groups, version } = parseMembers(text)
  return makeConfiguration(version ?? 0, members, groups)
}
