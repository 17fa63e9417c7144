/**
 * How many requests are under way, and who has to wait.
 *
 * A client that may not ask for more is not read from, and what it has sent stays, cut into frames no further than it may
 * go: backpressure reaches the client's own socket, nothing is lost, and memory is bounded by what is under way.
 */
import { type Client, Hold } from "../Client.ts"
import type { Statistics } from "../statistics.ts"
import type { Load } from "./Load.ts"
import { LargeRequests } from "./largeRequests.ts"
import type { Limits } from "./options.ts"

export class Flow {
  private readonly limits: Limits
  private readonly statistics: Statistics
  /** Called when somebody may go on: `next` says who. */
  private readonly wake: () => void
  private readonly load: Load
  /** Requests in all, at this server. */
  private total = 0
  private readonly largerThan: number
  private largeBytes = 0
  /** Those that wait because of all the others, in their order. */
  private readonly stalled = new Set<Client>()
  /** Those that waited because of themselves alone, and do not have to any more. */
  private readonly ready = new Set<Client>()

  private readonly relieved = (): void => {
    if (this.hasRoomForAll()) this.wake()
  }

  /** `load`: of this frontend, and of whatever else belongs to the same server. */
  constructor(limits: Limits, statistics: Statistics, load: Load, wake: () => void) {
    this.limits = limits
    this.statistics = statistics
    this.wake = wake
    this.load = load
    this.shareAmong(limits.voters)
    this.largerThan = limits.largeRequestThreshold < 0 ? Number.POSITIVE_INFINITY : limits.largeRequestThreshold
  }

  /** As in ZooKeeper a server's part of what the ensemble may have under way: the leader gets what all others let in. */
  shareAmong(voters: number): void {
    const { maxRequests } = this.limits.requestThrottle
    const part = Math.max(1, Math.floor(this.limits.maxOutstanding / (voters > 2 ? voters - 1 : 1)))
    this.total = maxRequests > 0 ? Math.min(maxRequests, part) : part
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
    return statistics.outstandingBytes >= this.limits.maxOutstandingBytes ? 0 : this.total - this.load.requests
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
      this.load.wait(this.relieved)
    } else client.hold(Hold.Outstanding)
  }

  /** It goes on, or has gone. */
  forget(client: Client): void {
    this.stalled.delete(client)
    this.ready.delete(client)
    this.settle()
  }

  private settle(): void {
    if (this.stalled.size === 0) this.load.leave(this.relieved)
  }

  asked(client: Client, count: number, bytes: number): void {
    client.asked(count, bytes)
    this.statistics.outstanding += count
    this.load.requests += count
    this.statistics.outstandingBytes += bytes
  }

  /** `replyBytes`: of these answers together; 0 if the client has gone without them. */
  answered(client: Client, count: number, replyBytes: number): void {
    const { statistics, limits } = this
    const before = client.outstanding
    statistics.outstandingBytes -= client.answered(count)
    const done = before - client.outstanding
    statistics.outstanding -= done
    if (client.large !== undefined) this.largeBytes -= client.large.answered(client.answers)
    if (replyBytes > 0) {
      client.replySize += (replyBytes / count - client.replySize) / 8
      const affordable = limits.replyBytesPerConnection / client.replySize
      client.window = Math.max(1, Math.floor(Math.min(limits.maxOutstandingPerConnection, affordable)))
    }
    if (client.isHeld) this.reconsider(client)
    this.load.answered(done)
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
    const { requests } = this.load
    return (
      requests < this.total &&
      requests * 4 <= this.total * 3 &&
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
      this.settle()
    }
    return clients
  }
}

const NOBODY: ReadonlyArray<Client> = []
