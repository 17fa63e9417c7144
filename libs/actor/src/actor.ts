/**
 * Actors: a mailbox, drained in batches by a synchronous pass, under supervision.
 *
 * The pass is plain code (no fiber, promise or timer per message). Everything that takes time is an Effect whose outcome
 * comes back as a message. An exception in the pass, a failed effect or a full mailbox ends the actor and with it its
 * peer: memory that may be wrong is thrown away and built again from the log.
 */
import type { Effect, Scope } from "effect"
import { Context, Data } from "effect"

/** An actor has ended, and why; its peer ends with it. */
export class ActorDied extends Data.TaggedError("ActorDied")<{ readonly actor: string; readonly cause: unknown }> {
  override get message(): string {
    return `${this.actor}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** Thrown by a core or shell that finds an invariant broken: stops the peer with the reason in the log. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken"
}

export interface ActorRef<M> {
  readonly name: string
  /** Queues; the pass runs in a microtask. After the actor's end it does nothing. */
  readonly tell: (message: M) => void
}

export interface ActorContext<M> {
  readonly self: ActorRef<M>
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Tells itself `message` after `ms`; returns its cancellation. */
  readonly after: (ms: number, message: M) => () => void
  /** Tells itself `message` each `ms`. */
  readonly every: (ms: number, message: M) => () => void
  /** Runs `task` when the sockets of this turn have been read: a callback of the actor's own, outside of its pass. */
  readonly nextTurn: (task: () => void) => void
  /** Bits that nobody can guess. */
  readonly randomBytes: (size: number) => Uint8Array
  /** Runs an effect beside the actor; its result is told to the actor, its failure ends the actor. */
  readonly pipe: (effect: Effect.Effect<M, unknown>) => void
}

/** One wake-up, one synchronous pass over everything that has queued. */
export type Handler<M> = (batch: ReadonlyArray<M>) => void

/** The supervisor of the actors of one peer (or of one service, when it is alone in its process). */
export class Supervisor extends Context.Service<
  Supervisor,
  {
    readonly name: string
    /** The first one to call it decides why the peer ends. */
    readonly fail: (died: ActorDied) => void
    /** Never succeeds; fails when an actor has died. */
    readonly join: Effect.Effect<never, ActorDied>
  }
>()("@zkmesh/actor/Supervisor") {}

export type Spawn = <M>(
  name: string,
  make: (context: ActorContext<M>) => Handler<M>
) => Effect.Effect<ActorRef<M>, never, Scope.Scope | Supervisor>
