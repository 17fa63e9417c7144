/** `server.N` lines of a configuration file: what they mean is the membership's business. */
import { type Member, MembershipError, parseMember, parseSid } from "@zkmesh/membership"
import { ConfigError } from "./errors.ts"

export { formatMember as formatServer, MAX_SID } from "@zkmesh/membership"
export type Server = Member

/** Reads the value of `server.<n>`. Throws ConfigError. */
export const parseServer = (key: string, value: string, source: string): Server => {
  try {
    return parseMember(parseSid(key.slice("server.".length)), value)
  } catch (error) {
    if (error instanceof MembershipError) throw new ConfigError({ key, reason: error.message, source })
    throw error
  }
}
