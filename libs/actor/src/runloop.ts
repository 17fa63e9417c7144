/**
 * The one run loop of a process: actors with mail take their pass in turn, all within a microtask, so that a request
 * travels through every actor of its process without waiting for the event loop. After `PASSES_PER_TURN` passes the loop
 * lets sockets and timers have their turn: two actors that write to each other for ever starve nobody.
 */
const PASSES_PER_TURN = 512

export interface Runnable {
  /** One pass. It does not throw. */
  readonly run: () => void
}

let ready: Array<Runnable> = []
let next = 0
let scheduled = false

const drain = (): void => {
  for (let passes = 0; next < ready.length; passes++) {
    if (passes === PASSES_PER_TURN) {
      ready = ready.slice(next)
      next = 0
      setImmediate(drain)
      return
    }
    ready[next++]!.run()
  }
  ready = []
  next = 0
  scheduled = false
}

/** Queues one pass of `runnable`; the caller sees to it that it is queued at most once at a time. */
export const schedule = (runnable: Runnable): void => {
  ready.push(runnable)
  if (scheduled) return
  scheduled = true
  queueMicrotask(drain)
}
