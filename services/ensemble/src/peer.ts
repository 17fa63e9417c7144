import { Supervisor, supervisorLayer } from "@zkmesh/actor"
import type { Bus, BusError } from "@zkmesh/bus"
import { CurrentHealth } from "@zkmesh/health"
import { runBroadcast } from "@zkmesh/service-broadcast"
import { runElection } from "@zkmesh/service-election"
import { type FrontendOptions, runFrontend } from "@zkmesh/service-frontend"
import { runSession } from "@zkmesh/service-session"
import { runZnode } from "@zkmesh/service-znode"
import type { LogStore, StoreError, TreeStore } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type RestartPolicy, restarting } from "./restart.ts"
import { settingAside } from "./setAside.ts"
import type { PeerSettings } from "./settings.ts"

/** A peer's store. Built anew with the peer: a lost connection takes its layer with it. */
export type StoreLayer = Layer.Layer<LogStore | TreeStore, StoreError>

/**
 * One peer without its frontend: election, broadcast, znode and session in one scope under one supervisor. Whatever fails
 * in it, the peer is built again from its log; nothing outside of it notices but by its silence.
 */
export const runPeer = (
  settings: PeerSettings,
  store: StoreLayer,
  policy: RestartPolicy
): Effect.Effect<never, never, Bus> => {
  const name = `peer ${settings.session.sid}`
  const start = Effect.gen(function* () {
    yield* runElection(settings.election)
    yield* runBroadcast(settings.broadcast)
    yield* runZnode(settings.znode)
    yield* runSession(settings.session)
  })
  const once = Effect.provide(underSupervisor(name, start), store)
  const mend = settingAside(settings.broadcast, store)
  return restarting(name, policy, once, mend).pipe(Effect.annotateLogs({ peer: settings.session.sid }))
}

export type PeerService = "election" | "broadcast" | "znode" | "session"

/** What is started, then waited for until one of its actors dies. */
const underSupervisor = <E, R>(name: string, start: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    yield* start
    const health = yield* CurrentHealth
    health.set(name, { condition: "serving" })
    return yield* (yield* Supervisor).join
  }).pipe(Effect.scoped, Effect.provide(supervisorLayer(name)))

/** A service of a peer that keeps nothing, alone in its process. */
export const runStateless = (
  service: "election" | "session",
  settings: PeerSettings,
  policy: RestartPolicy
): Effect.Effect<never, never, Bus> => {
  const name = `${service}.${settings.session.sid}`
  const start = service === "election" ? runElection(settings.election) : runSession(settings.session)
  return restarting(name, policy, underSupervisor(name, start)).pipe(
    Effect.annotateLogs({ peer: settings.session.sid, service })
  )
}

/** A service of a peer that has a part of the peer's store, alone in its process. */
export const runStored = (
  service: "broadcast" | "znode",
  settings: PeerSettings,
  store: StoreLayer,
  policy: RestartPolicy
): Effect.Effect<never, never, Bus> => {
  const name = `${service}.${settings.session.sid}`
  const start: Effect.Effect<void, BusError | StoreError, Scope.Scope | Bus | Supervisor | LogStore | TreeStore> =
    service === "broadcast" ? runBroadcast(settings.broadcast) : runZnode(settings.znode)
  // The store lives as long as the service, not as long as its start.
  const once = Effect.provide(underSupervisor(name, start), store)
  return restarting(name, policy, once, settingAside(settings.broadcast, store)).pipe(
    Effect.annotateLogs({ peer: settings.session.sid, service })
  )
}

/** A frontend, with a life of its own: it outlives the peers that it speaks to. `onListening` hears its port each time. */
export const runClientFrontend = (
  options: FrontendOptions,
  policy: RestartPolicy,
  onListening: (port: number) => Effect.Effect<void>
): Effect.Effect<never, never, Bus> => {
  const name = `frontend ${options.name}`
  const start = Effect.flatMap(runFrontend(options), ({ port }) => onListening(port))
  const once = underSupervisor(name, start)
  return restarting(name, policy, once).pipe(Effect.annotateLogs({ service: "frontend", frontend: options.name }))
}
