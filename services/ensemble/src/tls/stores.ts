/** From the configuration's stores to what a TLS port shows and whom it trusts. */
import { X509Certificate } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { resolve } from "node:path"
import { createSecureContext } from "node:tls"
import { ConfigError, type Knobs } from "@zkmesh/config"
import { TlsError, type TlsMaterial, type TlsSource } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"

/** Whose stores: those for clients, or those that ZooKeeper has for servers among themselves and for the admin server. */
export type Prefix = "ssl" | "ssl.quorum"
type Kind = "keyStore" | "trustStore"

/** How often the files are looked at, if they may be renewed while clients are served. */
const RELOAD_MS = 1000

/** What the stores hold now, found to be usable with these ciphers. */
export const readMaterial = (
  knobs: Knobs,
  prefix: Prefix,
  ciphers: string | undefined
): Effect.Effect<TlsMaterial, ConfigError> =>
  Effect.gen(function* () {
    const material = { ...(yield* readKeys(knobs, prefix)), ...(yield* readTrust(knobs, prefix)) }
    yield* Effect.try({
      try: () => createSecureContext({ ...material, ...(ciphers === undefined ? {} : { ciphers }) } as object),
      catch: (cause) => refusal(`${prefix}.keyStore.location`, `cannot be used: ${messageOf(cause)}`)
    })
    return material
  })

/** Where renewed certificates come from. */
export const sourceOf = (knobs: Knobs, prefix: Prefix, ciphers: string | undefined): TlsSource => {
  const failed = (error: ConfigError) => new TlsError({ message: error.message })
  const keys = [
    `${prefix}.keyStore.location`,
    `${prefix}.keyStore.passwordPath`,
    `${prefix}.trustStore.location`,
    `${prefix}.trustStore.passwordPath`,
    `${prefix}.crlFile`
  ] as const
  const files = keys.flatMap((key) => (knobs[key] === undefined ? [] : [{ key, path: knobs[key] }]))
  const stamps = Effect.forEach(files, ({ key, path }) =>
    reading(key, async () => {
      // Symbolic links are followed: a volume's files are often renewed by turning one over.
      const { ino, size, mtimeMs } = await stat(resolve(path))
      return `${ino}/${size}/${mtimeMs}`
    })
  )
  return {
    read: Effect.mapError(readMaterial(knobs, prefix, ciphers), failed),
    stamp: Effect.mapError(
      Effect.map(stamps, (all) => all.join(" ")),
      failed
    ),
    everyMs: RELOAD_MS
  }
}

const readKeys = (knobs: Knobs, prefix: Prefix): Effect.Effect<TlsMaterial, ConfigError> =>
  Effect.gen(function* () {
    const key = `${prefix}.keyStore.location` as const
    const path = knobs[key] ?? ""
    const password = yield* passwordOf(knobs, prefix, "keyStore")
    if ((yield* typeOf(key, path, knobs[`${prefix}.keyStore.type`])) === "PEM") {
      const pem = yield* readText(key, path)
      if (!pem.includes("PRIVATE KEY-----") || !pem.includes("BEGIN CERTIFICATE-----")) {
        return yield* refusal(key, `${path} is no PEM file with a certificate and its key`)
      }
      return { cert: pem, key: pem, ...(password === undefined ? {} : { passphrase: password }) }
    }
    const { identities } = yield* library
    const store = yield* readStore(key, path, password)
    if (store.keys.length === 0) return yield* refusal(key, `${path} holds no key with its certificate`)
    return identities(store)
  })

const readTrust = (knobs: Knobs, prefix: Prefix): Effect.Effect<TlsMaterial, ConfigError> =>
  Effect.gen(function* () {
    const key = `${prefix}.trustStore.location` as const
    const path = knobs[key]
    const crlFile = knobs[`${prefix}.crlFile`]
    const crl = crlFile === undefined ? {} : { crl: yield* readText(`${prefix}.crlFile`, crlFile) }
    if (path === undefined) return crl
    const password = yield* passwordOf(knobs, prefix, "trustStore")
    const isPem = (yield* typeOf(key, path, knobs[`${prefix}.trustStore.type`])) === "PEM"
    const ca = isPem ? yield* readText(key, path) : (yield* library).anchors(yield* readStore(key, path, password))
    const certificates = ca.match(CERTIFICATE)
    if (certificates === null) {
      return yield* refusal(key, isPem ? `${path} is no PEM file with certificates` : `${path} trusts nobody`)
    }
    yield* warnOfPartial(key, certificates)
    return { ca, ...crl }
  })

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** Java trusts any certificate in a trust store as it is; OpenSSL wants its issuer to be there, too, up to a root. */
const warnOfPartial = (key: string, texts: ReadonlyArray<string>): Effect.Effect<void, ConfigError> =>
  Effect.gen(function* () {
    const all = yield* Effect.try({
      try: () => texts.map((text) => new X509Certificate(text)),
      catch: (cause) => refusal(key, `holds a certificate that cannot be read: ${messageOf(cause)}`)
    })
    const lone = all.filter((one) => !all.some((other) => one.checkIssued(other)))
    for (const { subject } of lone) {
      const name = subject.replaceAll("\n", ",")
      yield* Effect.logWarning(`${key}: ${name} is trusted only with the certificate of whoever issued it beside it`)
    }
  })

/** Loaded by those alone who have stores of Java's. */
const library = Effect.promise(() => import("@zkmesh/keystore"))

const readStore = (key: string, path: string, password: string | undefined) =>
  Effect.gen(function* () {
    const { KeyStoreError, readKeyStore } = yield* library
    const bytes = new Uint8Array(yield* reading(key, () => readFile(resolve(path))))
    return yield* Effect.tryPromise({ try: () => readKeyStore(bytes, password ?? ""), catch: (cause) => cause }).pipe(
      Effect.catch((error) =>
        error instanceof KeyStoreError ? refusal(key, `${path}: ${error.message}`) : Effect.die(error)
      )
    )
  })

/** As in ZooKeeper a file with the password is stronger than the password; the end of its line is none of it. */
const passwordOf = (knobs: Knobs, prefix: Prefix, kind: Kind): Effect.Effect<string | undefined, ConfigError> => {
  const key = `${prefix}.${kind}.passwordPath` as const
  const path = knobs[key]
  if (path === undefined) return Effect.succeed(knobs[`${prefix}.${kind}.password`])
  return Effect.map(readText(key, path), (text) => text.replace(/\r?\n$/, ""))
}

/** What a store is, by what is said or by its name. JKS and PKCS #12 are told apart by what is in them. */
const typeOf = (
  key: string,
  path: string,
  said: string | undefined
): Effect.Effect<"PEM" | "JKS" | "PKCS12", ConfigError> => {
  const type = said?.toUpperCase() ?? BY_EXTENSION.get(/\.[^.]*$/.exec(path)?.[0].toLowerCase() ?? "") ?? "PEM"
  if (type === "PEM" || type === "JKS" || type === "PKCS12") return Effect.succeed(type)
  const reason = `${type} is a form of Bouncy Castle's and is not read here; keytool -importkeystore -deststoretype PKCS12 converts it`
  return Effect.fail(refusal(key, reason))
}

const BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  [".jks", "JKS"],
  [".bcfks", "BCFKS"],
  [".p12", "PKCS12"],
  [".pfx", "PKCS12"]
])

const readText = (key: string, path: string): Effect.Effect<string, ConfigError> =>
  reading(key, () => readFile(resolve(path), "utf8"))

const reading = <A>(key: string, read: () => Promise<A>): Effect.Effect<A, ConfigError> =>
  Effect.tryPromise({ try: read, catch: (cause) => refusal(key, `cannot be read: ${messageOf(cause)}`) })

const refusal = (key: string, reason: string): ConfigError => new ConfigError({ key, reason })

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
