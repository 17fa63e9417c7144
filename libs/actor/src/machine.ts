/**
 * What an actor takes from the machine that it runs on: clocks, timers, turns of the event loop and random bits.
 *
 * A seam: the real machine is the default, and a simulated one makes a whole ensemble run on virtual time, from a seed.
 */
import { randomBytes } from "node:crypto"
import { Context } from "effect"
import { wake } from "./turns.ts"

export interface Machine {
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Runs `task` after `ms`; returns its cancellation. */
  readonly after: (ms: number, task: () => void) => () => void
  /** Runs `task` each `ms`; returns its cancellation. */
  readonly every: (ms: number, task: () => void) => () => void
  /** Runs `task` once the current turn's code has returned. */
  readonly microtask: (task: () => void) => void
  /** The same for an actor's pass, which must not throw: I/O gets a turn between many of them. */
  readonly soon: (task: () => void) => void
  /** Runs `task` when the sockets of this turn have been read. */
  readonly nextTurn: (task: () => void) => void
  /** Bits that nobody can guess. */
  readonly randomBytes: (size: number) => Uint8Array
}

export const realMachine: Machine = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
  every: (ms, task) => {
    const timer = setInterval(task, ms)
    return () => clearInterval(timer)
  },
  microtask: (task) => queueMicrotask(task),
  soon: wake,
  nextTurn: (task) => void setImmediate(task),
  randomBytes: (size) => randomBytes(size)
}

/** The machine under whatever is being built; `realMachine` unless another one is provided. */
export const Machine = Context.Reference<Machine>("@zkmesh/actor/Machine", { defaultValue: () => realMachine })
