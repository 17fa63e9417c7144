/** A peer whose store is corrupt does not serve it: the store is kept aside, and rebuilt from the other peers'. */
import { type Configuration, configurationOfVoters, parseConfiguration, type Quorum } from "@zkmesh/membership"
import { hex, type Sid } from "@zkmesh/numbers"
import { LogStore, type StoredConfiguration, StoreError } from "@zkmesh/store"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { StoreLayer } from "./peer.ts"
import type { Mend } from "./restart.ts"

/** Which peer it is, and who votes as long as nothing else has been agreed on. */
interface Voter {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
}

/**
 * What to do after a failure: nothing, unless it was a corrupt store. That is set aside if the others can make a leader
 * without this peer, for what it had acknowledged it can only learn again from one that did not need its vote.
 */
export const settingAside =
  ({ sid, voters }: Voter, store: StoreLayer): Mend =>
  (cause) => {
    const corruption = corruptionIn(Cause.squash(cause))
    if (corruption === undefined) return Effect.succeed(undefined)
    const objection = (known: StoredConfiguration): string | undefined => {
      const needed = configurationsIn(known, voters).find(({ quorum }) => !hasQuorumWithout(quorum, sid))
      if (needed === undefined) return undefined
      const where = needed.version === 0 ? "" : ` in the configuration of ${hex(needed.version)}`
      return `the others are no majority that it could be rebuilt from${where}: restore a backup, or repair it by hand`
    }
    return Effect.gen(function* () {
      const log = yield* LogStore
      const where = yield* log.setAside({ reason: corruption.message, objection })
      return `its store is corrupt and is not served: ${corruption.message}. It is kept as ${where}; the peer is rebuilt from the others, and has no vote until then`
    }).pipe(
      Effect.provide(store),
      Effect.catch((error: StoreError) => Effect.succeed(`its store is corrupt and is not served: ${error.message}`))
    )
  }

/** Whom a leader needs a quorum of: as long as a reconfiguration is on its way, of those who would vote after it as well. */
const configurationsIn = (
  { committed: agreed, proposed: asked }: StoredConfiguration,
  voters: ReadonlyArray<Sid>
): ReadonlyArray<Configuration> => {
  const committed = agreed === undefined ? configurationOfVoters(voters) : parseConfiguration(agreed)
  const proposed = asked === undefined ? undefined : parseConfiguration(asked)
  return proposed === undefined || proposed.version <= committed.version ? [committed] : [committed, proposed]
}

const hasQuorumWithout = (quorum: Quorum, sid: Sid): boolean =>
  quorum.has([...quorum.voters].filter((other) => other !== sid))

/** An actor that has died of it names it as the cause. */
const corruptionIn = (error: unknown): StoreError | undefined => {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof StoreError && at.fault === "corrupt") return at
  }
  return undefined
}
