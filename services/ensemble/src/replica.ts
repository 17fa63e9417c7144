/** A frontend with a replica of its own: an observer that no `server.N` line names, and the clients that read from it. */
import { randomInt } from "node:crypto"
import type { Config } from "@zkmesh/config"
import { ConfigError } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { busLayer } from "./buses.ts"
import { onItsOwn, withOperator } from "./operator.ts"
import { runClientFrontend, runPeer } from "./peer.ts"
import { watchRoles } from "./roles.ts"
import { doorsOf, EVERYWHERE, listening, logRole } from "./server.ts"
import {
  frontendName,
  frontendSettings,
  MEMORY_LOG_RETAIN,
  membersOf,
  peerSettings,
  restartPolicy
} from "./settings.ts"
import { openStores } from "./stores.ts"
import { withTelemetry, withTraces } from "./traces.ts"

/** Beyond every id that a `server.N` line can have; two replicas that draw the same one are less likely than a lost disk. */
const FIRST_SID = 2 ** 16
const LAST_SID = 2 ** 31 - 1

/**
 * Runs until it is interrupted. It follows the ensemble as an observer under an id that it draws, in memory alone: when it
 * ends nothing is missed. Its clients read from its replica and from no other, so it takes none before it serves.
 */
export const runReplica = (config: Config) =>
  Effect.gen(function* () {
    const sid: Sid = randomInt(FIRST_SID, LAST_SID)
    const { voters } = membersOf(config.servers)
    if (voters.length === 0) {
      return yield* new ConfigError({
        key: "server.1",
        reason: "a replica needs to know who votes: give server.N lines"
      })
    }
    const { clientPort, clientPortAddress } = config.knobs
    const plain = clientPort === undefined ? undefined : { host: clientPortAddress ?? EVERYWHERE, port: clientPort }
    const doors = yield* doorsOf(config, plain, "a replica needs a port for clients: --port P")
    const inMemory = { ...config, knobs: { ...config.knobs, store: "memory" as const } }
    const name = frontendName(config)
    const policy = restartPolicy(config)
    const settings = peerSettings(config, sid, { voters, observers: [sid] })
    const peer = { ...settings, broadcast: { ...settings.broadcast, logRetain: MEMORY_LOG_RETAIN } }
    const run = Effect.gen(function* () {
      const stores = yield* openStores(inMemory, [sid], "")
      yield* Effect.logInfo(`replica ${name} observes as ${sid}`)
      const replica = yield* Effect.forkScoped(
        Effect.all([runPeer(peer, stores.layerOf(sid), policy), watchRoles(`watch-${sid}`, [sid], logRole)], {
          concurrency: "unbounded",
          discard: true
        })
      )
      const frontends = doors.map((door) =>
        runClientFrontend(frontendSettings(config, name, door, [sid]), policy, listening(door, doors))
      )
      // Stopped from the outside in: the clients are answered while the replica is still there.
      yield* Effect.raceFirst(Effect.all(frontends, { concurrency: "unbounded", discard: true }), Fiber.join(replica))
    })
    const served = Effect.provide(
      withTraces(config, false, Effect.scoped(run)),
      busLayer(config, `replica ${name}`, false)
    )
    yield* withTelemetry(config, "nats", withOperator(config, onItsOwn(undefined), served))
  }).pipe(Effect.scoped)
