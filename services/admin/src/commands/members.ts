/** Who the ensemble is, as commands tell it: as its members have agreed on it, else as it was configured. */
import { type Member, parseConfiguration } from "@zkmesh/membership"
import type { Stats } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import { type AdminSettings, text } from "./command.ts"

export const membersOf = ({ members }: AdminSettings, stats: Stats): ReadonlyArray<Member> => {
  const agreed = parseConfiguration(text(stats, "configuration")).members
  return agreed.length > 0 ? agreed : members
}

export const memberOf = (settings: AdminSettings, stats: Stats, sid: Sid): Member | undefined =>
  membersOf(settings, stats).find((member) => member.sid === sid)

const colons = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

export const serverAddress = ({ host, quorumPort }: Member): string => colons(host, quorumPort)
export const electionAddress = ({ host, electionPort }: Member): string => colons(host, electionPort)
/** Empty if it takes no clients. */
export const clientAddress = ({ clientHost, clientPort }: Member): string =>
  clientPort === undefined ? "" : colons(clientHost ?? "0.0.0.0", clientPort)
