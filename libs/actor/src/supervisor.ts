/** The supervisor of a peer's actors: the first that dies ends them all. */
import { Deferred, Effect, Layer, type Scope } from "effect"
import { type ActorDied, Supervisor } from "./actor.ts"

/**
 * The supervisors that are over. A peer that has lost an actor must not act any more, not even in the microtasks until
 * its scope is closed: actors ask this before each pass.
 */
const over = new WeakSet<object>()

/** True once an actor under `supervisor` has died or its scope has closed. */
export const isOver = (supervisor: Supervisor["Service"]): boolean => over.has(supervisor)

/** A supervisor for the actors that are spawned with it; `join` fails with the first death. */
export const makeSupervisor = (name: string): Effect.Effect<Supervisor["Service"], never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const died = Deferred.makeUnsafe<never, ActorDied>()
      const supervisor = Supervisor.of({
        name,
        fail: (reason) => {
          over.add(supervisor)
          Deferred.doneUnsafe(died, Effect.fail(reason))
        },
        join: Deferred.await(died)
      })
      return supervisor
    }),
    (supervisor) => Effect.sync(() => void over.add(supervisor))
  )

/** `makeSupervisor` as a layer. */
export const supervisorLayer = (name: string): Layer.Layer<Supervisor> => Layer.effect(Supervisor, makeSupervisor(name))
