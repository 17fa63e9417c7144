/** The *server* placement (all services of one peer in a process) and the *mesh* placement (one service in a process). */
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { type Config, ConfigError } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import * as Effect from "effect/Effect"
import { readAuthentication } from "./authentication.ts"
import { begun, mayVoteBlank } from "./blank.ts"
import { busLayer } from "./buses.ts"
import { reportReady } from "./daemon/ready.ts"
import { type Door, doorsAt, isSecure } from "./doors.ts"
import { onItsOwn, withOperator } from "./operator.ts"
import { type PeerService, runClientFrontend, runPeer, runStateless, runStored } from "./peer.ts"
import { checkPorts, type Endpoint } from "./ports.ts"
import { type PeerStatus, watchRoles } from "./roles.ts"
import {
  frontendName,
  frontendSettings,
  keptInMemory,
  type Members,
  membersOf,
  type PeerSettings,
  peerSettings,
  preferring,
  restartPolicy,
  serverOf,
  spread
} from "./settings.ts"
import { openStores, postgresOf, storeKind } from "./stores.ts"
import { readTls } from "./tls/certificates.ts"
import { withTelemetry, withTraces } from "./traces.ts"

export const EVERYWHERE = "0.0.0.0"

/** What the environment, the file and the flags leave open: which peer this is. */
export const peerId = (config: Config): Effect.Effect<Sid, ConfigError> =>
  Effect.gen(function* () {
    const sid = config.knobs["peer.id"] ?? (yield* myid(config)) ?? (config.servers.length === 0 ? 1 : undefined)
    if (sid === undefined) {
      return yield* new ConfigError({
        key: "peer.id",
        reason: "which server.N is this? Say --id N, set ZKMESH_PEER_ID, or write N to dataDir/myid"
      })
    }
    if (config.servers.length > 0) yield* attempt(() => serverOf(config, sid))
    return sid
  })

const myid = ({ knobs }: Config): Effect.Effect<Sid | undefined, ConfigError> => {
  if (knobs.dataDir === undefined) return Effect.succeed(undefined)
  const path = join(resolve(knobs.dataDir), "myid")
  return Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => cause as NodeJS.ErrnoException
  }).pipe(
    Effect.map((text) => (/^\s*[1-9]\d{0,2}\s*$/.test(text) ? Number(text) : Number.NaN)),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(undefined)
    ),
    Effect.mapError((error) => new ConfigError({ key: "", reason: `cannot be read: ${error.message}`, source: path })),
    Effect.filterOrFail(
      (sid) => !Number.isNaN(sid),
      () => new ConfigError({ key: "", reason: "holds no server's id", source: path })
    )
  )
}

const attempt = <A>(read: () => A): Effect.Effect<A, ConfigError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(read())
    } catch (error) {
      return error instanceof ConfigError ? Effect.fail(error) : Effect.die(error)
    }
  })

const membersAround = ({ servers }: Config, sid: Sid): Members =>
  servers.length === 0 ? { voters: [sid], observers: [] } : membersOf(servers)

/** Where clients come in: at `plain`, if that is given, and at the TLS port, if there is one. None of it is taken yet. */
export const doorsOf = (config: Config, plain: Endpoint | undefined, missing: string) =>
  Effect.gen(function* () {
    const { clientPortAddress, secureClientPort, secureClientPortAddress } = config.knobs
    const host = secureClientPortAddress ?? clientPortAddress ?? EVERYWHERE
    const secure = secureClientPort === undefined ? undefined : { host, port: secureClientPort }
    const doors = doorsAt(plain, secure, yield* readTls(config), yield* readAuthentication(config))
    if (doors.length === 0) return yield* new ConfigError({ key: "clientPort", reason: missing })
    yield* checkPorts(
      doors.map((door) => door.endpoint),
      ""
    )
    return doors
  })

/** Peer `sid`'s port: its server line's client part, else clientPort, which a flag puts first. */
const endpointOf = ({ knobs, servers }: Config, sid: Sid, flagged: boolean): Endpoint | undefined => {
  const server = servers.find((one) => one.sid === sid)
  const port = flagged ? knobs.clientPort : (server?.clientPort ?? knobs.clientPort)
  return port === undefined ? undefined : { host: server?.clientHost ?? knobs.clientPortAddress ?? EVERYWHERE, port }
}

/** The configuration of a server that keeps nothing on a disk, if it is to be such a one. */
const storedAs = (config: Config, sid: Sid): Config =>
  keptInMemory(config, membersAround(config, sid)).includes(sid)
    ? { ...config, knobs: { ...config.knobs, store: "memory" } }
    : config

/** The settings of a server that may have lost its database. */
const votingAs = (config: Config, settings: PeerSettings): PeerSettings => ({
  ...settings,
  broadcast: { ...settings.broadcast, mayVoteBlank: mayVoteBlank(config) }
})

/** Once a server leads or follows its database is not empty any more. */
const beginning = (config: Config, { serving, role }: PeerStatus): Effect.Effect<void> =>
  serving && role !== "looking" ? begun(config) : Effect.void

/** One peer with its frontend. An observer's server line makes it an observer. Runs until it is interrupted. */
export const runServer = (given: Config, portFlagged: boolean) =>
  Effect.gen(function* () {
    const sid = yield* peerId(given)
    const config = storedAs(given, sid)
    const missing = `neither it nor server.${sid} says where clients connect`
    const doors = yield* doorsOf(config, endpointOf(config, sid, portFlagged), missing)
    const members = membersAround(config, sid)
    const known = config.servers.map((server) => server.sid)
    const preference = preferring(sid)
    // One that may be joined by others is not alone for long.
    const isAlone = members.voters.length === 1 && members.observers.length === 0
    const alone = isAlone && !config.knobs.reconfigEnabled
    const run = Effect.gen(function* () {
      const stores = yield* openStores(config, [sid], resolve(config.knobs.dataDir ?? "data"))
      const policy = restartPolicy(config)
      yield* Effect.all(
        [
          runPeer(votingAs(config, peerSettings(config, sid, members)), stores.layerOf(sid), policy),
          ...doors.map((door) =>
            runClientFrontend(
              frontendSettings(config, String(sid), door, preference(known), sid, alone ? undefined : preference),
              policy,
              listening(door, doors)
            )
          ),
          watchRoles(`watch-${sid}`, [sid], (_, status) =>
            Effect.andThen(logRole(sid, status), beginning(config, status))
          )
        ],
        { concurrency: "unbounded", discard: true }
      )
    })
    const served = Effect.provide(withTraces(config, false, run), busLayer(config, `peer ${sid}`, alone))
    yield* withTelemetry(
      config,
      alone ? "loopback" : "nats",
      withOperator(config, onItsOwn(sid, postgresOf(config, sid)), served)
    )
  }).pipe(Effect.scoped)

/** One service of a peer. */
export const runService = (config: Config, service: PeerService) =>
  Effect.gen(function* () {
    const sid = yield* peerId(config)
    if ((service === "broadcast" || service === "znode") && storeKind(config) !== "postgres") {
      return yield* new ConfigError({
        key: "postgres.url",
        reason: "broadcast and znode of a peer share a Postgres when they run apart: give its URL"
      })
    }
    const members = membersAround(config, sid)
    const settings = votingAs(config, peerSettings(config, sid, members))
    const run = Effect.gen(function* () {
      yield* Effect.logInfo(`${service} of peer ${sid} runs`)
      if (service === "broadcast" && keptInMemory(config, members).includes(sid)) {
        yield* Effect.logWarning("syncEnabled=false has no effect: broadcast and znode that run apart share a Postgres")
      }
      const policy = restartPolicy(config)
      if (service === "election" || service === "session") return yield* runStateless(service, settings, policy)
      const stores = yield* openStores(config, [sid], "")
      const stored = runStored(service, settings, stores.layerOf(sid), policy)
      if (service === "znode") return yield* stored
      const watched = watchRoles(`watch-broadcast-${sid}`, [sid], (_, status) => beginning(config, status))
      return yield* Effect.raceFirst(stored, watched)
    })
    const served = Effect.provide(withTraces(config, true, run), busLayer(config, `${service}.${sid}`, false))
    yield* withTelemetry(config, "nats", withOperator(config, onItsOwn(sid), served))
  }).pipe(Effect.scoped)

/** A frontend alone: any number of them, started and stopped at any time. `peers` in the order of preference. */
export const runFrontendService = (config: Config, peers: ReadonlyArray<Sid>) =>
  Effect.gen(function* () {
    for (const sid of peers) if (config.servers.length > 0) yield* attempt(() => serverOf(config, sid))
    const known = config.servers.map((server) => server.sid)
    const name = frontendName(config)
    const preferred = peers.length > 0 ? peers : known.length > 0 ? spread(known, name) : [yield* peerId(config)]
    // Peers that are named on the command line are asked for whatever becomes of the ensemble.
    const preference = peers.length > 0 ? undefined : (members: ReadonlyArray<Sid>) => spread(members, name)
    const { clientPort, clientPortAddress } = config.knobs
    const plain = clientPort === undefined ? undefined : { host: clientPortAddress ?? EVERYWHERE, port: clientPort }
    const doors = yield* doorsOf(config, plain, "a frontend needs a port for clients: --port P")
    const policy = restartPolicy(config)
    const frontends = doors.map((door) =>
      runClientFrontend(
        frontendSettings(config, name, door, preferred, undefined, preference),
        policy,
        listening(door, doors)
      )
    )
    const run = Effect.all(frontends, { concurrency: "unbounded", discard: true })
    const served = Effect.provide(withTraces(config, true, run), busLayer(config, `frontend ${name}`, false))
    yield* withTelemetry(config, "nats", withOperator(config, onItsOwn(undefined), served))
  }).pipe(Effect.scoped)

/** A door is open: said in the log, and to whoever waits for the start of a server in the background. */
export const listening = (door: Door, doors: ReadonlyArray<Door>) => (port: number) =>
  Effect.andThen(
    Effect.logInfo(`clients connect to ${door.endpoint.host}:${port}${door.tls === undefined ? "" : " by TLS"}`),
    reportReady(
      doors.filter((one) => !isSecure(one)).map(({ endpoint }) => `${nearby(endpoint.host)}:${endpoint.port}`)
    )
  )

/** How this machine reaches a server that listens on all addresses. */
const nearby = (host: string): string => (host === EVERYWHERE ? "127.0.0.1" : host)

export const logRole = (sid: Sid, status: { serving: boolean; role: string; epoch: number }) =>
  Effect.logInfo(`peer ${sid} is ${status.role}${status.serving ? `, epoch ${status.epoch}` : ", not serving"}`).pipe(
    Effect.annotateLogs({ peer: sid, ...(status.serving ? { epoch: status.epoch } : {}) })
  )
