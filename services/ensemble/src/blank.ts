/**
 * Whether a server whose database is empty may vote (`db.autocreate`). The file `initialize` in its dataDir says that it is
 * new; it is gone once the server has been one of an ensemble, so that an empty database is a lost one from then on.
 */
import { access, rm } from "node:fs/promises"
import { join, resolve } from "node:path"
import type { Config } from "@zkmesh/config"
import * as Effect from "effect/Effect"

export const INITIALIZE = "initialize"

const markerOf = ({ knobs }: Config): string => join(resolve(knobs.dataDir ?? "data"), INITIALIZE)

export const mayVoteBlank = (config: Config): Effect.Effect<boolean> =>
  Effect.suspend(() => (config.knobs["db.autocreate"] ? Effect.succeed(true) : isThere(markerOf(config))))

const isThere = (path: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    access(path).then(
      () => true,
      () => false
    )
  )

/** The server has begun: takes the file away, if there is one. */
export const begun = (config: Config): Effect.Effect<void> =>
  Effect.tryPromise(() => rm(markerOf(config), { force: true })).pipe(
    Effect.catch(({ cause }) => Effect.logWarning(`${markerOf(config)} cannot be removed: ${String(cause)}`))
  )
