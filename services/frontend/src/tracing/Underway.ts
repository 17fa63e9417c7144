import type { ClientRequest } from "@zkmesh/messages"

/** Requests that came with one piece of a connection's bytes, and went by one link side by side. */
interface Run {
  readonly requests: ReadonlyArray<ClientRequest>
  /** The first one's number among all requests on that link. */
  readonly ordinal: number
  readonly since: number
}

/**
 * The requests of a connection that are not answered, oldest first: what each was, where on its way, and since when. Kept by
 * the run: that is one entry for as many requests as came at a time.
 */
export class Underway {
  private runs: Array<Run | undefined> = []
  /** Of the oldest, and behind the newest. */
  private head = 0
  private tail = 0
  /** How many of the oldest run have been answered. */
  private done = 0
  private count = 0

  get length(): number {
    return this.count
  }

  push(requests: ReadonlyArray<ClientRequest>, ordinal: number, since: number): void {
    this.runs[this.tail++] = { requests, ordinal, since }
    this.count += requests.length
  }

  /** Since when the oldest is under way; infinity if none is. */
  get oldest(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.runs[this.head]!.since
  }

  /** The request that is answered after `nth` others; undefined if there are not as many. */
  at(nth: number): { readonly request: ClientRequest; readonly ordinal: number; readonly since: number } | undefined {
    let index = this.done + nth
    for (let i = this.head; i < this.tail; i++) {
      const { requests, ordinal, since } = this.runs[i]!
      if (index < requests.length) return { request: requests[index]!, ordinal: ordinal + index, since }
      index -= requests.length
    }
    return undefined
  }

  /** The oldest `count` have been answered. */
  drop(count: number): void {
    this.count -= Math.min(count, this.count)
    if (this.count === 0) {
      this.clear()
      return
    }
    this.done += count
    while (this.done >= this.runs[this.head]!.requests.length) this.done -= this.runs[this.head++]!.requests.length
    if (this.head < 256) return
    this.runs = this.runs.slice(this.head, this.tail)
    this.tail -= this.head
    this.head = 0
  }

  /** A few places are kept for what comes next; what was in them is not. */
  private clear(): void {
    if (this.tail > 4) this.runs = []
    else for (let i = 0; i < this.tail; i++) this.runs[i] = undefined
    this.head = this.tail = this.done = 0
  }
}
