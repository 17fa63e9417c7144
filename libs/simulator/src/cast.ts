/** Who plays: the product's services, handed in by whoever runs the simulation, so that a run may have others. */

import type { Socket } from "node:net"
import type { Supervisor } from "@zkmesh/actor"
import type { Bus } from "@zkmesh/bus"
import type { Sid } from "@zkmesh/numbers"
import type { LogStore, TreeStore } from "@zkmesh/store"
import type { Cause, Effect, Layer, Scope } from "effect"

export type PeerService = "election" | "broadcast" | "znode" | "session"
export const PEER_SERVICES: ReadonlyArray<PeerService> = ["election", "broadcast", "znode", "session"]

/** A peer as a run wants it. */
export interface Member {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
  readonly observers: ReadonlyArray<Sid>
  readonly snapCount: number
  readonly logRetain: number
  /** The membership as its operator wrote it, in an ensemble that may change; undefined: it may not. */
  readonly configuration: string | undefined
}

/** Where a frontend takes its clients. */
export interface Doorway {
  readonly enter: (socket: Socket) => void
}

type Needs = Scope.Scope | Bus | Supervisor

export interface Cast {
  readonly service: (service: PeerService, member: Member) => Effect.Effect<void, unknown, Needs | LogStore | TreeStore>
  /** Sees to what its end has left behind in a peer's store, before it is built again; says what it has done, if anything. */
  readonly mend: (
    member: Member,
    store: Layer.Layer<LogStore | TreeStore>,
    cause: Cause.Cause<unknown>
  ) => Effect.Effect<string | undefined>
  readonly frontend: (name: string, peers: ReadonlyArray<Sid>) => Effect.Effect<Doorway, unknown, Needs>
}

/** So short that a few virtual seconds hold many elections, many expiries and many lost leaders. */
export const TIMES = {
  tickTimeMs: 200,
  initLimit: 10,
  syncLimit: 5,
  heartbeatMs: 100,
  minSessionTimeoutMs: 1000,
  maxSessionTimeoutMs: 8000
} as const
