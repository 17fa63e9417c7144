/** What the admin server tells of the configuration, without the secrets in it. */
import { resolve } from "node:path"
import { type Config, postgresUrlOf } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import type { AdminSettings } from "@zkmesh/service-admin"
import type { Frontends } from "@zkmesh/service-frontend"
import { storeKind } from "./stores.ts"

const SECRET = /password|token|superDigest|sasl\.users|postgres\.url/i
const HIDDEN = "***"

/** Where the checkpoint and the log of a peer are; nothing for a frontend that belongs to none. */
export const dataPlaces = (config: Config, sid: Sid | undefined): readonly [data: string, log: string] => {
  const kind = storeKind(config)
  if (kind === "memory") return ["memory", "memory"]
  const url = sid === undefined ? undefined : postgresUrlOf(config, sid)
  const place =
    kind === "embedded"
      ? `${resolve(config.knobs.dataDir ?? "data")}/postgres`
      : (url ?? "").replace(/^(\w+:\/\/)[^@/]*@/, "$1").replace(/\?.*$/, "")
  return place === "" ? ["", ""] : [`${place}/znodes`, `${place}/log_batch`]
}

/** A line `key=value` of a file, its value hidden if it is a secret. */
const withoutSecret = (line: string): string => {
  const [, before, key] = /^(\s*([^\s=:#!]+)\s*[=: ]\s*)/.exec(line) ?? []
  return before !== undefined && key !== undefined && SECRET.test(key) ? `${before}${HIDDEN}` : line
}

export const adminSettings = (config: Config, sid: Sid | undefined, server: Frontends): AdminSettings => {
  const properties: Record<string, string> = {}
  for (const [key, value] of Object.entries(config.knobs)) {
    if (value !== undefined) properties[key] = SECRET.test(key) ? HIDDEN : String(value)
  }
  return {
    sid: sid ?? 0,
    get configuration() {
      const [frontend] = server.all
      return frontend?.configuration ?? []
    },
    properties,
    initialConfiguration: config.text.split("\n").map(withoutSecret).join("\n"),
    members: config.servers,
    x509SuperUser: config.knobs["X509AuthenticationProvider.superUser"],
    usesForwardedFor: config.knobs["IPAuthenticationProvider.usexforwardedfor"]
  }
}
