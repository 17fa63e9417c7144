/** What clients say, and what they are told: the first frame, requests, replies. */
import type { Identity, SessionToFrontend } from "@zkmesh/messages"
import { ClientRequest } from "@zkmesh/messages"
import {
  type ConnectResponse,
  ErrorCode,
  expiredResponse,
  JuteError,
  JuteReader,
  JuteWriter,
  OpCode,
  type ReceivedConnectRequest,
  readConnectRequest,
  writeConnectResponse,
  writeEmptyReply
} from "@zkmesh/protocol"
import { Authenticator } from "./auth/Authenticator.ts"
import { MALFORMED } from "./auth/packet.ts"
import { type Client, Hold, Phase } from "./Client.ts"
import { FourLetterWords } from "./FourLetterWords.ts"
import type { Frontend } from "./Frontend.ts"
import { ConnectionThrottle } from "./limits/connectionThrottle.ts"
import type { Peer } from "./Peer.ts"
import { AUTH, FORWARD, fateOf, latencyKindOf, SASL } from "./requests.ts"
import { OTHER } from "./statistics.ts"

const HEADER_BYTES = 8
/** There may be another frame, but no room for it. */
const STALLED = "stalled"
const REFUSALS = { ahead: "ahead", readOnly: "readOnly", notServing: "notServing", moved: "closedByPeer" } as const
type Refusal = Extract<SessionToFrontend, { _tag: "Refused" }>["reason"]

export class Conversation {
  private readonly frontend: Frontend
  private readonly words: FourLetterWords
  private readonly writer = new JuteWriter()
  readonly throttle: ConnectionThrottle
  private readonly authenticator: Authenticator

  constructor(frontend: Frontend) {
    this.frontend = frontend
    this.authenticator = new Authenticator(frontend.settings.authentication)
    this.throttle = new ConnectionThrottle(frontend.settings.connectionThrottle, frontend.now(), Math.random)
    this.words = new FourLetterWords(frontend)
  }

  // From the client.

  data(client: Client, chunk: Buffer): void {
    // Said to somebody who has hung up, or behind a four-letter word.
    if (client.phase >= Phase.Ending) return
    if (client.phase === Phase.Word) {
      client.line?.push(chunk)
      return
    }
    this.frontend.statistics.bytesReceived += chunk.length
    client.splitter.push(chunk)
    client.arrivedAt = this.frontend.now()
    if (client.phase === Phase.First) this.first(client)
    else if (client.phase === Phase.Open && !client.holdsFor(Hold.Moving)) this.requests(client, client.arrivedAt)
  }

  /** The client will say nothing more: it has gone. One that has asked with a four-letter word is waiting for the text. */
  ended(client: Client): void {
    if (client.phase !== Phase.Word) client.socket.destroy()
    else client.line?.end()
  }

  /** What follows the first frame waits in the splitter until there is a session. */
  private first(client: Client): void {
    const { splitter } = client
    const found = splitter.next()
    if (found === "frame") this.handshake(client)
    else if (found === "badLength" && !this.words.answer(client, splitter.length)) {
      this.frontend.drop(client, "badLength", `a first frame of ${splitter.length} bytes`)
    }
  }

  private handshake(client: Client): void {
    const { frontend } = this
    const { buffer, start, end } = client.splitter
    let request: ReceivedConnectRequest
    try {
      request = readConnectRequest(new JuteReader(buffer, start, end))
    } catch (error) {
      if (!(error instanceof JuteError)) throw error
      frontend.drop(client, "badHandshake", `a ConnectRequest that is none: ${error.message}`)
      return
    }
    client.echoReadOnly = request.readOnly !== undefined
    client.phase = Phase.Opening
    client.mayAsk = this.authenticator.isEnough(client.identity)
    frontend.statistics.connectionRequests++
    frontend.statistics.tokenDeficit.record(this.throttle.deficit)
    if (!this.throttle.admits(request.sessionId === 0 ? frontend.settings.newSessions : "renew", frontend.now())) {
      frontend.drop(client, "throttled", "too many sessions are asked for at once")
      return
    }
    const peer = frontend.serving(request.readOnly ?? false)
    if (peer === undefined) {
      frontend.end(client, "notServing")
      return
    }
    // Later than any zxid of ours can be: this client has been somewhere else.
    if (request.lastZxidSeen > Number.MAX_SAFE_INTEGER) {
      frontend.end(client, "ahead")
      return
    }
    if (!Number.isSafeInteger(request.sessionId) || request.sessionId < 0) {
      this.expired(client)
      return
    }
    const isNew = request.sessionId === 0
    if (!isNew) frontend.statistics.revalidations++
    client.hold(Hold.Opening)
    client.peer = peer
    peer.clients.add(client)
    const trace = frontend.tracing?.opens(client, request.sessionId, client.arrivedAt)
    peer.send({
      _tag: "Connect",
      conn: client.conn,
      sessionId: request.sessionId,
      // A copy: what the client presents is a view on its chunk.
      password: isNew ? frontend.password() : Uint8Array.from(request.password ?? []),
      timeoutMs: request.timeoutMs,
      lastZxidSeen: Math.max(0, request.lastZxidSeen),
      readOnly: request.readOnly ?? false,
      identity: client.identity,
      ...(trace === undefined ? {} : { trace })
    })
  }

  /** The hot path. Every frame of the chunk, whatever the limits say: it is in memory already. */
  private requests(client: Client, now: number): void {
    const { frontend } = this
    const { flow, tracing } = frontend
    const { splitter, conn, carry } = client
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
      if (fateOf(op) === FORWARD && client.mayAsk) {
        if (!flow.admitsLarge(client, end - start, count)) {
          this.took(client, count, bytes, now, run, kind)
          frontend.drop(client, "largeRequest", `a request of ${end - start} bytes`)
          return
        }
        const become = throttled ? this.opOf(op) : op
        const request = new ClientRequest(conn, xid, become, buffer, start + HEADER_BYTES, end)
        if (tracing !== undefined) tracing.forwards(client, peer, request, now)
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
    this.requests(client, now)
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
    if (fate === AUTH) return this.authenticate(client, peer, xid)
    if (fate === SASL) return this.exchange(client, peer, xid)
    const isUnknown = fate !== FORWARD
    if (isUnknown) this.say(client, xid, -1, ErrorCode.UNIMPLEMENTED)
    else this.say(client, xid, 0, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH)
    frontend.end(client, isUnknown ? "badOperation" : "authRequired")
    return false
  }

  private authenticate(client: Client, peer: Peer, xid: number): boolean {
    const { buffer, start, end } = client.splitter
    const identity = this.authenticator.packet(client.identity, buffer, start + HEADER_BYTES, end)
    if (identity === MALFORMED) {
      this.frontend.drop(client, "badHeader", "an auth packet that is none")
      return false
    }
    if (identity === undefined) {
      this.say(client, xid, 0, ErrorCode.AUTHFAILED)
      return this.proveNothing(client)
    }
    this.identify(client, peer, identity)
    this.say(client, xid, 0, ErrorCode.OK)
    return true
  }

  private exchange(client: Client, peer: Peer, xid: number): boolean {
    const { buffer, start, end } = client.splitter
    client.exchange ??= this.authenticator.exchange()
    const answer = this.authenticator.sasl(client.exchange, client.identity, buffer, start + HEADER_BYTES, end)
    const failed = answer._tag === "Failed"
    if (!failed) this.identify(client, peer, answer.identity)
    const at = this.writer.beginReply(xid, 0, failed ? answer.code : ErrorCode.OK)
    this.writer.buffer(failed ? null : answer.token)
    this.writer.endFrame(at)
    this.write(client, this.writer.take())
    return failed ? this.proveNothing(client) : true
  }

  private identify(client: Client, peer: Peer, identity: Identity): void {
    if (identity === client.identity) return
    client.identity = identity
    client.mayAsk = this.authenticator.isEnough(identity)
    peer.send({ _tag: "Identify", conn: client.conn, identity })
  }

  private proveNothing(client: Client): false {
    this.frontend.statistics.authFailures++
    this.frontend.end(client, "authFailed")
    return false
  }

  private say(client: Client, xid: number, zxid: number, err: ErrorCode): void {
    writeEmptyReply(this.writer, xid, zxid, err)
    this.write(client, this.writer.take())
  }

  /** Writes at once: this is no pass over replies, and nothing else would follow. */
  private write(client: Client, bytes: Uint8Array): void {
    client.sent++
    this.frontend.statistics.sent++
    client.queue(bytes)
    this.frontend.statistics.bytesSent += client.flush()
  }

  // From the session service.

  fromSession(peer: Peer, message: SessionToFrontend, now: number): void {
    const { frontend } = this
    switch (message._tag) {
      case "Replies":
        for (const { conn, bytes, answers } of message.replies) {
          const client = frontend.clients.get(conn)
          if (client?.peer !== peer) continue
          const { carry } = client
          if (carry?.isRegistering === true) {
            for (const told of carry.release(bytes, answers)) this.replied(client, told.bytes, told.answers, now)
            continue
          }
          if (carry !== undefined) carry.told(bytes, answers)
          this.replied(client, bytes, answers, now)
        }
        return
      case "Status":
        peer.said(message, now)
        if (message.serving) frontend.carrier.tick(now)
        return
      case "Connected":
        this.connected(peer, message, now)
        return
      case "Refused": {
        const client = frontend.clients.get(message.conn)
        if (client?.peer !== peer) return
        if (client.carry?.lostAt !== undefined) {
          this.notResumed(peer, client, message.reason)
          return
        }
        frontend.tracing?.opened(client, now, message.reason)
        if (message.reason === "expired") this.expired(client)
        else frontend.end(client, REFUSALS[message.reason])
        return
      }
      case "Close": {
        const client = frontend.clients.get(message.conn)
        if (client?.peer !== peer) return
        if (message.elsewhere === true) frontend.carrier.lose(client, "closedByPeer")
        else frontend.end(client, "closedByPeer")
        return
      }
      case "Answer":
        peer.answered(message)
        return
    }
  }

  private replied(client: Client, bytes: Uint8Array, answers: number, now: number): void {
    const { frontend } = this
    const { statistics } = frontend
    const packets = answers === 0 ? 1 : answers
    client.sent += packets
    statistics.sent += packets
    if (answers === 0) statistics.watchBytes += bytes.length
    else {
      client.lastLatency = client.arrivals.answered(now, answers, client.latency, statistics)
      client.replied(bytes, now)
      frontend.tracing?.replies(client, bytes, answers, now)
      frontend.flow.answered(client, answers, bytes.length)
      const size = answers === 1 ? bytes.length : Math.round(bytes.length / answers)
      statistics.lastReplyBytes = size
      if (size > statistics.maxReplyBytes) statistics.maxReplyBytes = size
      if (size < statistics.minReplyBytes || statistics.minReplyBytes < 0) statistics.minReplyBytes = size
    }
    frontend.reply(client, bytes)
  }

  private connected(peer: Peer, message: Extract<SessionToFrontend, { _tag: "Connected" }>, now: number): void {
    const client = this.frontend.clients.get(message.conn)
    if (client?.peer !== peer) return
    if (client.carry?.lostAt !== undefined && client.phase === Phase.Open) {
      if (this.frontend.carrier.resumed(client, peer, message)) this.takeUp(client, now)
      return
    }
    if (client.phase !== Phase.Opening) return
    client.phase = Phase.Open
    client.sessionId = message.sessionId
    client.timeoutMs = message.timeoutMs
    client.deadline = now + message.timeoutMs
    client.lastOp = OpCode.createSession
    const { sessionId, password, timeoutMs, readOnly } = message
    this.respond(client, { sessionId, password, timeoutMs, readOnly: client.echoReadOnly ? readOnly : undefined })
    this.frontend.tracing?.opened(client, now, undefined)
    client.lift(Hold.Opening)
    this.frontend.carrier.take(client, message)
    this.takeUp(client, now)
  }

  /** What came while there was nobody to take it. */
  private takeUp(client: Client, now: number): void {
    client.deadline = now + client.timeoutMs
    client.arrivedAt = now
    // Its turn may have come while it could not take it: whether there is room shows now.
    this.frontend.flow.forget(client)
    client.lift(Hold.Outstanding | Hold.Total)
    this.requests(client, now)
    client.readOn()
  }

  private notResumed(peer: Peer, client: Client, reason: Refusal): void {
    const { frontend } = this
    const closing = client.carry?.closing
    if (reason === "expired" && closing !== undefined) {
      // Its request to end the session has been granted, and only the answer was lost.
      this.say(client, closing, client.lastZxidSeen, ErrorCode.OK)
      frontend.end(client, "closedByPeer")
      return
    }
    if (reason === "notServing") peer.refuses()
    frontend.carrier.refused(client, reason)
  }

  private expired(client: Client): void {
    this.respond(client, expiredResponse(client.echoReadOnly ? false : undefined))
    this.frontend.end(client, "expired")
  }

  private respond(client: Client, response: ConnectResponse): void {
    const at = this.writer.beginFrame()
    writeConnectResponse(this.writer, response)
    this.writer.endFrame(at)
    this.write(client, this.writer.take())
  }
}
