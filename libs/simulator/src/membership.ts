/** Ensembles that change: what is in each server's file at first, and what an operator asks for. */
import {
  type Configuration,
  configurationAt,
  formatMember,
  type Member,
  makeConfiguration,
  RECONFIG
} from "@zkmesh/membership"
import type { Sid } from "@zkmesh/numbers"
import type { EntryReader } from "@zkmesh/txn"
import type { Operation } from "./clients/operations.ts"

type Reconfig = Extract<Operation, { kind: "reconfig" }>
type Role = Member["role"]

const memberOf = (sid: Sid, role: Role): Member => ({
  sid,
  host: `10.0.0.${sid}`,
  quorumPort: 2888,
  electionPort: 3888,
  role,
  clientHost: undefined,
  clientPort: 2181
})

/** As it is before anybody has agreed on anything. */
export const configurationOf = (voters: ReadonlyArray<Sid>, observers: ReadonlyArray<Sid>): Configuration =>
  makeConfiguration(0, [
    ...voters.map((sid) => memberOf(sid, "participant")),
    ...observers.map((sid) => memberOf(sid, "observer"))
  ])

/** What makes the members those of `target`, which may be said in two ways: what changes, or (`whole`) what is to be. */
export const reconfigTo = (current: Configuration, target: Configuration, whole: boolean): Reconfig => {
  const request = { kind: "reconfig", joining: null, leaving: null, members: null } as const
  if (whole) return { ...request, members: target.members.map(formatMember).join(",") }
  const before = rolesOf(current)
  const after = rolesOf(target)
  const joining = target.members.filter(({ sid, role }) => before.get(sid) !== role).map(formatMember)
  const leaving = current.members.filter(({ sid }) => !after.has(sid)).map(({ sid }) => sid)
  return { ...request, joining: joining.join(","), leaving: leaving.join(",") }
}

export const rolesOf = ({ members }: Configuration): Map<Sid, Role> =>
  new Map(members.map(({ sid, role }) => [sid, role]))

/** The roles that a request asks for, if `current` is what it changes: worked out once more, and as simply as can be. */
export const rolesAfter = (current: Configuration, { joining, leaving, members }: Reconfig): Map<Sid, Role> => {
  const roles = members === null ? rolesOf(current) : new Map<Sid, Role>()
  for (const sid of (leaving ?? "").split(",")) roles.delete(Number(sid))
  for (const line of (members ?? joining ?? "").split(",")) {
    const [, sid, role] = /^server\.(\d+)=.*:(participant|observer)/.exec(line) ?? []
    if (sid !== undefined) roles.set(Number(sid), role as Role)
  }
  return roles
}

/** The configuration that a transaction brings, if it is a reconfiguration. */
export const configurationIn = (entry: EntryReader): Configuration | undefined =>
  entry.type === RECONFIG ? configurationAt(entry) : undefined

/** The same members, each as before. */
export const sameRoles = (a: ReadonlyMap<Sid, Role>, b: ReadonlyMap<Sid, Role>): boolean =>
  a.size === b.size && [...a].every(([sid, role]) => b.get(sid) === role)
