/**
 * How many requests are under way, and who has to wait.
 *
 * A client that may not ask for more is not read from, and what it has sent stays, cut into frames no further than it may
 * go: backpressure reaches the client's own socket, nothing is lost, and memory is bounded by what is under way.
 */
import { type Client, Hold } from "../Client.ts"
import type { Statistics } from "../statistics.ts"
import { LargeRequests } from "./largeRequests.ts"
import type { Limits } from "./options.ts"

export class Flow {
  private readonly limits: Limits
  private readonly statistics: Statistics
  /** Called when somebody may go on: `next` says who. */
  private readonly wake: () => void
  /** Requests in all. */
  private readonly total: number
  private readonly largerThan: number
  private largeBytes = 0
  /** Those that wait because of all the others, in their order. */
  private readonly stalled = new Set<Client>()
  /** Those that waited because of themselves alone, and do not have to any more. */
  private readonly ready = new Set<Client>()

  constructor(limits: Limits, statistics: Statistics, wake: () => void) {
    const { maxRequests } = limits.requestThrottle
    this.limits = limits
    this.statistics = statistics
    this.wake = wake
    this.total = maxRequests > 0 ? Math.min(maxRequests, limits.maxOutstanding) : limits.maxOutstanding
    this.largerThan = limits.largeRequestThreshold < 0 ? Number.POSITIVE_INFINITY : limits.largeRequestThreshold
  }

  firstWindow(): number {
    return this.limits.maxOutstandingPerConnection
  }

  /** How many requests may be taken from this client now. */
  room(client: Client): number {
    const own =
      client.holdsFor(Hold.Unsent) || client.outstandingBytes >= this.limits.maxOutstandingBytesPerConnection
        ? 0
        : client.window - client.outstanding
    const all = this.roomForAll()
    return Math.min(own, all)
  }

  private roomForAll(): number {
    const { statistics } = this
    return statistics.outstandingBytes >= this.limits.maxOutstandingBytes ? 0 : this.total - statistics.outstanding
  }

  /** False if the request is a large one, and too many of these are under way. `before`: requests taken with it. */
  admitsLarge(client: Client, bytes: number, before: number): boolean {
    if (bytes <= this.largerThan) return true
    if (this.largeBytes + bytes > this.limits.largeRequestMaxBytes) return false
    this.largeBytes += bytes
    client.large ??= new LargeRequests()
    client.large.add(client.answers + client.outstanding + before + 1, bytes)
    return true
  }

  /** There is no room for what the client asks next: it is not read from until there is. */
  stall(client: Client): void {
    if (this.roomForAll() <= 0) {
      if (!this.stalled.has(client)) this.statistics.stalls++
      client.hold(Hold.Total)
      this.stalled.add(client)
    } else client.hold(Hold.Outstanding)
  }

  /** It goes on, or has gone. */
  forget(client: Client): void {
    this.stalled.delete(client)
    this.ready.delete(client)
  }

  asked(client: Client, count: number, bytes: number): void {
    client.asked(count, bytes)
    this.statistics.outstanding += count
    this.statistics.outstandingBytes += bytes
  }

  /** `replyBytes`: of these answers together; 0 if the client has gone without them. */
  answered(client: Client, count: number, replyBytes: number): void {
    const { statistics, limits } = this
    const before = client.outstanding
    statistics.outstandingBytes -= client.answered(count)
    statistics.outstanding -= before - client.outstanding
    if (client.large !== undefined) this.largeBytes -= client.large.answered(client.answers)
    if (replyBytes > 0) {
      client.replySize += (replyBytes / count - client.replySize) / 8
      const affordable = limits.replyBytesPerConnection / client.replySize
      client.window = Math.max(1, Math.floor(Math.min(limits.maxOutstandingPerConnection, affordable)))
    }
    if (client.isHeld) this.reconsider(client)
    if (this.stalled.size > 0 && this.hasRoomForAll()) this.wake()
  }

  /** Whether a client that waits for itself alone may go on: not for every single answer, but for a good part of them. */
  reconsider(client: Client): void {
    if (!client.holdsFor(Hold.Outstanding) || client.holdsFor(Hold.Unsent)) return
    if (client.outstanding * 2 > client.window) return
    if (client.outstandingBytes * 2 > this.limits.maxOutstandingBytesPerConnection) return
    this.ready.add(client)
    this.wake()
  }

  private hasRoomForAll(): boolean {
    const { statistics, limits } = this
    return (
      statistics.outstanding < this.total &&
      statistics.outstanding * 4 <= this.total * 3 &&
      statistics.outstandingBytes * 4 <= limits.maxOutstandingBytes * 3
    )
  }

  /** Everybody who may go on now. What one of them takes may leave too little for the next, who then waits again. */
  takeReady(): ReadonlyArray<Client> {
    if (this.ready.size === 0 && this.stalled.size === 0) return NOBODY
    const clients = [...this.ready]
    this.ready.clear()
    if (this.stalled.size > 0 && this.hasRoomForAll()) {
      let room = this.roomForAll()
      for (const client of this.stalled) {
        if (room-- <= 0) break
        this.stalled.delete(client)
        clients.push(client)
      }
    }
    return clients
  }
}

const NOBODY: ReadonlyArray<Client> = []
