import { Effect, Schedule } from "effect"
import { FrontendError } from "../options.ts"
import type { FrontendTls, TlsMaterial } from "./options.ts"

/** What a door begins with. */
export interface Certificates {
  readonly tls: FrontendTls
  /** The source's stamp as of this material. */
  readonly stamp: string | undefined
}

/** The certificates as they are now: those that are given, or what their source has. */
export const readCertificates = (
  tls: FrontendTls | undefined
): Effect.Effect<Certificates | undefined, FrontendError> =>
  Effect.gen(function* () {
    if (tls?.source === undefined) return tls && { tls, stamp: undefined }
    const stamp = yield* tls.source.stamp
    return { tls: { ...tls, ...(yield* tls.source.read) }, stamp }
  }).pipe(Effect.mapError((cause) => new FrontendError({ message: cause.message, cause })))

/**
 * Looks for other certificates, for ever. What cannot be read or used is reported, and leaves the old ones in force until
 * it changes again.
 */
export const renewing = ({ tls, stamp }: Certificates, renew: (material: TlsMaterial) => void): Effect.Effect<void> => {
  const { source } = tls
  if (source === undefined) return Effect.void
  let known = stamp
  const look = Effect.gen(function* () {
    const now = yield* source.stamp
    if (now === known) return
    known = now
    const material = yield* source.read
    yield* Effect.try({ try: () => renew(material), catch: (cause) => cause })
    yield* Effect.logInfo("certificates were renewed")
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning(`certificates were not renewed: ${error instanceof Error ? error.message : error}`)
    )
  )
  return look.pipe(Effect.repeat(Schedule.spaced(source.everyMs)), Effect.asVoid)
}
