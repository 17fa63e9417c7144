/** From the configuration's `ssl.*` to what a TLS port shows and whom it trusts. */
import { readFile, stat } from "node:fs/promises"
import { resolve } from "node:path"
import { createSecureContext } from "node:tls"
import { type Config, ConfigError, type Knobs } from "@zkmesh/config"
import { type FrontendTls, TlsError, type TlsMaterial, type TlsSource } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import { cipherList } from "./ciphers.ts"

/** How often the files are looked at, if they may be renewed while clients are served. */
const RELOAD_MS = 1000

/** Certificates as the configuration names them; undefined if it asks for TLS nowhere. */
export const readTls = ({ knobs }: Config): Effect.Effect<FrontendTls | undefined, ConfigError> =>
  Effect.gen(function* () {
    const unified = knobs["client.portUnification"]
    if (knobs.secureClientPort === undefined && !unified) return undefined
    const asking = unified ? "client.portUnification" : "secureClientPort"
    if (knobs["ssl.keyStore.location"] === undefined) {
      return yield* new ConfigError({ key: asking, reason: "needs ssl.keyStore.location" })
    }
    const read = readMaterial(knobs)
    const material = yield* read
    const ciphers = yield* cipherList(knobs["ssl.ciphersuites"])
    yield* Effect.try({
      try: () => createSecureContext({ ...material, ...(ciphers === undefined ? {} : { ciphers }) } as object),
      catch: (cause) => {
        const reason = `cannot be used: ${cause instanceof Error ? cause.message : cause}`
        return new ConfigError({ key: "ssl.keyStore.location", reason })
      }
    })
    const versions = knobs["ssl.enabledProtocols"] ?? knobs["ssl.protocol"]
    return {
      ...material,
      clientAuth: knobs["ssl.clientAuth"],
      unified,
      source: knobs["client.certReload"] ? sourceOf(knobs, read) : undefined,
      minVersion: versions?.includes("TLSv1.2") === false ? "TLSv1.3" : "TLSv1.2",
      maxVersion: versions?.includes("TLSv1.3") === false ? "TLSv1.2" : "TLSv1.3",
      ciphers,
      maxHandshakes: limitOf(knobs["netty.server.outstandingHandshake.limit"]),
      detectionTimeoutMs: knobs["ssl.handshakeDetectionTimeoutMillis"],
      superUser: knobs["X509AuthenticationProvider.superUser"]
    }
  })

const limitOf = (limit: number): number | undefined => (limit === -1 ? undefined : limit)

const sourceOf = (knobs: Knobs, read: Effect.Effect<TlsMaterial, ConfigError>): TlsSource => {
  const failed = (error: ConfigError) => new TlsError({ message: error.message })
  const files = FILES.flatMap((key) => (knobs[key] === undefined ? [] : [{ key, path: knobs[key] }]))
  const stamps = Effect.forEach(files, ({ key, path }) =>
    reading(key, async () => {
      // Symbolic links are followed: a volume's files are often renewed by turning one over.
      const { ino, size, mtimeMs } = await stat(resolve(path))
      return `${ino}/${size}/${mtimeMs}`
    })
  )
  return {
    read: Effect.mapError(read, failed),
    stamp: Effect.mapError(
      Effect.map(stamps, (all) => all.join(" ")),
      failed
    ),
    everyMs: RELOAD_MS
  }
}

const FILES = ["ssl.keyStore.location", "ssl.keyStore.passwordPath", "ssl.trustStore.location", "ssl.crlFile"] as const
type PathKey = (typeof FILES)[number]

const readMaterial = (knobs: Knobs): Effect.Effect<TlsMaterial, ConfigError> =>
  Effect.gen(function* () {
    const keyStore = "ssl.keyStore.location"
    const path = knobs[keyStore] ?? ""
    const passphrase = yield* password(knobs)
    const trust = yield* readTrust(knobs)
    if ((yield* typeOf(keyStore, path, knobs["ssl.keyStore.type"])) === "PKCS12") {
      const pfx = new Uint8Array(yield* reading(keyStore, () => readFile(resolve(path))))
      return { pfx, passphrase: passphrase ?? "", ...trust }
    }
    const pem = yield* readText(keyStore, path)
    if (!pem.includes("PRIVATE KEY-----") || !pem.includes("BEGIN CERTIFICATE-----")) {
      return yield* new ConfigError({ key: keyStore, reason: `${path} is no PEM file with a certificate and its key` })
    }
    return { cert: pem, key: pem, ...(passphrase === undefined ? {} : { passphrase }), ...trust }
  })

const readTrust = (knobs: Knobs): Effect.Effect<TlsMaterial, ConfigError> =>
  Effect.gen(function* () {
    const trustStore = "ssl.trustStore.location"
    const path = knobs[trustStore]
    const crlFile = knobs["ssl.crlFile"]
    const crl = crlFile === undefined ? {} : { crl: yield* readText("ssl.crlFile", crlFile) }
    if (path === undefined) return crl
    if ((yield* typeOf(trustStore, path, knobs["ssl.trustStore.type"])) !== "PEM") {
      const reason = "a trust store has to be a PEM file (keytool -exportcert -rfc writes one)"
      return yield* new ConfigError({ key: trustStore, reason })
    }
    const ca = yield* readText(trustStore, path)
    if (!ca.includes("BEGIN CERTIFICATE-----")) {
      return yield* new ConfigError({ key: trustStore, reason: `${path} is no PEM file with certificates` })
    }
    return { ca, ...crl }
  })

const password = (knobs: Knobs): Effect.Effect<string | undefined, ConfigError> => {
  const key = "ssl.keyStore.passwordPath"
  const path = knobs[key]
  if (path === undefined) return Effect.succeed(knobs["ssl.keyStore.password"])
  return Effect.map(readText(key, path), (text) => text.replace(/\r?\n$/, ""))
}

/** What a store is, by what is said or by its name. */
const typeOf = (key: string, path: string, said: string | undefined): Effect.Effect<"PEM" | "PKCS12", ConfigError> => {
  const type = said?.toUpperCase() ?? BY_EXTENSION.get(/\.[^.]*$/.exec(path)?.[0].toLowerCase() ?? "") ?? "PEM"
  if (type === "PEM" || type === "PKCS12") return Effect.succeed(type)
  const reason = `${type} is Java's own form and is not read here; keytool -importkeystore -deststoretype PKCS12 converts it`
  return Effect.fail(new ConfigError({ key, reason }))
}

const BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  [".jks", "JKS"],
  [".bcfks", "BCFKS"],
  [".p12", "PKCS12"],
  [".pfx", "PKCS12"]
])

const readText = (key: PathKey, path: string): Effect.Effect<string, ConfigError> =>
  reading(key, () => readFile(resolve(path), "utf8"))

const reading = <A>(key: PathKey, read: () => Promise<A>): Effect.Effect<A, ConfigError> =>
  Effect.tryPromise({
    try: read,
    catch: (cause) =>
      new ConfigError({ key, reason: `cannot be read: ${cause instanceof Error ? cause.message : cause}` })
  })
