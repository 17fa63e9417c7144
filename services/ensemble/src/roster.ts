/** The peers of the ensemble placement: who runs in this process follows what the ensemble has agreed on. */
import type { Config, ConfigError } from "@zkmesh/config"
import { type Configuration, parseConfiguration, withVersion } from "@zkmesh/membership"
import type { Sid, Zxid } from "@zkmesh/numbers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import type { Announcer } from "./announce.ts"
import { type Plan, type Seat, seatOf } from "./plan.ts"
import { watchRoles } from "./roles.ts"
import { type Members, membersOf } from "./settings.ts"

/** What a peer starts from. */
export interface Beginning {
  readonly config: Config
  readonly members: Members
  readonly seat: Seat
  /** Which of the process's peers it is, for the ports that are counted. */
  readonly at: number
}

export interface RosterOptions<E, R> {
  readonly planned: Plan
  readonly announcer: Announcer
  /** A peer with its doors; does not end by itself. */
  readonly run: (beginning: Beginning) => Effect.Effect<unknown, E, R>
  /** Remembers a configuration for the next start. */
  readonly record: (configuration: string, members: Members) => Effect.Effect<void, ConfigError>
}

/** How long a peer that has left goes on: its last replies leave, and its clients find out. */
const FAREWELL_MS = 1000

/**
 * Runs the peers of the plan, and after a reconfiguration those that have joined; those that have left are stopped, once
 * they know it themselves and a member leads. A newcomer's store is made when it starts; one that comes back finds its
 * own again. Does not end by itself.
 */
export const runRoster = <E, R>({ planned, announcer, run, record }: RosterOptions<E, R>) =>
  Effect.gen(function* () {
    const peers = yield* FiberMap.make<Sid, unknown, E>()
    const news = yield* Queue.sliding<void>(1)
    /** Whom each peer takes for the ensemble. */
    const heard = new Map<Sid, Zxid>()
    const leaving = new Set<Sid>()
    let newest: Configuration | undefined
    let recorded: Zxid = 0
    let seats = 0

    const start = (config: Config, members: Members, seat: Seat) => {
      const { sid } = seat
      const watched = watchRoles(
        `console-${sid}`,
        [sid],
        (_, status) => Effect.andThen(announcer.onStatus(sid, status), Queue.offer(news, undefined)),
        (_, text) => Effect.suspend(() => configured(sid, parseConfiguration(text)))
      )
      const peer = run({ config, members, seat, at: seats++ })
      return FiberMap.run(peers, sid, Effect.all([peer, watched], { concurrency: "unbounded", discard: true }))
    }
    const configured = (sid: Sid, configuration: Configuration) => {
      heard.set(sid, configuration.version)
      // Of version 0 is what everybody has started with.
      if (configuration.version > (newest?.version ?? 0)) newest = configuration
      return Effect.asVoid(Queue.offer(news, undefined))
    }
    const join = Effect.fnUntraced(function* (configuration: Configuration) {
      // It has not agreed on anything yet.
      const { members, text } = withVersion(configuration, 0)
      const config = { ...planned.config, servers: members, membership: text }
      for (const member of members) {
        if (yield* FiberMap.has(peers, member.sid)) continue
        const seat = seatOf(config, member, seats)
        yield* start(config, membersOf(members), seat)
        yield* Console.log(`peer ${member.sid} joins, with clients at ${seat.endpoint.host}:${seat.endpoint.port}`)
      }
    })
    const leave = Effect.fnUntraced(function* (sid: Sid) {
      leaving.add(sid)
      yield* Effect.sleep(FAREWELL_MS)
      leaving.delete(sid)
      // It may have been asked to come back in the meantime.
      if (newest?.members.some((member) => member.sid === sid)) return
      yield* FiberMap.remove(peers, sid)
      announcer.forget(sid)
      heard.delete(sid)
      yield* Console.log(`peer ${sid} has left`)
    })
    const follow = Effect.fnUntraced(function* (configuration: Configuration) {
      const { version, members, text } = configuration
      if (recorded < version) yield* record(text, membersOf(members))
      recorded = version
      yield* join(configuration)
      const isMember = (sid: Sid) => members.some((member) => member.sid === sid)
      const leader = announcer.leader()
      if (leader === undefined || !isMember(leader.sid)) return
      for (const [sid, known] of heard) {
        if (!isMember(sid) && known >= version && !leaving.has(sid)) yield* Effect.forkChild(leave(sid))
      }
    })
    for (const seat of planned.seats) yield* start(planned.config, planned.members, seat)
    const following = Effect.gen(function* () {
      while (true) {
        yield* Queue.take(news)
        if (newest !== undefined) yield* follow(newest)
      }
    })
    yield* Effect.raceFirst(following, FiberMap.join(peers))
  }).pipe(Effect.scoped)
