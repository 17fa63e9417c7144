/** The requests under way at all doors of a server together, and who waits for there to be fewer. */
export class Load {
  requests = 0
  private readonly waiting = new Set<() => void>()

  /** `wake` is called, whenever some have been answered, until `leave`. */
  wait(wake: () => void): void {
    this.waiting.add(wake)
  }

  leave(wake: () => void): void {
    this.waiting.delete(wake)
  }

  answered(count: number): void {
    this.requests -= count
    if (this.waiting.size > 0) for (const wake of this.waiting) wake()
  }
}
