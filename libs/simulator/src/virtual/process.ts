/**
 * A process on virtual time: its clocks (which drift), its timers, the turns of its event loop. It can be killed, and
 * then nothing of it ever runs again, or be stopped for a while, and then everything runs late.
 */
import type { Machine } from "@zkmesh/actor"
import { CurrentHealth, Health } from "@zkmesh/health"
import { CurrentMetrics, Registry } from "@zkmesh/metrics"
import { Clock, Context, Duration, Effect, Logger, Scheduler } from "effect"
import type { Random } from "./random.ts"
import type { Timeline } from "./timeline.ts"

export interface Drift {
  /** How fast its clocks run: 1 is right. */
  readonly rate: number
  /** How far its wall clock is off. */
  readonly wallOffsetMs: number
}

/** What one wake-up may cause in the same instant: more is a loop. */
const MAX_TASKS = 100_000
const WALL_START_MS = Date.UTC(2030, 0, 1)

export interface ProcessHost {
  readonly timeline: Timeline
  /** Code of the product has thrown where nobody catches: the real process would have died of it. */
  readonly crashed: (process: SimProcess, cause: unknown) => void
  readonly logged: (process: SimProcess, level: string, text: string) => void
}

const NOTHING = (): void => {}

/** Tasks in their order. */
class Queue {
  private tasks: Array<() => void> = []
  private head = 0

  push(task: () => void): void {
    this.tasks.push(task)
  }

  take(): (() => void) | undefined {
    const { tasks, head } = this
    if (head === tasks.length) return undefined
    const task = tasks[head]!
    this.head++
    if (this.head === tasks.length) {
      tasks.length = 0
      this.head = 0
    }
    return task
  }

  clear(): void {
    this.tasks = []
    this.head = 0
  }
}

export class SimProcess {
  readonly name: string
  isAlive = true
  readonly machine: Machine
  /** What effects of this process run with: its scheduler, its clock and its log. */
  readonly services: Context.Context<never>
  private readonly host: ProcessHost
  private readonly bornAt: number
  private stoppedUntil = 0
  private backlog: Array<() => void> = []
  private readonly micro = new Queue()
  private readonly passes = new Queue()
  private readonly turns = new Queue()
  private isRunning = false

  constructor(host: ProcessHost, name: string, random: Random, drift: Drift) {
    this.host = host
    this.name = name
    this.bornAt = host.timeline.now
    this.machine = {
      now: () => (host.timeline.now - this.bornAt) * drift.rate + 1000,
      wallClock: () => Math.floor(WALL_START_MS + drift.wallOffsetMs + host.timeline.now * drift.rate),
      // As Node's timers: never sooner than in a millisecond, and never early, rounding errors included.
      after: (ms, task) => host.timeline.after(Math.max(1, ms) / drift.rate + 0.001, () => this.run(task)),
      every: (ms, task) => this.every(ms / drift.rate, task),
      microtask: (task) => this.enter(this.micro, task),
      soon: (task) => this.enter(this.passes, task),
      nextTurn: (task) => this.enter(this.turns, task),
      randomBytes: (size) => random.bytes(size)
    }
    this.services = this.makeServices()
  }

  /** Runs something that comes from outside (a timer, a packet, the end of a disk's operation), and all that follows. */
  run(task: () => void): void {
    if (!this.isAlive) return
    if (this.host.timeline.now < this.stoppedUntil) {
      this.backlog.push(task)
      return
    }
    if (this.isRunning) {
      this.micro.push(task)
      return
    }
    this.isRunning = true
    this.guarded(task)
    let count = 0
    for (let next = this.next(); next !== undefined; next = this.next()) {
      if (++count > MAX_TASKS) {
        this.host.crashed(this, new Error(`${this.name} is busy for ever, and no time passes`))
        this.kill()
        break
      }
      this.guarded(next)
    }
    this.isRunning = false
  }

  kill(): void {
    this.isAlive = false
    this.backlog = []
    this.micro.clear()
    this.passes.clear()
    this.turns.clear()
  }

  /** As SIGSTOP, and SIGCONT after `ms`: what has come meanwhile is read in its order. */
  stop(ms: number): void {
    const { timeline } = this.host
    this.stoppedUntil = Math.max(this.stoppedUntil, timeline.now + ms)
    timeline.after(ms, () => {
      if (timeline.now < this.stoppedUntil) return
      const { backlog } = this
      this.backlog = []
      for (const task of backlog) this.run(task)
    })
  }

  get isStopped(): boolean {
    return this.host.timeline.now < this.stoppedUntil
  }

  /** Missed beats are not made up for, as those of a real interval are not. */
  private every(ms: number, task: () => void): () => void {
    let cancelled = false
    let isWaiting = false
    const beat = (): void => {
      if (cancelled || !this.isAlive) return
      this.host.timeline.plan(ms, beat)
      if (isWaiting) return
      isWaiting = true
      this.run(() => {
        isWaiting = false
        if (!cancelled) task()
      })
    }
    this.host.timeline.after(ms, beat)
    return () => {
      cancelled = true
    }
  }

  private enter(queue: Queue, task: () => void): void {
    if (!this.isAlive) return
    queue.push(task)
    // Code of the world itself (a socket, say) has called into this process.
    if (!this.isRunning) this.run(NOTHING)
  }

  private next(): (() => void) | undefined {
    return this.micro.take() ?? this.passes.take() ?? this.turns.take()
  }

  private guarded(task: () => void): void {
    if (!this.isAlive) return
    try {
      task()
    } catch (cause) {
      this.host.crashed(this, cause)
    }
  }

  private makeServices(): Context.Context<never> {
    const { machine } = this
    const nanos = (): bigint => BigInt(Math.round(machine.now() * 1e6))
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => machine.wallClock(),
      currentTimeMillis: Effect.sync(() => machine.wallClock()),
      currentTimeNanosUnsafe: () => BigInt(machine.wallClock()) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => BigInt(machine.wallClock()) * 1_000_000n),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const cancel = machine.after(Duration.toMillis(duration), () => resume(Effect.void))
          return Effect.sync(cancel)
        })
    }
    const scheduler: Scheduler.Scheduler = {
      executionMode: "async",
      // A fiber goes on until it waits: its process has nothing else to do.
      shouldYield: () => false,
      makeDispatcher: () => ({ scheduleTask: (task) => machine.microtask(task), flush: () => {} })
    }
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      this.host.logged(this, logLevel, text)
    })
    return Context.make(Clock.Clock, clock).pipe(
      Context.add(Scheduler.Scheduler, scheduler),
      Context.add(CurrentHealth, new Health()),
      Context.add(CurrentMetrics, new Registry(machine.now)),
      Context.add(Logger.CurrentLoggers, new Set([logger]))
    ) as Context.Context<never>
  }
}
