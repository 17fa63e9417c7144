/** A process of the ensemble: what runs in it, life after life. */
import { type ActorDied, Machine, makeSupervisor, Supervisor } from "@zkmesh/actor"
import { Bus, makeRemoteBus, ownedBusLayer } from "@zkmesh/bus"
import { LogStore, TreeStore } from "@zkmesh/store"
import { Cause, Context, Effect, Exit, Layer, type Scope } from "effect"
import { type Cast, type Doorway, type Member, type PeerService, TIMES } from "./cast.ts"
import type { BrokerNet, Station } from "./network/broker.ts"
import { type TapHost, tappedBus } from "./network/tap.ts"
import type { SimDisk } from "./virtual/disk.ts"
import { type Drift, type ProcessHost, SimProcess } from "./virtual/process.ts"
import { Random } from "./virtual/random.ts"

export interface Part {
  readonly name: string
  /** The peer or the frontend that it belongs to: whom cuts are about. */
  readonly owner: string
  readonly drift: Drift
  readonly role:
    | { readonly kind: "peer"; readonly services: ReadonlyArray<PeerService>; readonly member: Member }
    | { readonly kind: "frontend"; readonly peers: ReadonlyArray<number> }
}

export interface UnitHost extends ProcessHost, TapHost {
  readonly seed: number
  readonly net: BrokerNet
  readonly cast: Cast
  readonly disk: (owner: string) => SimDisk
  /** What ran in it has ended, and is built again in the same process. */
  readonly failed: (unit: Unit, reason: string) => void
  /** Its store was seen to. */
  readonly mended: (unit: Unit, report: string) => void
}

const RESTART_MS = 40

export class Unit {
  part: Part
  process: SimProcess | undefined
  doorway: Doorway | undefined
  private station: Station | undefined
  private readonly host: UnitHost
  private lives = 0

  constructor(host: UnitHost, part: Part) {
    this.host = host
    this.part = part
  }

  /** Its operator writes down who the members are; read when it is built next. */
  configure(configuration: string): void {
    const { role } = this.part
    if (role.kind !== "peer" || role.member.configuration === undefined) return
    this.part = { ...this.part, role: { ...role, member: { ...role.member, configuration } } }
  }

  get isUp(): boolean {
    return this.process !== undefined
  }

  /** A new process, with clocks as wrong as the machine's. */
  start(): void {
    if (this.process !== undefined) return
    const { host, part } = this
    const life = `${part.name}#${++this.lives}`
    const process = new SimProcess(host, life, Random.of(host.seed, life), part.drift)
    const station = host.net.join(process, part.owner)
    this.process = process
    this.station = station
    const services = Context.add(process.services, Machine, process.machine)
    process.run(() => void Effect.runForkWith(services)(this.life(station, process)))
  }

  /** kill -9 */
  kill(): void {
    const { process, station } = this
    if (process === undefined) return
    process.kill()
    this.process = undefined
    this.doorway = undefined
    if (station !== undefined) this.host.net.leave(station)
    const { role } = this.part
    if (role.kind === "frontend") return
    const { holders } = this.host.disk(this.part.owner).database
    if (role.services.includes("broadcast")) holders.delete("log")
    if (role.services.includes("znode")) holders.delete("tree")
  }

  /** It alone loses the broker, and finds it again after `ms`. */
  loseBroker(ms: number): void {
    const { station } = this
    if (station === undefined) return
    station.lose()
    this.host.timeline.after(ms, () => {
      station.isConnected = true
    })
  }

  private life(station: Station, process: SimProcess): Effect.Effect<void, unknown> {
    const { host, part } = this
    const report = (message: string) => host.logged(process, "Warn", message)
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const bus = yield* makeRemoteBus(station, report, Effect.void, {
          ensemble: "sim",
          heartbeatMs: TIMES.heartbeatMs,
          deadAfterProbes: 1,
          maxInFlightBytes: 16 * 1024 * 1024,
          maxPacketBytes: 256 * 1024
        })
        const tapped = Layer.succeed(Bus, tappedBus(bus, host))
        for (;;) {
          const exit = yield* Effect.exit(this.once(process).pipe(Effect.provide(Layer.provide(ownedBusLayer, tapped))))
          this.doorway = undefined
          host.failed(this, Exit.isSuccess(exit) ? "it has ended" : reasonOf(exit.cause))
          if (Exit.isFailure(exit)) yield* this.mend(process, exit.cause)
          yield* Effect.sleep(RESTART_MS)
        }
      })
    ).pipe(Effect.annotateLogs({ unit: part.name }))
  }

  private mend(process: SimProcess, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const { host, part } = this
    const { role } = part
    if (role.kind === "frontend") return Effect.void
    const report = host.cast.mend(role.member, host.disk(part.owner).layer(process), cause)
    return Effect.map(report, (said) => {
      if (said !== undefined) host.mended(this, said)
    })
  }

  /** From the start of its services to the first death of an actor. */
  private once(process: SimProcess): Effect.Effect<never, unknown, Bus> {
    const { host, part } = this
    const { role } = part
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const supervisor = yield* makeSupervisor(part.name)
        const supervised = Effect.provideService(Supervisor, supervisor)
        if (role.kind === "frontend") {
          this.doorway = yield* supervised(host.cast.frontend(part.name, role.peers))
        } else {
          const stores = yield* Layer.build(host.disk(part.owner).layer(process))
          for (const service of role.services) yield* supervised(withStores(host.cast, service, role.member, stores))
        }
        return yield* supervisor.join as Effect.Effect<never, ActorDied>
      })
    )
  }
}

const withStores = (
  cast: Cast,
  service: PeerService,
  member: Member,
  stores: Context.Context<LogStore | TreeStore>
): Effect.Effect<void, unknown, Scope.Scope | Bus | Supervisor> =>
  cast
    .service(service, member)
    .pipe(
      Effect.provideService(LogStore, Context.get(stores, LogStore)),
      Effect.provideService(TreeStore, Context.get(stores, TreeStore))
    )

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const messages: Array<string> = []
  for (let error: unknown = Cause.squash(cause); error instanceof Error; error = error.cause) {
    messages.push(error.message === "" ? error.name : error.message)
  }
  return messages.length === 0 ? Cause.pretty(cause) : [...new Set(messages)].join(": ")
}
