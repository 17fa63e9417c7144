/** What clients ask for in their sessions, frame by frame. */
import { ClientRequest } from "@zkmesh/messages"
import { ErrorCode, OpCode, Xid } from "@zkmesh/protocol"
import { type Client, Hold, Phase } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import { AUTH, FORWARD, fateOf, HEADER_BYTES, latencyKindOf, SASL, SUPER } from "../requests.ts"
import { OTHER } from "../statistics.ts"
import type { Proofs } from "./Proofs.ts"
import type { Voice } from "./Voice.ts"

/** There may be another frame, but no room for it. */
const STALLED = "stalled"

const isSuper = ({ identity }: Client): boolean => identity.some(({ scheme }) => scheme === "super")

export class Requests {
  private readonly frontend: Frontend
  private readonly voice: Voice
  private readonly proofs: Proofs

  constructor(frontend: Frontend, voice: Voice, proofs: Proofs) {
    this.frontend = frontend
    this.voice = voice
    this.proofs = proofs
  }

  /** The hot path. Every frame of the chunk, whatever the limits say: it is in memory already. */
  take(client: Client, now: number): void {
    const { frontend } = this
    const { flow } = frontend
    const { splitter, conn } = client
    let { carry } = client
    const peer = client.peer!
    const throttled = this.isThrottled(client, now)
    let room = flow.room(client)
    let count = 0
    let bytes = 0
    /** How many requests of the same kind have come in a row. */
    let run = 0
    let kind = OTHER
    let found = room > 0 ? splitter.next() : STALLED
    for (; found === "frame"; found = count < room ? splitter.next() : STALLED) {
      const { buffer, start, end } = splitter
      if (end - start < HEADER_BYTES) break
      const xid = (buffer[start]! << 24) | (buffer[start + 1]! << 16) | (buffer[start + 2]! << 8) | buffer[start + 3]!
      const op =
        (buffer[start + 4]! << 24) | (buffer[start + 5]! << 16) | (buffer[start + 6]! << 8) | buffer[start + 7]!
      client.lastOp = op
      if (xid >= 0) client.lastXid = xid
      else if (xid === Xid.notification && carry !== undefined) {
        if (!frontend.carrier.letGo(client)) return
        carry = undefined
      }
      const fate = fateOf(op)
      if ((fate === FORWARD || (fate === SUPER && isSuper(client))) && client.mayAsk) {
        if (!flow.admitsLarge(client, end - start, count)) {
          this.took(client, count, bytes, now, run, kind)
          frontend.drop(client, "largeRequest", `a request of ${end - start} bytes`)
          return
        }
        const become = throttled ? this.opOf(op) : op
        const request = new ClientRequest(conn, xid, become, buffer, start + HEADER_BYTES, end)
        if (carry !== undefined) carry.asked(request)
        peer.add(request)
        const is = latencyKindOf(op)
        if (is !== kind) {
          if (run > 0) client.arrivals.add(now, run, kind)
          run = 0
          kind = is
        }
        run++
        count++
        bytes += end - start
      } else {
        this.took(client, count, bytes, now, run, kind)
        count = bytes = run = 0
        if (!this.special(client, peer, xid, op)) return
        room = flow.room(client)
      }
    }
    this.took(client, count, bytes, now, run, kind)
    if (found === STALLED) flow.stall(client)
    else if (found === "badLength") frontend.drop(client, "badLength", `a frame of ${splitter.length} bytes`)
    else if (found === "frame") frontend.drop(client, "badHeader", "a frame without a header")
  }

  private took(client: Client, count: number, bytes: number, now: number, run: number, kind: number): void {
    // A piece of a frame is a sign of life too.
    client.deadline = now + client.timeoutMs
    if (count === 0) return
    const { frontend } = this
    const { statistics } = frontend
    statistics.received += count
    statistics.requests += count
    client.received += count
    frontend.tracing?.forwards(client, client.peer!, count, now)
    // The ones before these, of another kind, have been added as they came.
    client.arrivals.add(now, run, kind)
    frontend.flow.asked(client, count, bytes)
    frontend.scheduleFlush()
  }

  /** There is room again: what the client has sent already is taken, as far as it goes, then it is read from. */
  goOn(client: Client, now: number): void {
    if (client.phase !== Phase.Open || client.holdsFor(Hold.Moving)) return
    client.lift(Hold.Outstanding | Hold.Total)
    this.frontend.statistics.throttleTime.record(now - client.arrivedAt)
    if (this.isStale(client, now)) {
      this.frontend.drop(client, "stale", `its requests have waited for ${Math.round(now - client.arrivedAt)} ms`)
      return
    }
    this.take(client, now)
    client.readOn()
  }

  /** What came while there was nobody to take it. */
  takeUp(client: Client, now: number): void {
    client.deadline = now + client.timeoutMs
    client.arrivedAt = now
    // Its turn may have come while it could not take it: whether there is room shows now.
    this.frontend.flow.forget(client)
    client.lift(Hold.Outstanding | Hold.Total)
    this.take(client, now)
    client.readOn()
  }

  private isStale(client: Client, now: number): boolean {
    return this.frontend.settings.requestThrottle.dropsStale && now - client.arrivedAt > client.timeoutMs
  }

  /** Whether what has come from the client has waited for too long to be carried out. */
  private isThrottled(client: Client, now: number): boolean {
    const { throttledOpWaitMs } = this.frontend.settings.requestThrottle
    return throttledOpWaitMs > 0 && now - client.arrivedAt > throttledOpWaitMs
  }

  /** The opcode under which a request that has waited for too long is answered, in its place in the order. */
  private opOf(op: number): number {
    if (op === OpCode.ping || op === OpCode.closeSession) return op
    this.frontend.statistics.throttledOps++
    return OpCode.throttled
  }

  /** What is answered here, out of the session's order as in ZooKeeper; false if the connection has ended with it. */
  private special(client: Client, peer: Peer, xid: number, op: number): boolean {
    const { frontend } = this
    frontend.statistics.received++
    client.received++
    const fate = fateOf(op)
    if (fate === AUTH) return this.proofs.authenticate(client, peer, xid)
    if (fate === SASL) return this.proofs.exchange(client, peer, xid)
    const isUnknown = fate !== FORWARD
    if (isUnknown) this.voice.say(client, xid, -1, ErrorCode.UNIMPLEMENTED)
    else this.voice.say(client, xid, 0, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH)
    frontend.end(client, isUnknown ? "badOperation" : "authRequired")
    return false
  }
}
