/** `check`: whether a configuration can be run, and what it comes to. */
import { type Config, type ConfigError, formatServer, type KnobKey, Knobs, readConfig } from "@zkmesh/config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { peerId } from "./server.ts"
import { storeKind } from "./stores.ts"
import { readAdminTls, readTls } from "./tls/certificates.ts"

/** Values that do not belong on a screen. */
const SECRET = /password|token|digest|sasl\.users/i
/** Nor what is in a URL between the user and the host. */
const withoutPassword = (text: string): string => text.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/, "$1:***@")

const shown = (key: string, value: unknown): string => {
  if (SECRET.test(key)) return "***"
  return withoutPassword(Array.isArray(value) ? value.join(",") : String(value))
}

/** One line per key that has a value: `key=value`, with a note where it is the default. */
const effective = (config: Config, defaults: Config): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const key of Object.keys(Knobs.fields) as ReadonlyArray<KnobKey>) {
    const value: unknown = config.knobs[key]
    if (value === undefined) continue
    const isDefault = JSON.stringify(value) === JSON.stringify(defaults.knobs[key])
    lines.push(`${key}=${shown(key, value)}${isDefault ? "    # default" : ""}`)
  }
  lines.push(...config.servers.map(formatServer))
  for (const [sid, url] of config.postgresUrls) lines.push(`postgres.url.${sid}=${withoutPassword(url)}`)
  return lines
}

/**
 * Prints what a configuration comes to, and on stderr what is worth a warning. What makes it impossible to run is the
 * ConfigError that a start would end with, naming its key. Without an id the question which peer this is stays open.
 */
export const checkConfiguration = (config: Config, hasId: boolean): Effect.Effect<void, ConfigError> =>
  Effect.gen(function* () {
    const defaults = yield* readConfig({})
    if (hasId) yield* peerId(config)
    yield* readTls(config)
    yield* readAdminTls(config)
    for (const line of effective(config, defaults)) yield* Console.log(line)
    for (const notice of config.notices) yield* Console.error(`warning: ${notice}`)
    const { servers } = config
    const voters = servers.filter((server) => server.role === "participant").length
    const peers = servers.length === 0 ? "no servers named" : `${voters} voting, ${servers.length - voters} observing`
    yield* Console.log(`# ${peers}, store ${storeKind(config)}: this can be run`)
  })
