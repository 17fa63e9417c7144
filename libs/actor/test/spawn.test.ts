import { Cause, Deferred, Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import {
  type ActorContext,
  type ActorDied,
  type ActorRef,
  type Handler,
  makeSupervisor,
  type SpawnOptions,
  Supervisor,
  spawnWith,
  supervisorLayer
} from "../src/index.ts"

/** Runs `body` with a supervisor and a scope of its own that it may close. */
const supervised = <A, E>(
  body: (peer: {
    scope: Scope.Closeable
    supervisor: Supervisor["Service"]
    spawn: <M>(make: (context: ActorContext<M>) => Handler<M>, options?: SpawnOptions) => Effect.Effect<ActorRef<M>>
  }) => Effect.Effect<A, E>
): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const supervisor = yield* Scope.provide(makeSupervisor("peer"), scope)
      const result = yield* Effect.exit(
        body({
          scope,
          supervisor,
          spawn: (make, options = {}) =>
            spawnWith("actor", options, make).pipe(Scope.provide(scope), Effect.provideService(Supervisor, supervisor))
        })
      )
      yield* Scope.close(scope, Exit.void)
      return yield* result
    })
  )

const death = (supervisor: Supervisor["Service"]): Effect.Effect<ActorDied> => Effect.flip(supervisor.join)
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("the mailbox", () => {
  it("hands everything that has queued to one pass, in order, after the teller has returned", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const batches: Array<ReadonlyArray<number>> = []
        const actor = yield* spawn<number>(() => (batch) => void batches.push(batch))
        for (let n = 0; n < 1000; n++) actor.tell(n)
        expect(batches).toEqual([])
        yield* Effect.promise(() => Promise.resolve())
        expect(batches).toEqual([Array.from({ length: 1000 }, (_, n) => n)])
      })
    ))

  it("leaves what is told during a pass to the next one", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const batches: Array<ReadonlyArray<number>> = []
        const actor = yield* spawn<number>((context) => (batch) => {
          batches.push(batch)
          if (batch[0]! < 3) context.self.tell(batch[0]! + 1)
        })
        actor.tell(0)
        yield* turn
        expect(batches).toEqual([[0], [1], [2], [3]])
      })
    ))

  it("bounds a pass", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const sizes: Array<number> = []
        const actor = yield* spawn<number>(() => (batch) => void sizes.push(batch.length), { maxBatch: 10 })
        for (let n = 0; n < 25; n++) actor.tell(n)
        yield* turn
        expect(sizes).toEqual([10, 10, 5])
      })
    ))

  it("takes messages that the actor tells itself while it is made", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        yield* spawn<string>((context) => {
          context.self.tell("start")
          return (batch) => void seen.push(...batch)
        })
        yield* turn
        expect(seen).toEqual(["start"])
      })
    ))

  it("lets timers run while actors wake each other for ever", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        let passes = 0
        const actor = yield* spawn<"ball">((context) => () => {
          passes++
          context.self.tell("ball")
        })
        actor.tell("ball")
        const timer = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 5)))
        let timers = 0
        for (; passes <= 128; timers++) yield* timer
        expect(timers).toBeGreaterThan(0)
      })
    ))
})

describe("the end of an actor", () => {
  it("by an exception in the pass: the supervisor fails, and no other pass runs", () =>
    supervised(({ spawn, supervisor }) =>
      Effect.gen(function* () {
        let passes = 0
        const other = yield* spawn<number>(() => () => void passes++)
        const actor = yield* spawn<number>(() => () => {
          other.tell(1)
          throw new Error("the sum is wrong")
        })
        actor.tell(1)
        actor.tell(2)
        const died = yield* death(supervisor)
        expect(died.actor).toBe("actor")
        expect(died.message).toBe("actor: the sum is wrong")
        actor.tell(3)
        yield* turn
        expect(passes).toBe(0)
      })
    ))

  it("by a mailbox that nobody empties fast enough", () =>
    supervised(({ spawn, supervisor }) =>
      Effect.gen(function* () {
        const actor = yield* spawn<number>(() => () => {}, { mailboxLimit: 100 })
        for (let n = 0; n < 101; n++) actor.tell(n)
        expect((yield* death(supervisor)).message).toMatch(/mailbox holds 100/)
      })
    ))

  it("keeps the first reason", () =>
    supervised(({ spawn, supervisor }) =>
      Effect.gen(function* () {
        const make = () => (batch: ReadonlyArray<string>) => {
          throw new Error(batch[0])
        }
        const first = yield* spawn<string>(make)
        const second = yield* spawn<string>(make)
        first.tell("first")
        second.tell("second")
        yield* turn
        expect((yield* death(supervisor)).message).toBe("actor: first")
      })
    ))

  it("with its scope: no pass, no timer", () =>
    supervised(({ spawn, scope }) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        let context: ActorContext<string> | undefined
        const actor = yield* spawn<string>((given) => {
          context = given
          return (batch) => void seen.push(...batch)
        })
        context!.after(1, "after")
        context!.every(1, "every")
        actor.tell("queued")
        Effect.runSync(Scope.close(scope, Exit.void))
        actor.tell("late")
        context!.after(1, "later")
        yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 10)))
        expect(seen).toEqual([])
      })
    ))
})

describe("timers", () => {
  it("tell once, tell again and again, and can be cancelled", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const done = yield* Deferred.make<void>()
        yield* spawn<string>(({ after, every }) => {
          const stop = every(1, "tick")
          const never = after(5, "cancelled")
          after(1, "once")
          never()
          return (batch) => {
            seen.push(...batch)
            if (seen.filter((message) => message === "tick").length < 3) return
            stop()
            after(10, "end")
            if (batch.includes("end")) Deferred.doneUnsafe(done, Effect.void)
          }
        })
        yield* Deferred.await(done)
        expect(seen.filter((message) => message === "once")).toEqual(["once"])
        expect(seen).not.toContain("cancelled")
      })
    ))
})

describe("pipe", () => {
  it("tells the result of an effect", () =>
    supervised(({ spawn }) =>
      Effect.gen(function* () {
        const got = yield* Deferred.make<string>()
        const actor = yield* spawn<string>((context) => (batch) => {
          if (batch[0] === "start") context.pipe(Effect.delay(Effect.succeed("done"), 1))
          else Deferred.doneUnsafe(got, Effect.succeed(batch[0]!))
        })
        actor.tell("start")
        expect(yield* Deferred.await(got)).toBe("done")
      })
    ))

  it.each([
    ["a failure", Effect.fail(new Error("no disk"))],
    ["a defect", Effect.die(new Error("no disk"))]
  ])("ends the actor by %s", (_, effect) =>
    supervised(({ spawn, supervisor }) =>
      Effect.gen(function* () {
        yield* spawn<string>((context) => {
          context.pipe(effect)
          return () => {}
        })
        expect((yield* death(supervisor)).message).toBe("actor: no disk")
      })
    )
  )

  it("interrupts the effect with the scope, silently", () =>
    supervised(({ spawn, scope, supervisor }) =>
      Effect.gen(function* () {
        const interrupted = yield* Deferred.make<void>()
        yield* spawn<string>((context) => {
          context.pipe(Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
          return () => {}
        })
        yield* turn
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.await(interrupted)
        const joined = yield* Effect.exit(Effect.timeout(supervisor.join, 1))
        expect(Exit.isFailure(joined) && Cause.pretty(joined.cause)).toMatch(/Timeout/)
      })
    ))
})

it("comes as a layer", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      expect((yield* Supervisor).name).toBe("peer-1")
    }).pipe(Effect.provide(supervisorLayer("peer-1")))
  ))
