/** An actor: its mailbox, its pass, its timers and the effects beside it, all of which end with its scope. */
import { Cause, Effect, Exit, FiberSet, type Scope } from "effect"
import { type ActorContext, ActorDied, type ActorRef, type Handler, Supervisor } from "./actor.ts"
import { Machine } from "./machine.ts"
import { isOver } from "./supervisor.ts"

/** Messages handed to one pass at most: bounds how long a pass takes, and the memory of its outputs. */
export const MAX_BATCH = 4096
/** Messages waiting at most. Sources are flow controlled, so more is a broken invariant and not a busy hour. */
export const MAILBOX_LIMIT = 100_000

export interface SpawnOptions {
  readonly maxBatch?: number
  readonly mailboxLimit?: number
}

type Run = (effect: Effect.Effect<void>) => unknown

class Mailbox<M> implements ActorContext<M> {
  readonly self: ActorRef<M>
  handler: Handler<M> | undefined
  private readonly name: string
  private readonly supervisor: Supervisor["Service"]
  private readonly run: Run
  private readonly maxBatch: number
  private readonly limit: number
  private readonly machine: Machine
  /** What cancels each timer that runs. */
  private readonly timers = new Set<() => void>()
  private readonly pass = (): void => this.drain()
  private queue: Array<M> = []
  private awake = false
  private ended = false

  constructor(name: string, supervisor: Supervisor["Service"], machine: Machine, run: Run, options: SpawnOptions) {
    this.name = name
    this.supervisor = supervisor
    this.machine = machine
    this.now = machine.now
    this.wallClock = machine.wallClock
    this.nextTurn = machine.nextTurn
    this.randomBytes = machine.randomBytes
    this.run = run
    this.maxBatch = options.maxBatch ?? MAX_BATCH
    this.limit = options.mailboxLimit ?? MAILBOX_LIMIT
    this.self = { name, tell: (message) => this.tell(message) }
  }

  // The context's functions are fields, so that a pass may take them apart from the context.
  readonly now: () => number
  readonly wallClock: () => number
  readonly nextTurn: (task: () => void) => void
  readonly randomBytes: (size: number) => Uint8Array

  readonly after = (ms: number, message: M): (() => void) => {
    if (this.ended) return () => {}
    const cancel = this.machine.after(ms, () => {
      this.timers.delete(cancel)
      this.tell(message)
    })
    this.timers.add(cancel)
    return () => {
      cancel()
      this.timers.delete(cancel)
    }
  }

  readonly every = (ms: number, message: M): (() => void) => {
    if (this.ended) return () => {}
    const cancel = this.machine.every(ms, () => this.tell(message))
    this.timers.add(cancel)
    return () => {
      cancel()
      this.timers.delete(cancel)
    }
  }

  readonly pipe = (effect: Effect.Effect<M, unknown>): void => {
    if (this.ended) return
    const told = Effect.map(Effect.exit(effect), (exit) => {
      if (Exit.isSuccess(exit)) this.tell(exit.value)
      else this.fail(Cause.squash(exit.cause))
    })
    this.run(told)
  }

  end(): void {
    this.ended = true
    this.queue = []
    for (const cancel of this.timers) cancel()
    this.timers.clear()
  }

  private tell(message: M): void {
    if (this.ended) return
    if (this.queue.length >= this.limit) {
      this.fail(new Error(`its mailbox holds ${this.limit} messages: a source lacks flow control`))
      return
    }
    this.queue.push(message)
    if (!this.awake) {
      this.awake = true
      this.machine.soon(this.pass)
    }
  }

  private drain(): void {
    this.awake = false
    if (this.ended) return
    if (isOver(this.supervisor)) {
      this.end()
      return
    }
    const batch = this.takeBatch()
    if (batch.length === 0) return
    try {
      this.handler?.(batch)
    } catch (cause) {
      this.fail(cause)
    }
  }

  /** Swaps the queue out; what is beyond the bound stays for the next pass. */
  private takeBatch(): Array<M> {
    const queue = this.queue
    if (queue.length <= this.maxBatch) {
      this.queue = []
      return queue
    }
    this.queue = queue.slice(this.maxBatch)
    queue.length = this.maxBatch
    this.awake = true
    this.machine.soon(this.pass)
    return queue
  }

  private fail(cause: unknown): void {
    if (this.ended) return
    this.end()
    this.supervisor.fail(new ActorDied({ actor: this.name, cause }))
  }
}

/**
 * Starts an actor that lives until the scope closes. `make` gets the context and returns the pass; an exception in the
 * pass, a failed effect or a full mailbox fails the supervisor, and no pass under it runs any more.
 */
export const spawnWith = <M>(
  name: string,
  options: SpawnOptions,
  make: (context: ActorContext<M>) => Handler<M>
): Effect.Effect<ActorRef<M>, never, Scope.Scope | Supervisor> =>
  Effect.gen(function* () {
    const supervisor = yield* Supervisor
    const machine = yield* Machine
    // Acquired before the mailbox, so that closing the scope silences the actor first and then interrupts its effects.
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    const mailbox = yield* Effect.acquireRelease(
      Effect.sync(() => new Mailbox<M>(name, supervisor, machine, run, options)),
      (mailbox) => Effect.sync(() => mailbox.end())
    )
    mailbox.handler = make(mailbox)
    return mailbox.self
  })

/** `spawnWith` and the default bounds. */
export const spawn = <M>(
  name: string,
  make: (context: ActorContext<M>) => Handler<M>
): Effect.Effect<ActorRef<M>, never, Scope.Scope | Supervisor> => spawnWith(name, {}, make)
