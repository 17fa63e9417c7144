/** Virtual time: a heap of what happens when. Ties run in the order in which they were planned. */
export interface Planned {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

const before = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class Timeline {
  /** Milliseconds since the run began. */
  now = 0
  /** How many things have happened. */
  steps = 0
  private heap: Array<Planned> = []
  private order = 0

  /** Plans `run` for `ms` from now; returns its cancellation. */
  after(ms: number, run: () => void): () => void {
    const planned = this.plan(ms, run)
    return () => {
      planned.run = undefined
    }
  }

  /** The same for what is never cancelled. */
  plan(ms: number, run: () => void): Planned {
    const { heap } = this
    const planned: Planned = { at: this.now + Math.max(0, ms), order: this.order++, run }
    let at = heap.length
    heap.push(planned)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(planned, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = planned
    return planned
  }

  /** Runs the next thing that was not cancelled; false if there is none until `until`. */
  step(until: number): boolean {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.at > until) return false
      this.pop()
      if (first.run === undefined) continue
      this.now = first.at
      this.steps++
      first.run()
      return true
    }
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
