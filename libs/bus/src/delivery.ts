/**
 * The order in which a process hands out what its actors say to each other: one queue, emptied in a microtask.
 *
 * What one actor sends on a link and publishes on a topic arrives in the order in which it was said. Messages of one
 * turn for one link leave together, as long as no publish came between them.
 */
import { Effect } from "effect"
import type { LinkEvent, LinkListener } from "./bus.ts"

/** A listener with its types erased: the protocol's name is the proof that both ends mean the same messages. */
export type AnyListener = LinkListener<unknown, unknown>
export type AnyEvent = LinkEvent<unknown, unknown>
export const erase = <In, Out>(listener: LinkListener<In, Out>): AnyListener => listener as AnyListener

/** Says in the log what no caller can be told. */
export type Report = (message: string, cause?: unknown) => void

/** Callbacks of the bus run outside of any fiber; their words go to the logger of whoever built the bus. */
export const makeReport: Effect.Effect<Report> = Effect.map(Effect.context<never>(), (context) => {
  const run = Effect.runForkWith(context)
  return (message, cause) =>
    void run(cause === undefined ? Effect.logWarning(message) : Effect.logError(message, cause))
})

export class DeliveryQueue {
  private queue: Array<() => void> = []
  private scheduled = false
  private readonly soon: (task: () => void) => void
  /** Grows with each publish: a link's batch of an earlier era takes no more messages. */
  era = 0

  /** `soon` runs a task once the current turn's code has returned. */
  constructor(soon: (task: () => void) => void) {
    this.soon = soon
  }

  readonly add = (delivery: () => void): void => {
    this.queue.push(delivery)
    if (this.scheduled) return
    this.scheduled = true
    this.soon(this.drain)
  }

  private readonly drain = (): void => {
    const queue = this.queue
    this.queue = []
    this.scheduled = false
    for (let index = 0; index < queue.length; index++) queue[index]!()
  }
}
