/** From the configuration to how clients prove who they are. */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { type Config, ConfigError, type Knobs } from "@zkmesh/config"
import { type Authentication, DEFAULT_AUTHENTICATION, type SaslUsers } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import { jaasUsers } from "./jaas.ts"

/** Who SASLAuthenticationProvider.superPassword is the password of. */
const SUPER = "super"
const SCHEMES = ["digest", "sasl", "x509", "ip"]

export const readAuthentication = ({ knobs }: Config): Effect.Effect<Authentication, ConfigError> =>
  Effect.gen(function* () {
    const sasl = yield* readUsers(knobs)
    const required = yield* requiredSchemes(knobs)
    if (required.includes("sasl") && sasl === undefined) {
      const reason = "asks for SASL, but there is no user: give jaasLoginConfig or sasl.users"
      const key = knobs.sessionRequireClientSASLAuth ? "sessionRequireClientSASLAuth" : "enforce.auth.schemes"
      return yield* new ConfigError({ key, reason })
    }
    return {
      ...DEFAULT_AUTHENTICATION,
      digest: {
        isEnabled: knobs["DigestAuthenticationProvider.enabled"],
        algorithm: nodeName(knobs["DigestAuthenticationProvider.digestAlg"])
      },
      superDigest: knobs["DigestAuthenticationProvider.superDigest"],
      sasl,
      allowsFailedSasl: knobs.allowSaslFailedClients,
      required
    }
  })

/** Java's SHA-1, or SHA1, is Node's sha1; its SHA3-256 is Node's sha3-256. */
const nodeName = (algorithm: string): string => algorithm.toLowerCase().replace(/^sha-/, "sha")

const requiredSchemes = (knobs: Knobs): Effect.Effect<ReadonlyArray<string>, ConfigError> => {
  const schemes = knobs["enforce.auth.enabled"] ? (knobs["enforce.auth.schemes"] ?? []) : []
  const key = "enforce.auth.schemes"
  if (knobs["enforce.auth.enabled"] && schemes.length === 0) {
    return Effect.fail(new ConfigError({ key, reason: "enforce.auth.enabled needs at least one" }))
  }
  const unknown = schemes.filter((scheme) => !SCHEMES.includes(scheme))
  if (unknown.length > 0) {
    return Effect.fail(new ConfigError({ key, reason: `${unknown.join(", ")}: expected ${SCHEMES.join(", ")}` }))
  }
  return Effect.succeed(knobs.sessionRequireClientSASLAuth ? ["sasl", ...schemes] : schemes)
}

const readUsers = (knobs: Knobs): Effect.Effect<SaslUsers | undefined, ConfigError> =>
  Effect.gen(function* () {
    const passwords = new Map(yield* readJaas(knobs.jaasLoginConfig))
    for (const [index, entry] of (knobs["sasl.users"] ?? []).entries()) {
      const colon = entry.indexOf(":")
      if (colon < 1 || colon === entry.length - 1) {
        return yield* new ConfigError({ key: "sasl.users", reason: `entry ${index + 1} is not user:password` })
      }
      passwords.set(entry.slice(0, colon), entry.slice(colon + 1))
    }
    const superPassword = knobs["SASLAuthenticationProvider.superPassword"]
    if (superPassword !== undefined) passwords.set(SUPER, superPassword)
    if (passwords.size === 0) return undefined
    return { passwords, superUsers: new Set(knobs.superUser ?? []) }
  })

const readJaas = (path: string | undefined): Effect.Effect<ReadonlyMap<string, string>, ConfigError> =>
  Effect.gen(function* () {
    if (path === undefined) return new Map<string, string>()
    const key = "jaasLoginConfig"
    const text = yield* Effect.tryPromise({
      try: () => readFile(resolve(path), "utf8"),
      catch: (cause) =>
        new ConfigError({ key, reason: `cannot be read: ${cause instanceof Error ? cause.message : cause}` })
    })
    const users = jaasUsers(text)
    return typeof users === "string" ? yield* new ConfigError({ key, reason: `${path} ${users}` }) : users
  })
