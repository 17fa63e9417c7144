/** The *ensemble* placement: N peers and their frontends in this process, the loopback bus, one embedded Postgres. */
import { resolve } from "node:path"
import { loopbackLayer } from "@zkmesh/bus"
import { type Config, ConfigError } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { announce, counted } from "./announce.ts"
import { readAuthentication } from "./authentication.ts"
import { claimDataDir, inspectDataDir } from "./dataDir.ts"
import { type Door, doorsAt } from "./doors.ts"
import { apart, withOperator } from "./operator.ts"
import { runClientFrontend, runPeer } from "./peer.ts"
import { type Asked, plan } from "./plan.ts"
import { checkPorts } from "./ports.ts"
import { frontendSettings, peerSettings, restartPolicy } from "./settings.ts"
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
    const doors = seats.flatMap((seat) =>
      doorsAt(seat.endpoint, seat.secure, tls, authentication).map((door) => ({ sid: seat.sid, door }))
    )
    const endpoints = doors.map(({ door }) => door.endpoint)
    yield* checkPorts(endpoints, ": choose others with --port")
    if (durable) yield* claimDataDir(dataDir, found, members)
    const sids = seats.map((seat) => seat.sid)
    yield* Console.log(`zkmesh starts ${counted(sids.length)}${durable ? `, data in ${dataDir}` : ", in memory"}`)
    const stores = yield* openStores(config, sids, dataDir)
    const policy = restartPolicy(config)
    const others = (sid: Sid) => sids.filter((other) => other !== sid)
    const frontend = (sid: Sid, door: Door) =>
      runClientFrontend(
        frontendSettings(config, String(sid), door, [sid, ...others(sid)], sid),
        policy,
        () => Effect.void
      )
    const peer = (sid: Sid, offset: number) => {
      const own = doors.filter((one) => one.sid === sid).map(({ door }) => frontend(sid, door))
      const services = [runPeer(peerSettings(config, sid, members), stores.layerOf(sid), policy), ...own]
      const program = Effect.all(services, { concurrency: "unbounded", discard: true })
      return apart(withOperator(config, { offset, host: LOCAL, sid, store: stores.layerOf(sid) }, program))
    }
    const all = Effect.all([...sids.map(peer), announce(planned, stores, startedAt)], {
      concurrency: "unbounded",
      discard: true
    })
    yield* withTelemetry(config, "loopback", withTraces(config, false, all))
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer))
