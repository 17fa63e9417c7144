/**
 * When passes run: in one microtask that all actors of the process share, so that a wake-up costs no timer and no
 * promise. What is told during a pass belongs to the next round of the same microtask loop.
 *
 * Actors that wake each other for ever would starve sockets and timers, so after a bounded number of passes the loop
 * lets I/O have a turn.
 */

/** Passes between two turns of the event loop, at most. A turn that is not needed costs a few microseconds. */
const MAX_PASSES = 128

let ready: Array<() => void> = []
let spare: Array<() => void> = []
let scheduled = false
let passes = 0

const run = (): void => {
  const round = ready
  ready = spare
  scheduled = false
  passes += round.length
  for (let index = 0; index < round.length; index++) round[index]!()
  round.length = 0
  spare = round
}

const schedule = (): void => {
  scheduled = true
  if (passes < MAX_PASSES) {
    queueMicrotask(run)
    return
  }
  passes = 0
  setImmediate(run)
}

/** Runs `pass` soon, once the current turn's code has returned. It must not throw: each actor catches its own. */
export const wake = (pass: () => void): void => {
  ready.push(pass)
  if (!scheduled) schedule()
}
