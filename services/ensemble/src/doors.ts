/** Where the clients of a frontend come in: a plain port, a TLS port, or both, each a frontend of its own. */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { type Config, ConfigError } from "@zkmesh/config"
import type { FrontendTls } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import type { Endpoint } from "./ports.ts"

export interface Door {
  readonly endpoint: Endpoint
  /** undefined: plain. */
  readonly tls: FrontendTls | undefined
}

/** Certificates as the configuration names them; undefined if it asks for no TLS port. */
export const readTls = ({ knobs }: Config): Effect.Effect<FrontendTls | undefined, ConfigError> =>
  Effect.gen(function* () {
    if (knobs.secureClientPort === undefined) return undefined
    const keyStore = knobs["ssl.keyStore.location"]
    if (keyStore === undefined) {
      return yield* new ConfigError({ key: "secureClientPort", reason: "needs ssl.keyStore.location" })
    }
    const pem = yield* readPem("ssl.keyStore.location", keyStore)
    if (!pem.includes("PRIVATE KEY-----") || !pem.includes("BEGIN CERTIFICATE-----")) {
      const reason = `${keyStore} is no PEM file with a certificate and its key`
      return yield* new ConfigError({ key: "ssl.keyStore.location", reason })
    }
    const trustStore = knobs["ssl.trustStore.location"]
    const ca = trustStore === undefined ? undefined : yield* readPem("ssl.trustStore.location", trustStore)
    return { cert: pem, key: pem, ca, clientAuth: knobs["ssl.clientAuth"] }
  })

const readPem = (key: string, path: string): Effect.Effect<string, ConfigError> =>
  Effect.tryPromise({
    try: () => readFile(resolve(path), "utf8"),
    catch: (cause) =>
      new ConfigError({ key, reason: `cannot be read: ${cause instanceof Error ? cause.message : cause}` })
  })

/** The doors at these endpoints. `secure` has been asked for exactly if there are certificates. */
export const doorsAt = (
  plain: Endpoint | undefined,
  secure: Endpoint | undefined,
  tls: FrontendTls | undefined
): ReadonlyArray<Door> => [
  ...(plain === undefined ? [] : [{ endpoint: plain, tls: undefined }]),
  ...(secure === undefined || tls === undefined ? [] : [{ endpoint: secure, tls }])
]

/** Each door's frontend has an address of its own on the bus. */
export const doorName = (name: string, door: Door): string => (door.tls === undefined ? name : `${name}-tls`)
