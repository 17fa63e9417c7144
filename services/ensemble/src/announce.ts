/** What the person at the terminal is told: that it serves, who leads, how to try it, where the data is. */
import type { Sid } from "@zkmesh/numbers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { reportReady } from "./daemon/ready.ts"
import type { Plan } from "./plan.ts"
import { GONE, type PeerStatus } from "./roles.ts"
import type { Stores } from "./stores.ts"

/** How long the first election may take before the terminal says whom it waits for. */
const PATIENCE_MS = 10_000

export interface Leader {
  readonly sid: Sid
  readonly epoch: number
}

/** The one that leads and serves, in the highest epoch if an old leader has not heard yet that it is none. */
export const leaderOf = (statuses: ReadonlyMap<Sid, PeerStatus>): Leader | undefined => {
  let leader: Leader | undefined
  for (const [sid, { role, serving, epoch }] of statuses) {
    if (role === "leading" && serving && epoch > (leader?.epoch ?? -1)) leader = { sid, epoch }
  }
  return leader
}

export const counted = (peers: number): string => (peers === 1 ? "1 peer" : `${peers} peers`)

/** The first screen, once every peer serves. */
export const greeting = (plan: Plan, stores: Stores, leader: Leader, startedMs: number): string => {
  const connect = plan.seats.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`).join(",")
  return [
    "",
    `zkmesh serves: ${counted(plan.seats.length)}, peer ${leader.sid} leads (epoch ${leader.epoch}), after ${(startedMs / 1000).toFixed(1)} s`,
    "",
    `  connect string   ${connect}`,
    "",
    "  try it           npm run shell",
    `                   zkCli.sh -server ${connect}`,
    `                   python3 -c 'from kazoo.client import KazooClient as K; k = K("${connect}"); k.start(); print(k.get_children("/"))'`,
    "",
    ...stores.where.map(([what, where]) => `  ${what.padEnd(16)} ${where}`),
    "",
    "  stop             Ctrl-C",
    ""
  ].join("\n")
}

/** What the terminal is told as things happen. */
export interface Announcer {
  readonly onStatus: (sid: Sid, status: PeerStatus) => Effect.Effect<void>
  /** The peer is none of the ensemble's any more. */
  readonly forget: (sid: Sid) => void
  readonly leader: () => Leader | undefined
  /** Says whom it waits for if that takes long. Never ends. */
  readonly impatience: Effect.Effect<never>
}

/** Greets once all peers of the plan serve, and tells of every new leader after that. */
export const makeAnnouncer = (plan: Plan, stores: Stores, startedAt: number): Announcer => {
  const sids = plan.seats.map((seat) => seat.sid)
  const statuses = new Map<Sid, PeerStatus>(sids.map((sid) => [sid, GONE]))
  let announced: Leader | undefined
  const onStatus = (sid: Sid, status: PeerStatus) =>
    Effect.suspend(() => {
      statuses.set(sid, status)
      const leader = leaderOf(statuses)
      if (leader === undefined) return Effect.void
      if (announced === undefined) {
        if (![...statuses.values()].every((one) => one.serving)) return Effect.void
        announced = leader
        const endpoints = plan.seats.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`)
        return Effect.andThen(
          Console.log(greeting(plan, stores, leader, performance.now() - startedAt)),
          reportReady(endpoints)
        )
      }
      if (announced.sid === leader.sid && announced.epoch === leader.epoch) return Effect.void
      announced = leader
      return Console.log(`peer ${leader.sid} leads (epoch ${leader.epoch})`)
    })
  const impatience = Effect.gen(function* () {
    yield* Effect.sleep(PATIENCE_MS)
    if (announced !== undefined) return
    const missing = sids.filter((sid) => !statuses.get(sid)!.serving)
    yield* Console.log(`still waiting for peer ${missing.join(", ")} to serve`)
  })
  return {
    onStatus,
    forget: (sid) => void statuses.delete(sid),
    leader: () => leaderOf(statuses),
    impatience: Effect.andThen(impatience, Effect.never)
  }
}
