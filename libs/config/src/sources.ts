/** Where entries come from, weakest first: the placement's own base, zoo.cfg, ZOO_* and ZKMESH_* variables, flags. */
import { ConfigError } from "./errors.ts"
import { Knobs } from "./knobs.ts"
import { MalformedEscape, parseProperties } from "./properties.ts"
import { nearest } from "./suggest.ts"

export interface Entry {
  readonly key: string
  readonly value: string
  readonly source: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Families of keys: the part before the number. */
export const FAMILIES: ReadonlyArray<string> = ["server.", "postgres.url."]

/** True for `server.1`, `postgres.url.12`… */
export const isFamily = (key: string): boolean =>
  FAMILIES.some((family) => key.startsWith(family) && /^\d+$/.test(key.slice(family.length)))

/** The entries of a properties text. Throws ConfigError. */
export const fileEntries = (text: string, name: string): ReadonlyArray<Entry> => {
  try {
    return parseProperties(text).map(({ key, value, line }) => ({
      key: key.trim(),
      value: value.trim(),
      source: `${name}:${line}`
    }))
  } catch (error) {
    if (error instanceof MalformedEscape) {
      throw new ConfigError({ key: "", reason: error.message, source: `${name}:${error.line}` })
    }
    throw error
  }
}

/** `postgres.url` → `ZKMESH_POSTGRES_URL`. */
export const variableOf = (key: string): string => `ZKMESH_${key.replaceAll(/[.-]/g, "_").toUpperCase()}`

/** True for a variable that a knob or a family of keys reads. */
export const isVariable = (variable: string): boolean =>
  familyOf(variable) !== undefined || Object.keys(Knobs.fields).some((key) => variableOf(key) === variable)

/** The variables of ZooKeeper's container image that mean something here. */
const IMAGE: Readonly<Record<string, string>> = {
  ZOO_MY_ID: "peer.id",
  ZOO_TICK_TIME: "tickTime",
  ZOO_INIT_LIMIT: "initLimit",
  ZOO_SYNC_LIMIT: "syncLimit",
  ZOO_MAX_CLIENT_CNXNS: "maxClientCnxns",
  ZOO_DATA_DIR: "dataDir",
  ZOO_4LW_COMMANDS_WHITELIST: "4lw.commands.whitelist"
}

/** What docker-compose.yml and the tests read. */
const ELSEWHERE = /^ZKMESH_(SECRETS$|BASE_IMAGES$|FUZZ_SECONDS$|ZOOKEEPER_NEWER$|TEST_)/

/**
 * The entries of the environment. An unknown ZKMESH_ variable is only a notice: orchestrators put variables of their own
 * there (Kubernetes names some after a service called zkmesh). An empty variable is an absent one.
 */
export const environmentEntries = (
  environment: Environment
): { readonly entries: ReadonlyArray<Entry>; readonly notices: ReadonlyArray<string> } => {
  const image: Array<Entry> = []
  const own: Array<Entry> = []
  const notices: Array<string> = []
  const keys = new Map(Object.keys(Knobs.fields).map((key) => [variableOf(key), key]))
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || value === "") continue
    if (variable === "ZOO_SERVERS") image.push(...imageServers(value))
    else if (IMAGE[variable] !== undefined) image.push({ key: IMAGE[variable], value, source: variable })
    else if (variable.startsWith("ZKMESH_") && !ELSEWHERE.test(variable)) {
      const key = keys.get(variable) ?? familyOf(variable)
      if (key !== undefined) own.push({ key, value, source: variable })
      else notices.push(`environment variable ${variable} is none of ours${didYouMean(variable, keys.keys())}`)
    }
  }
  return { entries: [...image, ...own], notices }
}

const familyOf = (variable: string): string | undefined => {
  for (const family of FAMILIES) {
    const prefix = variableOf(family)
    const number = variable.slice(prefix.length)
    if (variable.startsWith(prefix) && /^\d+$/.test(number)) return `${family}${Number(number)}`
  }
  return undefined
}

/** `server.1=zoo1:2888:3888;2181 server.2=…`, separated by blanks. */
const imageServers = (value: string): ReadonlyArray<Entry> =>
  value
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => {
      const at = word.indexOf("=")
      if (at < 0) throw new ConfigError({ key: word, reason: "expected server.N=…", source: "ZOO_SERVERS" })
      return { key: word.slice(0, at), value: word.slice(at + 1), source: "ZOO_SERVERS" }
    })

/** `; did you mean tickTime?`, or nothing. */
export const didYouMean = (word: string, known: Iterable<string>): string => {
  const near = nearest(word, known)
  return near === undefined ? "" : `; did you mean ${near}?`
}
