/** Virtual time: a heap of what happens when. Ties run in the order in which they were planned. */
interface Planned {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const before = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class VirtualClock {
  now = 0
  private heap: Array<Planned> = []
  private order = 0

  after(ms: number, run: () => void): void {
    const { heap } = this
    const planned = { at: this.now + Math.max(0, ms), order: this.order++, run }
    let at = heap.length
    heap.push(planned)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(planned, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = planned
  }

  /** Runs the next thing; false if there is none before `until`. */
  step(until: number): boolean {
    const { heap } = this
    const first = heap[0]
    if (first === undefined || first.at > until) return false
    const last = heap.pop()!
    if (heap.length > 0) {
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
    this.now = first.at
    first.run()
    return true
  }
}
