/** A store in which nothing is: of a server that is new, or of one that has lost what it had. Nobody can tell from it. */
import { LogStore, type Recovered, type StoreError } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import type { BroadcastServiceOptions } from "./options.ts"

const isBlank = ({ acceptedEpoch, currentEpoch, checkpoint, last }: Recovered): boolean =>
  acceptedEpoch === 0 && currentEpoch === 0 && checkpoint === 0 && last === 0

/**
 * What was recovered, with what the operator says of a store that is blank: if it is not meant to be, the peer has no vote
 * until an established leader has given it everything, and that is remembered; if it is, it has its vote after all.
 */
export const judged = (
  recovered: Recovered,
  { sid, voters, mayVoteBlank }: BroadcastServiceOptions
): Effect.Effect<Recovered, StoreError, LogStore> =>
  Effect.gen(function* () {
    if (mayVoteBlank === undefined || !isBlank(recovered) || !voters.includes(sid)) return recovered
    const store = yield* LogStore
    const isTrusted = yield* mayVoteBlank
    const { rebuilding, ...rest } = recovered
    if (isTrusted) {
      if (rebuilding === true) yield* store.setRebuilt
      return rest
    }
    if (rebuilding !== true) yield* store.setRebuilding
    yield* Effect.logWarning(
      `broadcast.${sid}: nothing is in its database, and db.autocreate=false: it has no vote until the others have given it everything`
    )
    return { ...rest, rebuilding: true }
  })
