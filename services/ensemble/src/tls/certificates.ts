/** From the configuration's `ssl.*` to TLS at a port for clients, and to HTTPS at the admin server's. */
import { type Config, ConfigError, type Knobs } from "@zkmesh/config"
import type { FrontendTls } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import { cipherList } from "./ciphers.ts"
import { type Prefix, readMaterial, sourceOf } from "./stores.ts"

/** Certificates for clients as the configuration names them; undefined if it asks for TLS nowhere. */
export const readTls = ({ knobs }: Config): Effect.Effect<FrontendTls | undefined, ConfigError> =>
  Effect.gen(function* () {
    const unified = knobs["client.portUnification"]
    if (knobs.secureClientPort === undefined && !unified) return undefined
    const asking = unified ? "client.portUnification" : "secureClientPort"
    if (knobs["ssl.keyStore.location"] === undefined) {
      return yield* new ConfigError({ key: asking, reason: "needs ssl.keyStore.location" })
    }
    yield* checkRevocation(knobs)
    const verifiesHost = knobs["ssl.hostnameVerification"] && knobs["ssl.clientHostnameVerification"]
    return {
      ...(yield* tlsOf(knobs, "ssl", knobs["client.certReload"])),
      clientAuth: knobs["ssl.clientAuth"],
      verifyHost: verifiesHost ? { reverseDns: knobs["ssl.allowReverseDnsLookup"] } : undefined,
      unified,
      maxHandshakes: limitOf(knobs["netty.server.outstandingHandshake.limit"]),
      superUser: knobs["X509AuthenticationProvider.superUser"]
    }
  })

/** The admin server's HTTPS, by the stores that ZooKeeper has for it, or else by those for clients; undefined if it has none. */
export const readAdminTls = ({ knobs }: Config): Effect.Effect<FrontendTls | undefined, ConfigError> =>
  Effect.gen(function* () {
    const forced = knobs["admin.forceHttps"]
    if (!knobs["admin.enableServer"] || !(forced || knobs["admin.portUnification"])) return undefined
    const prefix = knobs["ssl.quorum.keyStore.location"] === undefined ? "ssl" : "ssl.quorum"
    if (knobs[`${prefix}.keyStore.location`] === undefined) {
      const asking = forced ? "admin.forceHttps" : "admin.portUnification"
      return yield* new ConfigError({ key: asking, reason: "needs ssl.quorum.keyStore.location" })
    }
    if (knobs["admin.needClientAuth"] && knobs[`${prefix}.trustStore.location`] === undefined) {
      return yield* new ConfigError({ key: "admin.needClientAuth", reason: `needs ${prefix}.trustStore.location` })
    }
    const isReloaded = prefix === "ssl" ? knobs["client.certReload"] : knobs.sslQuorumReloadCertFiles
    return {
      ...(yield* tlsOf(knobs, prefix, isReloaded)),
      clientAuth: knobs["admin.needClientAuth"] ? "need" : "none",
      unified: !forced,
      superUser: knobs["X509AuthenticationProvider.superUser"]
    }
  })

const tlsOf = (knobs: Knobs, prefix: Prefix, isReloaded: boolean) =>
  Effect.gen(function* () {
    const ciphers = yield* cipherList(knobs["ssl.ciphersuites"])
    const protocol = knobs["ssl.protocol"]
    const versions = knobs["ssl.enabledProtocols"] ?? (protocol === "TLS" ? undefined : protocol)
    return {
      ...(yield* readMaterial(knobs, prefix, ciphers)),
      source: isReloaded ? sourceOf(knobs, prefix, ciphers) : undefined,
      minVersion: versions?.includes("TLSv1.2") === false ? "TLSv1.3" : "TLSv1.2",
      maxVersion: versions?.includes("TLSv1.3") === false ? "TLSv1.2" : "TLSv1.3",
      ciphers,
      detectionTimeoutMs: knobs["ssl.handshakeDetectionTimeoutMillis"]
    } satisfies Partial<FrontendTls>
  })

const checkRevocation = (knobs: Knobs): Effect.Effect<void, ConfigError> => {
  if (knobs["ssl.ocsp"]) {
    const reason = "nobody is asked whether a certificate has been revoked: use ssl.crlFile, and leave this one out"
    return Effect.fail(new ConfigError({ key: "ssl.ocsp", reason }))
  }
  if (knobs["ssl.crl"] && knobs["ssl.crlFile"] === undefined) {
    const reason = "needs ssl.crlFile: lists of revoked certificates are not fetched from whom the certificates name"
    return Effect.fail(new ConfigError({ key: "ssl.crl", reason }))
  }
  return Effect.void
}

const limitOf = (limit: number): number | undefined => (limit === -1 ? undefined : limit)
