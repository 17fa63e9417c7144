/** What happens in a run, as data: drawn from the seed, and cut down by the shrinker. */
import { CreateMode } from "@zkmesh/protocol"
import type { Step } from "./clients/client.ts"
import type { Operation, Part } from "./clients/operations.ts"
import { Random } from "./virtual/random.ts"

export type Fault =
  | { readonly kind: "crash"; readonly at: number; readonly forMs: number; readonly unit: number }
  | { readonly kind: "power cut"; readonly at: number; readonly forMs: number }
  | { readonly kind: "pause"; readonly at: number; readonly forMs: number; readonly unit: number }
  | { readonly kind: "cut"; readonly at: number; readonly forMs: number; readonly from: number; readonly to: number }
  /** What it sends arrives when others have begun to go on without it, or after `forMs`; it hears all the while. */
  | { readonly kind: "stall"; readonly at: number; readonly forMs: number; readonly owner: number }
  | { readonly kind: "isolate"; readonly at: number; readonly forMs: number; readonly owner: number }
  | { readonly kind: "split"; readonly at: number; readonly forMs: number; readonly sides: number }
  | { readonly kind: "broker restart"; readonly at: number; readonly forMs: number }
  | { readonly kind: "broker lost"; readonly at: number; readonly forMs: number; readonly unit: number }
  | {
      readonly kind: "slow disk"
      readonly at: number
      readonly forMs: number
      readonly peer: number
      readonly factor: number
    }
  | { readonly kind: "failing disk" | "full disk"; readonly at: number; readonly forMs: number; readonly peer: number }
  | {
      readonly kind: "empty database" | "old database"
      readonly at: number
      readonly forMs: number
      readonly peer: number
    }
  | { readonly kind: "loss" | "duplication"; readonly at: number; readonly forMs: number; readonly chance: number }
  | { readonly kind: "slow network"; readonly at: number; readonly forMs: number; readonly factor: number }
  /** At `place` (0: the first row, 1: the last); `crash` 1: its peer is down meanwhile, else it finds out in time. */
  | {
      readonly kind: "rotten log" | "rotten checkpoint"
      readonly at: number
      readonly forMs: number
      readonly peer: number
      readonly place: number
      readonly crash: number
    }
  /** Client `client` asks for these to be the voters and the observers, as bits by place; `whole` 1: it names them all. */
  | {
      readonly kind: "reconfigure"
      readonly at: number
      readonly forMs: number
      readonly client: number
      readonly voters: number
      readonly observers: number
      readonly whole: number
    }
  | {
      readonly kind: "client move" | "client death"
      readonly at: number
      readonly forMs: number
      readonly client: number
    }

export type FaultKind = Fault["kind"]

export interface Shape {
  readonly seed: number
  readonly peers: number
  readonly minutes: number
}

export interface Schedule {
  readonly seed: number
  readonly voters: number
  readonly observers: number
  /** Peers that are in nobody's configuration but their own. */
  readonly spares: number
  /** The membership may be changed. */
  readonly isReconfigurable: boolean
  readonly frontends: number
  readonly placement: "server" | "mesh"
  readonly clients: number
  readonly troubleMs: number
  readonly snapCount: number
  readonly logRetain: number
  /** How fast each process's clocks run, by its number. */
  readonly rates: ReadonlyArray<number>
  readonly faults: ReadonlyArray<Fault>
  readonly scripts: ReadonlyArray<ReadonlyArray<Step>>
}

const NAMES = ["a", "b", "c", "d"]
/** Clocks are wrong by no more than this, as crystals are. */
export const MAX_DRIFT = 0.02

/** Draws everything that will happen. */
export const draw = ({ seed, peers, minutes }: Shape): Schedule => {
  const random = Random.of(seed, "schedule")
  const troubleMs = minutes * 60_000
  const observers = random.chance(0.2) ? 1 : 0
  const frontends = random.int(2, 3)
  const clients = random.int(2, 5)
  const placement = random.chance(0.25) ? "mesh" : "server"
  const units = (placement === "mesh" ? 4 : 1) * (peers + observers) + frontends
  const everyMs = random.pick([400, 1200, 3000])
  const faults: Array<Fault> = []
  for (let at = random.between(0, 1500); at < troubleMs; at += random.between(0.2, 1.8) * everyMs) {
    faults.push(fault(random, at, { peers: peers + observers, owners: peers + observers + frontends, units, clients }))
  }
  faults.push(...stalls(seed, troubleMs, peers + observers))
  faults.push(...rot(seed, troubleMs, peers + observers))
  const members = ensemble(seed, peers, observers)
  if (members.isReconfigurable) faults.push(...reconfigurations(seed, troubleMs, members, clients))
  const pace = random.pick([60, 150, 400])
  return {
    seed,
    ...members,
    frontends,
    placement,
    clients,
    troubleMs,
    snapCount: random.pick([10, 40, 1000]),
    logRetain: random.pick([3, 30, 0]),
    rates: Array.from({ length: units }, () => 1 + random.between(-MAX_DRIFT, MAX_DRIFT)),
    faults,
    scripts: Array.from({ length: clients }, (_, client) => script(random, client, troubleMs, pace))
  }
}

interface Scale {
  readonly peers: number
  readonly owners: number
  readonly units: number
  readonly clients: number
}

/** How often each kind of fault is drawn, among all of them. */
const WEIGHTS: ReadonlyArray<
  readonly [Exclude<FaultKind, "stall" | "reconfigure" | "rotten log" | "rotten checkpoint">, number]
> = [
  ["crash", 22],
  ["power cut", 4],
  ["pause", 9],
  ["cut", 10],
  ["isolate", 8],
  ["split", 7],
  ["broker restart", 4],
  ["broker lost", 4],
  ["slow disk", 7],
  ["failing disk", 3],
  ["full disk", 3],
  ["empty database", 3],
  ["old database", 3],
  ["loss", 4],
  ["duplication", 3],
  ["slow network", 4],
  ["client move", 8],
  ["client death", 2]
]
const TOTAL = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)

const fault = (random: Random, at: number, { peers, owners, units, clients }: Scale): Fault => {
  let dice = random.next() * TOTAL
  const kind = WEIGHTS.find(([, weight]) => (dice -= weight) < 0)?.[0] ?? "crash"
  const forMs = random.pick([random.between(10, 200), random.between(100, 1500), random.between(500, 4000)])
  const time = { at, forMs }
  switch (kind) {
    case "crash":
    case "pause":
    case "broker lost":
      return { kind, ...time, unit: random.int(0, units - 1) }
    case "cut":
      return { kind, ...time, from: random.int(0, owners - 1), to: random.int(0, owners - 1) }
    case "isolate":
      return { kind, ...time, owner: random.int(0, owners - 1) }
    case "split":
      return { kind, ...time, sides: random.int(1, 2 ** owners - 2) }
    case "slow disk":
      return { kind, ...time, peer: random.int(0, peers - 1), factor: random.pick([5, 30, 150]) }
    case "failing disk":
    case "full disk":
    case "empty database":
    case "old database":
      return { kind, ...time, peer: random.int(0, peers - 1) }
    case "loss":
    case "duplication":
      return { kind, ...time, chance: random.pick([0.002, 0.01, 0.05]) }
    case "slow network":
      return { kind, ...time, factor: random.pick([5, 20, 60]) }
    case "client move":
    case "client death":
      return { kind, ...time, client: random.int(0, clients - 1) }
    default:
      return { kind, ...time }
  }
}

/** From numbers of their own: most seeds have none. */
const stalls = (seed: number, troubleMs: number, peers: number): ReadonlyArray<Fault> => {
  const random = Random.of(seed, "stalls")
  const faults: Array<Fault> = []
  if (!random.chance(0.4)) return faults
  for (let at = random.between(600, 4000); at < troubleMs; at += random.between(1000, 6000)) {
    faults.push({ kind: "stall", at, forMs: random.between(1200, 3000), owner: random.int(0, peers - 1) })
  }
  return faults
}

const rot = (seed: number, troubleMs: number, peers: number): ReadonlyArray<Fault> => {
  const random = Random.of(seed, "rot")
  const faults: Array<Fault> = []
  if (!random.chance(0.3)) return faults
  for (let at = random.between(600, 3000); at < troubleMs; at += random.between(500, 5000)) {
    faults.push({
      kind: random.chance(0.6) ? "rotten log" : "rotten checkpoint",
      at,
      forMs: random.between(10, 1000),
      peer: random.int(0, peers - 1),
      place: random.pick([1, random.next()]),
      crash: random.chance(0.7) ? 1 : 0
    })
  }
  return faults
}

type Ensemble = Pick<Schedule, "voters" | "observers" | "spares" | "isReconfigurable">

/** From numbers of their own: most seeds have an ensemble that stays as it is. */
const ensemble = (seed: number, peers: number, observers: number): Ensemble => {
  const random = Random.of(seed, "members")
  if (!random.chance(0.3)) return { voters: peers, observers, spares: 0, isReconfigurable: false }
  // It grows from three, or has somebody to change.
  if (peers > 3 && random.chance(0.5)) return { voters: 3, observers, spares: peers - 3, isReconfigurable: true }
  return { voters: peers, observers, spares: random.int(0, 2), isReconfigurable: true }
}

const reconfigurations = (
  seed: number,
  troubleMs: number,
  members: Ensemble,
  clients: number
): ReadonlyArray<Fault> => {
  const random = Random.of(seed, "reconfigurations")
  const count = members.voters + members.observers + members.spares
  const faults: Array<Fault> = []
  for (let at = random.between(500, 2500); at < troubleMs; at += random.between(400, 4000)) {
    const among = Array.from({ length: count }, (_, place) => place).sort(() => random.next() - 0.5)
    const wanted = Math.min(count, random.pick([2, 3, 3, 3, 4, 5, 5, 5]))
    const bits = (places: ReadonlyArray<number>): number => places.reduce((sum, place) => sum + 2 ** place, 0)
    faults.push({
      kind: "reconfigure",
      at,
      forMs: 0,
      client: random.int(0, clients - 1),
      voters: bits(among.slice(0, wanted)),
      observers: bits(among.slice(wanted, wanted + random.int(0, 2))),
      whole: random.int(0, 1)
    })
  }
  return faults
}

const script = (random: Random, client: number, troubleMs: number, pace: number): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  let count = 0
  for (let at = random.between(300, 1000); at < troubleMs; at += random.between(0, 2) * pace) {
    // Several at once now and then: they travel and are answered together.
    for (let more = random.chance(0.3) ? random.int(2, 5) : 1; more > 0; more--) {
      steps.push({ at, operation: operation(random, `c${client}.${count++}`) })
    }
  }
  return steps
}

const operation = (random: Random, data: string): Operation => {
  const path = `/t/${random.pick(NAMES)}`
  const dice = random.next()
  if (dice < 0.2) return { kind: "set", path, data, version: random.chance(0.3) ? -2 : -1 }
  if (dice < 0.3) return { kind: "create", path, data, mode: CreateMode.PERSISTENT }
  if (dice < 0.36) return { kind: "create", path: "/q/n-", data, mode: CreateMode.PERSISTENT_SEQUENTIAL }
  if (dice < 0.42) return { kind: "create", path: `/e/${random.pick(NAMES)}`, data, mode: CreateMode.EPHEMERAL }
  if (dice < 0.45) return { kind: "create", path: "/e/s-", data, mode: CreateMode.EPHEMERAL_SEQUENTIAL }
  if (dice < 0.52) return { kind: "delete", path: random.chance(0.5) ? path : `/e/${random.pick(NAMES)}`, version: -1 }
  if (dice < 0.6) return { kind: "multi", parts: parts(random, data) }
  if (dice < 0.63) return { kind: "sync", path: "/t" }
  const watch = random.chance(0.4)
  if (dice < 0.8) return { kind: "get", path, watch }
  if (dice < 0.88) return { kind: "exists", path: random.chance(0.5) ? path : `/e/${random.pick(NAMES)}`, watch }
  return { kind: "children", path: random.pick(["/t", "/q", "/e"]), watch }
}

const parts = (random: Random, data: string): ReadonlyArray<Part> =>
  Array.from({ length: random.int(1, 3) }, (): Part => {
    const path = `/t/${random.pick(NAMES)}`
    const dice = random.next()
    if (dice < 0.5) return { kind: "set", path, data, version: -1 }
    if (dice < 0.65) return { kind: "create", path, data, mode: CreateMode.PERSISTENT }
    if (dice < 0.75) return { kind: "create", path: "/q/m-", data, mode: CreateMode.PERSISTENT_SEQUENTIAL }
    if (dice < 0.85) return { kind: "delete", path, version: -1 }
    return { kind: "check", path, version: random.int(0, 3) }
  })
