/** What clients are told: replies, events, the outcome of a handshake, as the session services give it. */
import type { SessionToFrontend } from "@zkmesh/messages"
import { ErrorCode, OpCode } from "@zkmesh/protocol"
import { type Client, Hold, Phase } from "../Client.ts"
import type { Carry } from "../carry/Carry.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import type { Requests } from "./Requests.ts"
import type { Voice } from "./Voice.ts"

const REFUSALS = { ahead: "ahead", readOnly: "readOnly", notServing: "notServing", moved: "closedByPeer" } as const
type Refusal = Extract<SessionToFrontend, { _tag: "Refused" }>["reason"]

export class Replies {
  private readonly frontend: Frontend
  private readonly voice: Voice
  private readonly requests: Requests

  constructor(frontend: Frontend, voice: Voice, requests: Requests) {
    this.frontend = frontend
    this.voice = voice
    this.requests = requests
  }

  take(peer: Peer, message: SessionToFrontend, now: number): void {
    const { frontend } = this
    switch (message._tag) {
      case "Replies":
        for (const { conn, bytes, answers } of message.replies) {
          const client = frontend.clients.get(conn)
          if (client?.peer !== peer) {
            frontend.statistics.staleReplies += answers
            continue
          }
          const { carry } = client
          if (carry?.isSettling === true) {
            this.settle(client, carry, bytes, now)
            continue
          }
          if (carry !== undefined) carry.told(bytes, answers)
          this.replied(client, bytes, answers, now)
        }
        return
      case "Fired":
        this.fired(peer, message, now)
        return
      case "Status":
        peer.said(message, now)
        if (message.serving) frontend.carrier.tick(now)
        return
      case "Configuration":
        frontend.follow(message.text)
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
        if (message.reason === "expired") this.voice.expired(client)
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

  /** Their notifications are behind us; they leave at the end of the pass. */
  private fired(peer: Peer, { watches }: Extract<SessionToFrontend, { _tag: "Fired" }>, now: number): void {
    const { clients, tracing } = this.frontend
    if (tracing === undefined) return
    for (const watch of watches) {
      const client = clients.get(watch.conn)
      if (client?.peer === peer) tracing.deliveries.came(watch, client, now)
    }
  }

  private settle(client: Client, carry: Carry, bytes: Uint8Array, now: number): void {
    const released = carry.release(bytes)
    if (released === undefined)
      this.frontend.carrier.giveUp(client, "what has happened to what it watches is not known")
    else for (const told of released) this.replied(client, told.bytes, told.answers, now)
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
      // Without its length, which stands before it.
      const size = (answers === 1 ? bytes.length : Math.round(bytes.length / answers)) - 4
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
      if (this.frontend.carrier.resumed(client, peer, message)) this.requests.takeUp(client, now)
      return
    }
    if (client.phase !== Phase.Opening) return
    client.phase = Phase.Open
    client.sessionId = message.sessionId
    client.timeoutMs = message.timeoutMs
    client.deadline = now + message.timeoutMs
    client.lastOp = OpCode.createSession
    const { sessionId, password, timeoutMs, readOnly } = message
    this.voice.respond(client, { sessionId, password, timeoutMs, readOnly: client.echoReadOnly ? readOnly : undefined })
    this.frontend.tracing?.opened(client, now, undefined)
    client.lift(Hold.Opening)
    this.frontend.carrier.take(client, message)
    this.requests.takeUp(client, now)
  }

  private notResumed(peer: Peer, client: Client, reason: Refusal): void {
    const { frontend } = this
    const closing = client.carry?.closing
    if (reason === "expired" && closing !== undefined) {
      // Its request to end the session has been granted, and only the answer was lost.
      this.voice.say(client, closing, client.lastZxidSeen, ErrorCode.OK)
      frontend.end(client, "closedByPeer")
      return
    }
    if (reason === "notServing") peer.refuses()
    frontend.carrier.refused(client, reason)
  }
}
