/** Cipher suites by Java's names, which configurations of ZooKeeper use, and by OpenSSL's. */
import { getCiphers } from "node:tls"
import { ConfigError } from "@zkmesh/config"
import * as Effect from "effect/Effect"

/** `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` → `ECDHE-RSA-AES128-GCM-SHA256`. TLS 1.3 has one set of names. */
const openSslName = (suite: string): string => {
  const [, exchange, cipher] = /^TLS_(.+)_WITH_(.+)$/.exec(suite) ?? []
  if (exchange === undefined || cipher === undefined) return suite
  const name = cipher
    .replace(/^AES_(128|256)_/, "AES$1_")
    .replace("_CBC_", "_")
    .replace(/^CHACHA20_POLY1305_SHA256$/, "CHACHA20_POLY1305")
  const prefix = exchange === "RSA" ? "" : `${exchange}_`
  return `${prefix}${name}`.replaceAll("_", "-")
}

/** OpenSSL's list of these suites; undefined if none are given. */
export const cipherList = (
  suites: ReadonlyArray<string> | undefined
): Effect.Effect<string | undefined, ConfigError> => {
  if (suites === undefined || suites.length === 0) return Effect.succeed(undefined)
  const known = new Set(getCiphers())
  const names = suites.map(openSslName)
  const unknown = suites.filter((_, i) => !known.has(names[i]!.toLowerCase()))
  if (unknown.length === 0) return Effect.succeed(names.join(":"))
  return Effect.fail(new ConfigError({ key: "ssl.ciphersuites", reason: `${unknown.join(", ")}: not known here` }))
}
