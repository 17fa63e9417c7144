/** The *ensemble* placement: N peers and their frontends in this process, the loopback bus, one embedded Postgres. */
import { resolve } from "node:path"
import { loopbackLayer } from "@zkmesh/bus"
import { type Config, ConfigError } from "@zkmesh/config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { counted, makeAnnouncer } from "./announce.ts"
import { readAuthentication } from "./authentication.ts"
import { claimDataDir, inspectDataDir, recordMembership } from "./dataDir.ts"
import { type Door, doorsAt } from "./doors.ts"
import { apart, withOperator } from "./operator.ts"
import { runClientFrontend, runPeer, type StoreLayer } from "./peer.ts"
import { type Asked, plan, type Seat } from "./plan.ts"
import { checkPorts } from "./ports.ts"
import { type Beginning, runRoster } from "./roster.ts"
import { frontendSettings, keptInMemory, peerSettings, preferring, restartPolicy } from "./settings.ts"
import { openStores } from "./stores.ts"
import { readTls } from "./tls/certificates.ts"
import { withTelemetry, withTraces } from "./traces.ts"

const LOCAL = "127.0.0.1"

/** Runs until it is interrupted. Everything that can be wrong with the configuration is found before anything starts. */
export const runEnsemble = (config: Config, asked: Asked) =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const durable = config.knobs.store !== "memory"
    const found = durable ? yield* inspectDataDir(resolve(config.knobs.dataDir ?? "data")) : undefined
    const planned = yield* Effect.try({
      try: () => plan(config, asked, found),
      catch: (error) => (error instanceof ConfigError ? error : new ConfigError({ key: "", reason: String(error) }))
    })
    const { members, seats, dataDir } = planned
    const tls = yield* readTls(config)
    const authentication = yield* readAuthentication(config)
    const doorsOf = (seat: Seat) => doorsAt(seat.endpoint, seat.secure, tls, authentication)
    const endpoints = seats.flatMap(doorsOf).map((door) => door.endpoint)
    yield* checkPorts(endpoints, ": choose others with --port")
    if (durable) yield* claimDataDir(dataDir, found, members)
    yield* Console.log(`zkmesh starts ${counted(seats.length)}${durable ? `, data in ${dataDir}` : ", in memory"}`)
    const stores = yield* openStores(
      config,
      seats.map(({ sid }) => sid),
      dataDir,
      keptInMemory(planned.config, members)
    )
    const announcer = makeAnnouncer(planned, stores, startedAt)
    const roster = runRoster({
      planned,
      announcer,
      run: (beginning) => runSeat(beginning, doorsOf(beginning.seat), stores.layerOf(beginning.seat.sid)),
      record: (configuration, agreed) =>
        durable ? recordMembership(dataDir, { ...agreed, configuration }) : Effect.void
    })
    const all = Effect.all([roster, announcer.impatience], { concurrency: "unbounded", discard: true })
    yield* withTelemetry(config, "loopback", withTraces(config, false, all))
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))

/** A peer with its doors. */
const runSeat = ({ config, members, seat, at }: Beginning, doors: ReadonlyArray<Door>, store: StoreLayer) => {
  const { sid } = seat
  const policy = restartPolicy(config)
  const preference = preferring(sid)
  const sids = [...members.voters, ...members.observers].sort((a, b) => a - b)
  const follows = config.knobs.reconfigEnabled ? preference : undefined
  const frontends = doors.map((door) =>
    runClientFrontend(
      frontendSettings(config, String(sid), door, preference(sids), sid, follows),
      policy,
      () => Effect.void
    )
  )
  const services = [runPeer(peerSettings(config, sid, members), store, policy), ...frontends]
  const program = Effect.all(services, { concurrency: "unbounded", discard: true })
  return apart(withOperator(config, { offset: at, host: LOCAL, sid, store }, program))
}
