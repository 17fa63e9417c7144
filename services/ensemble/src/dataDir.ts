/** The data directory of the ensemble placement: ours or not, and whose data it holds. */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ConfigError } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isDaemonFile } from "./daemon/record.ts"

const MARKER = "zkmesh.json"
/** What a kill while the marker was being written leaves behind. */
const UNFINISHED = `${MARKER}.new`

const Marker = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(1),
    voters: Schema.Array(Schema.Int),
    observers: Schema.Array(Schema.Int),
    configuration: Schema.optional(Schema.String)
  })
)

/** Who keeps data in a directory. */
export interface Membership {
  readonly voters: ReadonlyArray<Sid>
  readonly observers: ReadonlyArray<Sid>
  /** What the ensemble has agreed on since it began, as in `/zookeeper/config`; absent if it was never reconfigured. */
  readonly configuration?: string | undefined
}

/** Whose data is in `directory`: undefined if it does not exist or is empty; an error if it holds anything else. */
export const inspectDataDir = (directory: string): Effect.Effect<Membership | undefined, ConfigError> =>
  Effect.gen(function* () {
    const refuse = (reason: string) => new ConfigError({ key: "", reason, source: directory })
    const names = yield* Effect.tryPromise({
      try: (): Promise<ReadonlyArray<string>> => readdir(directory),
      catch: (cause) => cause as NodeJS.ErrnoException
    }).pipe(
      Effect.catchIf(
        (error) => error.code === "ENOENT",
        () => Effect.succeed<ReadonlyArray<string>>([])
      ),
      Effect.mapError((error) => refuse(`cannot be read: ${error.message}`))
    )
    if (names.every((name) => name === UNFINISHED || isDaemonFile(name))) return undefined
    if (!names.includes(MARKER)) {
      return yield* refuse(
        `this is no data directory of zkmesh (it is not empty and has no ${MARKER}): choose another with --data`
      )
    }
    const text = yield* Effect.tryPromise({
      try: () => readFile(join(directory, MARKER), "utf8"),
      catch: (cause) => refuse(`${MARKER} cannot be read: ${String(cause)}`)
    })
    const marker = Schema.decodeUnknownResult(Marker)(text)
    if (Result.isFailure(marker))
      return yield* refuse(`${MARKER} is damaged, or of a version that this one cannot read`)
    const { voters, observers, configuration } = marker.success
    return { voters, observers, ...(configuration === undefined ? {} : { configuration }) }
  })

/**
 * Makes the directory ours. Peers may not be added to data or taken from it (only observers, which have no vote): a quorum
 * of the new ensemble need not meet every quorum of the old, and could elect a leader that lacks what was acknowledged.
 */
export const claimDataDir = (
  directory: string,
  found: Membership | undefined,
  wanted: Membership
): Effect.Effect<void, ConfigError> =>
  Effect.gen(function* () {
    if (found !== undefined && found.voters.join() !== wanted.voters.join()) {
      const reason = `holds the data of ${found.voters.length} voting peers (${found.voters.join(", ")}), not of ${wanted.voters.length} (${wanted.voters.join(", ")}): start it as it was, or choose another directory with --data`
      return yield* new ConfigError({ key: "", reason, source: directory })
    }
    if (found !== undefined && found.observers.join() === wanted.observers.join()) return
    yield* recordMembership(directory, wanted)
  })

/** Remembers whose data it is, for the next start. */
export const recordMembership = (directory: string, members: Membership): Effect.Effect<void, ConfigError> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, UNFINISHED), `${JSON.stringify({ format: 1, ...members })}\n`)
      await rename(join(directory, UNFINISHED), join(directory, MARKER))
    },
    catch: (cause) =>
      new ConfigError({
        key: "",
        reason: `cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
        source: directory
      })
  })
