import { readFile } from "node:fs/promises"
import { MembershipError, makeConfiguration } from "@zkmesh/membership"
import type { Sid } from "@zkmesh/numbers"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Issue } from "effect/SchemaIssue"
import { makeFormatterStandardSchemaV1 } from "effect/SchemaIssue"
import { ConfigError } from "./errors.ts"
import { foreign } from "./foreign.ts"
import { Knobs } from "./knobs.ts"
import { fileVariables, withFiles } from "./secretFiles.ts"
import { parseServer, type Server } from "./servers.ts"
import { didYouMean, type Entry, type Environment, environmentEntries, fileEntries, isFamily } from "./sources.ts"

/** A configuration that has been read and found possible. */
export interface Config {
  readonly knobs: Knobs
  /** By ascending sid; empty if the configuration names none. */
  readonly servers: ReadonlyArray<Server>
  /** What the servers are as ZooKeeper writes it, groups and weights included; undefined if there are none. */
  readonly membership: string | undefined
  /** `postgres.url.N` → its URL. */
  readonly postgresUrls: ReadonlyMap<Sid, string>
  /** Of the file, as it is; empty without one. */
  readonly text: string
  /** To be logged once: keys that were accepted and mean nothing here, and other things worth knowing. */
  readonly notices: ReadonlyArray<string>
}

export interface Sources {
  /** The placement's own defaults, weaker than all else. */
  readonly base?: Readonly<Record<string, string>>
  /** zoo.cfg, and the name to report it by. */
  readonly file?: { readonly name: string; readonly text: string }
  /** What `dynamicConfigFile` in it names, likewise. */
  readonly dynamicFile?: { readonly name: string; readonly text: string }
  readonly environment?: Environment
  /** What the command line says: key → (value, name of the flag). */
  readonly flags?: ReadonlyArray<Entry>
}

/**
 * Reads zoo.cfg at `path` (if any) and joins it with the other sources. Where a variable of the environment ends in
 * `_FILE`, its value is what that file holds.
 */
export const loadConfig = (
  path: string | undefined,
  sources: Omit<Sources, "file">
): Effect.Effect<Config, ConfigError> =>
  Effect.gen(function* () {
    const given = { ...sources, environment: yield* readVariables(sources.environment ?? {}) }
    if (path === undefined) return yield* readConfig(given)
    const file = yield* readText(path)
    const dynamic = yield* attempt(() => dynamicFileOf(file))
    return yield* readConfig({
      ...given,
      file,
      ...(dynamic === undefined ? {} : { dynamicFile: yield* readText(dynamic) })
    })
  })

const readVariables = (environment: Environment): Effect.Effect<Environment, ConfigError> =>
  Effect.gen(function* () {
    const texts = new Map<string, string>()
    for (const { path, source } of fileVariables(environment)) {
      texts.set(source, (yield* readText(path, `${source}: ${path}`)).text)
    }
    return yield* attempt(() => withFiles(environment, texts))
  })

const readText = (name: string, source = name) =>
  Effect.tryPromise({
    try: async () => ({ name, text: await readFile(name, "utf8") }),
    catch: (cause) => new ConfigError({ key: "", reason: cannotRead(cause), source })
  })

const dynamicFileOf = ({ name, text }: { readonly name: string; readonly text: string }): string | undefined =>
  fileEntries(text, name).findLast(({ key }) => key === "dynamicConfigFile")?.value

const cannotRead = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "ENOENT") return "there is no such file"
  if (code === "EISDIR") return "this is a directory, not a file"
  return `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
}

/** Joins the sources, refuses what is unknown, and checks that what they say can be run. */
export const readConfig = (sources: Sources): Effect.Effect<Config, ConfigError> => attempt(() => read(sources))

const attempt = <A>(use: () => A): Effect.Effect<A, ConfigError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(use())
    } catch (error) {
      return error instanceof ConfigError ? Effect.fail(error) : Effect.die(error)
    }
  })

const read = (sources: Sources): Config => {
  const notices: Array<string> = []
  const entries = collect(sources, notices)
  const encoded: Record<string, string> = {}
  const servers = new Map<Sid, Server>()
  const postgresUrls = new Map<Sid, string>()
  const groups = new Map<number, ReadonlyArray<Sid>>()
  const weights = new Map<Sid, number>()
  const superUsers: Array<string> = []
  for (const entry of entries.values()) {
    const { key, value, source } = entry
    if (Object.hasOwn(Knobs.fields, key)) encoded[key] = value
    else if (/^server\..*$/.test(key)) {
      const server = parseServer(key, value, source)
      if (servers.has(server.sid)) throw new ConfigError({ key, reason: `server ${server.sid} is given twice`, source })
      servers.set(server.sid, server)
    } else if (/^group\.\d+$/.test(key)) groups.set(Number(key.slice(6)), value.split(":").map(Number))
    else if (/^weight\.\d+$/.test(key)) weights.set(Number(key.slice(7)), Number(value))
    else if (/^superUser\.\d+$/.test(key)) superUsers.push(value)
    else if (isFamily(key)) postgresUrls.set(Number(key.slice("postgres.url.".length)), value)
    else judgeForeign(entry, notices)
  }
  if (superUsers.length > 0) encoded["superUser"] = [encoded["superUser"] ?? "", ...superUsers].join(",")
  const knobs = decode(encoded, entries)
  const config: Config = {
    knobs,
    servers: [...servers.values()].sort((a, b) => a.sid - b.sid),
    membership: membershipOf([...servers.values()], groups, weights),
    postgresUrls,
    text: sources.file?.text ?? "",
    notices
  }
  check(config, (key, reason) => {
    const source = entries.get(key)?.source
    return new ConfigError(source === undefined ? { key, reason } : { key, reason, source })
  })
  const voters = config.servers.filter((server) => server.role === "participant").length
  if (voters > 0 && voters % 2 === 0) {
    notices.push(`${voters} voting peers survive no more failures than ${voters - 1}: an odd number is better`)
  }
  if (knobs.reconfigEnabled && !observersSync(knobs)) {
    notices.push(
      "syncEnabled=false has no effect beside reconfigEnabled: an observer may come to vote, and voters keep a log"
    )
  }
  return config
}

/** Whether observers are to write what they learn to a disk. */
const observersSync = (knobs: Knobs): boolean => knobs["observer.syncEnabled"] ?? knobs.syncEnabled

/** Whether a peer that observes keeps its log in memory alone. Who votes, or may come to vote, never does. */
export const observesInMemory = ({ knobs }: Pick<Config, "knobs">): boolean =>
  !knobs.reconfigEnabled && !observersSync(knobs)

/** As a text of version 0: nobody has agreed on it. Throws ConfigError if groups do not fit. */
const membershipOf = (
  servers: ReadonlyArray<Server>,
  groups: ReadonlyMap<number, ReadonlyArray<Sid>>,
  weights: ReadonlyMap<Sid, number>
): string | undefined => {
  const isHierarchical = groups.size > 0 || weights.size > 0
  if (servers.length === 0 && !isHierarchical) return undefined
  try {
    return makeConfiguration(0, servers, isHierarchical ? { groups, weights } : undefined).text
  } catch (error) {
    if (error instanceof MembershipError) throw new ConfigError({ key: "group.N", reason: error.message })
    throw error
  }
}

/** By key; a stronger source replaces a weaker one, a later line an earlier. */
const collect = (sources: Sources, notices: Array<string>): ReadonlyMap<string, Entry> => {
  const entries = new Map<string, Entry>()
  const put = (entry: Entry) => entries.set(entry.key, entry)
  for (const [key, value] of Object.entries(sources.base ?? {})) put({ key, value, source: "default" })
  if (sources.file !== undefined) for (const entry of fileEntries(sources.file.text, sources.file.name)) put(entry)
  if (sources.dynamicFile !== undefined) {
    for (const entry of membersOnly(sources.dynamicFile, [...entries.keys()])) put(entry)
  }
  const environment = environmentEntries(sources.environment ?? {})
  notices.push(...environment.notices)
  for (const entry of environment.entries) put(entry)
  for (const entry of sources.flags ?? []) put(entry)
  return entries
}

const MEMBERSHIP = /^(server|group|weight)\./

/** A dynamic file holds the whole membership and nothing else. */
const membersOnly = (file: { readonly name: string; readonly text: string }, known: ReadonlyArray<string>) => {
  const stray = known.find((key) => MEMBERSHIP.test(key))
  if (stray !== undefined) {
    throw new ConfigError({ key: stray, reason: `belongs into ${file.name}, the dynamicConfigFile` })
  }
  const found = fileEntries(file.text, file.name)
  const other = found.find(({ key }) => !MEMBERSHIP.test(key))
  if (other !== undefined) {
    throw new ConfigError({ key: other.key, reason: "does not belong into a dynamicConfigFile", source: other.source })
  }
  return found
}

const judgeForeign = ({ key, value, source }: Entry, notices: Array<string>): void => {
  const why = foreign(key)
  if (why !== undefined) {
    if (key === "electionAlg" && value !== "3") {
      throw new ConfigError({ key, reason: "only 3 (FastLeaderElection) exists", source })
    }
    notices.push(`${source}: ${key} has no effect: ${why}`)
    return
  }
  const bare = key.startsWith("zookeeper.") ? key.slice("zookeeper.".length) : undefined
  const hint =
    bare !== undefined && (Object.hasOwn(Knobs.fields, bare) || foreign(bare) !== undefined)
      ? `; in zoo.cfg it is written ${bare}`
      : didYouMean(key, [...Object.keys(Knobs.fields), "dataLogDir", "secureClientPort"])
  throw new ConfigError({ key, reason: `unknown key${hint}`, source })
}

/** Values that do not belong into a terminal or a log. */
const SECRET = /password|token|url|sasl\.users/i

const format = makeFormatterStandardSchemaV1()

const decode = (encoded: Readonly<Record<string, string>>, entries: ReadonlyMap<string, Entry>): Knobs => {
  const result = Schema.decodeUnknownResult(Knobs)(encoded)
  if (Result.isSuccess(result)) return result.success
  const issue: Issue = result.failure.issue
  const { message, path } = format(issue).issues[0]!
  const key = String(path?.[0] ?? "")
  const entry = entries.get(key)
  const reason = message.charAt(0).toLowerCase() + message.slice(1)
  if (entry === undefined) throw new ConfigError({ key, reason })
  const given = SECRET.test(key) ? "" : `, got "${entry.value}"`
  throw new ConfigError({ key, reason: reason + given, source: entry.source })
}

const check = ({ knobs, servers, postgresUrls }: Config, error: (key: string, reason: string) => ConfigError): void => {
  if (knobs.clientPortAddress !== undefined && knobs.clientPort === undefined) {
    throw error("clientPortAddress", "needs clientPort")
  }
  const { minMs, maxMs } = sessionTimeouts(knobs)
  if (minMs > maxMs) throw error("minSessionTimeout", `${minMs} ms is more than maxSessionTimeout, ${maxMs} ms`)
  if (knobs["fastleader.minNotificationInterval"] > knobs["fastleader.maxNotificationInterval"]) {
    throw error("fastleader.minNotificationInterval", "is more than fastleader.maxNotificationInterval")
  }
  if (knobs["restart.minMs"] > knobs["restart.maxMs"]) throw error("restart.minMs", "is more than restart.maxMs")
  if ((knobs["nats.user"] === undefined) !== (knobs["nats.password"] === undefined)) {
    throw error("nats.user", "nats.user and nats.password go together")
  }
  if (knobs["nats.token"] !== undefined && knobs["nats.user"] !== undefined) {
    throw error("nats.token", "either a token, or user and password")
  }
  if ((knobs["nats.tls.cert"] === undefined) !== (knobs["nats.tls.key"] === undefined)) {
    throw error("nats.tls.cert", "nats.tls.cert and nats.tls.key go together")
  }
  if (servers.length > 0 && !servers.some((server) => server.role === "participant")) {
    throw error(`server.${servers[0]!.sid}`, "all servers are observers: somebody must vote")
  }
  if (servers.length > 0) {
    for (const sid of postgresUrls.keys()) {
      // Of an ensemble that may grow, the databases of those to come may be known.
      if (!knobs.reconfigEnabled && !servers.some((server) => server.sid === sid)) {
        throw error(`postgres.url.${sid}`, `there is no server.${sid}`)
      }
    }
  }
  const owners = new Map<string, Sid>()
  for (const { sid } of servers) {
    const url = postgresUrlOf({ knobs, postgresUrls }, sid)
    if (url === undefined) continue
    const owner = owners.get(url)
    if (owner !== undefined) {
      const key = postgresUrls.has(sid) ? `postgres.url.${sid}` : "postgres.url"
      throw error(key, `peers ${owner} and ${sid} would share one database; write {id} where the peer's id belongs`)
    }
    owners.set(url, sid)
  }
}

/** The bounds of session timeouts, with ZooKeeper's multiples of tickTime where none are given. */
export const sessionTimeouts = (knobs: Knobs): { readonly minMs: number; readonly maxMs: number } => ({
  minMs: knobs.minSessionTimeout === -1 ? knobs.tickTime * 2 : knobs.minSessionTimeout,
  maxMs: knobs.maxSessionTimeout === -1 ? knobs.tickTime * 20 : knobs.maxSessionTimeout
})

/** The URL of a peer's database: its own, or the common one with the peer's id in it; with postgres.password if it has none. */
export const postgresUrlOf = (
  { knobs, postgresUrls }: Pick<Config, "knobs" | "postgresUrls">,
  sid: Sid
): string | undefined => {
  const url = postgresUrls.get(sid) ?? knobs["postgres.url"]?.replaceAll("{id}", String(sid))
  const password = knobs["postgres.password"]
  if (url === undefined || password === undefined) return url
  return url.replace(/^(\w+:\/\/[^:@/]+)@/, (_, user: string) => `${user}:${encodeURIComponent(password)}@`)
}
