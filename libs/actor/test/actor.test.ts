import { assert, it } from "@effect/vitest"
import { type ActorDied, InvariantBroken, makeSupervisor, Supervisor, spawn } from "@zkmesh/actor"
import { Deferred, Effect, Exit, Scope } from "effect"

const supervised = <A, E>(body: (supervisor: Supervisor["Service"]) => Effect.Effect<A, E, Scope.Scope | Supervisor>) =>
  Effect.gen(function* () {
    const supervisor = yield* makeSupervisor("test")
    return yield* Effect.scoped(body(supervisor)).pipe(Effect.provideService(Supervisor, supervisor))
  })

it.live("takes everything that has queued in one pass, in order", () =>
  supervised(() =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<ReadonlyArray<number>>()
      const actor = yield* spawn<number>("adder", () => (batch) => Deferred.doneUnsafe(done, Effect.succeed(batch)))
      for (let i = 0; i < 5; i++) actor.tell(i)
      assert.deepStrictEqual(yield* Deferred.await(done), [0, 1, 2, 3, 4])
    })
  )
)

it.live("hears messages that it tells itself while being made", () =>
  supervised(() =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<string>()
      yield* spawn<string>("eager", (context) => {
        context.self.tell("first")
        return (batch) => Deferred.doneUnsafe(done, Effect.succeed(batch[0]!))
      })
      assert.strictEqual(yield* Deferred.await(done), "first")
    })
  )
)

it.live("ends with the reason when its pass throws, and its supervisor hears it", () =>
  supervised((supervisor) =>
    Effect.gen(function* () {
      const actor = yield* spawn<string>("fragile", () => () => {
        throw new InvariantBroken("the log has a hole")
      })
      actor.tell("go")
      const died: ActorDied = yield* Effect.flip(supervisor.join)
      assert.strictEqual(died.actor, "fragile")
      assert.match(died.message, /the log has a hole/)
    })
  )
)

it.live("is told the outcome of what it pipes, and dies of its failure", () =>
  supervised((supervisor) =>
    Effect.gen(function* () {
      const heard = yield* Deferred.make<string>()
      const actor = yield* spawn<string>("piper", (context) => (batch) => {
        for (const message of batch) {
          if (message === "work") context.pipe(Effect.delay(Effect.succeed("worked"), "5 millis"))
          else if (message === "fail") context.pipe(Effect.fail(new Error("disk full")))
          else Deferred.doneUnsafe(heard, Effect.succeed(message))
        }
      })
      actor.tell("work")
      assert.strictEqual(yield* Deferred.await(heard), "worked")
      actor.tell("fail")
      assert.match((yield* Effect.flip(supervisor.join)).message, /disk full/)
    })
  )
)

it.live("is silent once its scope has closed: no message, no timer, no piped effect reaches it", () =>
  Effect.gen(function* () {
    const supervisor = yield* makeSupervisor("test")
    const scope = yield* Scope.make()
    const heard: Array<string> = []
    const actor = yield* spawn<string>("mortal", (context) => {
      context.after(1, "after")
      context.every(1, "every")
      context.pipe(Effect.delay(Effect.succeed("piped"), "1 millis"))
      return (batch) => heard.push(...batch)
    }).pipe(Effect.provideService(Supervisor, supervisor), Scope.provide(scope))
    actor.tell("queued")
    yield* Scope.close(scope, Exit.void)
    const before = heard.length
    actor.tell("late")
    yield* Effect.sleep("20 millis")
    assert.strictEqual(heard.length, before)
  })
)

it.live("lets the event loop go on while two actors write to each other for ever", () =>
  supervised(() =>
    Effect.gen(function* () {
      let passes = 0
      const first = yield* spawn<number>("ping", () => (batch) => {
        passes++
        second.tell(batch[0]!)
      })
      const second = yield* spawn<number>("pong", () => (batch) => first.tell(batch[0]!))
      first.tell(1)
      yield* Effect.sleep("10 millis")
      assert.isAbove(passes, 512)
    })
  )
)

it.live("counts an overflowing mailbox as a broken invariant", () =>
  supervised((supervisor) =>
    Effect.gen(function* () {
      const actor = yield* spawn<number>("flooded", () => () => undefined)
      for (let i = 0; i <= 100_001; i++) actor.tell(i)
      assert.match((yield* Effect.flip(supervisor.join)).message, /lacks flow control/)
    })
  )
)
