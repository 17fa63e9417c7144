import type { ClientRequest } from "@zkmesh/messages"

/** The requests of a connection that are not answered, oldest first: where each was on its way, and since when. */
export class Underway {
  private requests: Array<ClientRequest> = []
  private ordinals: Array<number> = []
  private times: Array<number> = []
  private head = 0

  get length(): number {
    return this.requests.length - this.head
  }

  /** `ordinal`: its number among all requests on the link that it went by. */
  push(request: ClientRequest, ordinal: number, now: number): void {
    this.requests.push(request)
    this.ordinals.push(ordinal)
    this.times.push(now)
  }

  /** Of the request that is answered after `nth` others. */
  request(nth: number): ClientRequest | undefined {
    return this.requests[this.head + nth]
  }
  ordinal(nth: number): number {
    return this.ordinals[this.head + nth]!
  }
  since(nth: number): number {
    return this.times[this.head + nth]!
  }

  /** The oldest `count` have been answered. */
  drop(count: number): void {
    this.head = Math.min(this.requests.length, this.head + count)
    if (this.head === this.requests.length) {
      this.requests.length = this.ordinals.length = this.times.length = 0
      this.head = 0
    } else if (this.head >= 256) {
      this.requests = this.requests.slice(this.head)
      this.ordinals = this.ordinals.slice(this.head)
      this.times = this.times.slice(this.head)
      this.head = 0
    }
  }
}
