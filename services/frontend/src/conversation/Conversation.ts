/** A frontend's side of the talk with its clients: what they say comes in here, and goes to whom it concerns. */
import type { SessionToFrontend } from "@zkmesh/messages"
import { type Client, Hold, Phase } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import { Handshake } from "./Handshake.ts"
import { Proofs } from "./Proofs.ts"
import { Replies } from "./Replies.ts"
import { Requests } from "./Requests.ts"
import { Voice } from "./Voice.ts"

export class Conversation {
  private readonly frontend: Frontend
  private readonly handshake: Handshake
  private readonly requests: Requests
  private readonly replies: Replies

  constructor(frontend: Frontend) {
    this.frontend = frontend
    const voice = new Voice(frontend)
    const proofs = new Proofs(frontend, voice)
    this.handshake = new Handshake(frontend, voice, proofs)
    this.requests = new Requests(frontend, voice, proofs)
    this.replies = new Replies(frontend, voice, this.requests)
  }

  /** How likely it is that a client is turned away because too many come at once: 0 to 1. */
  get dropProbability(): number {
    return this.handshake.throttle.dropProbability
  }

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
    if (client.phase === Phase.First) this.handshake.first(client)
    else if (client.phase === Phase.Open && !client.holdsFor(Hold.Moving)) this.requests.take(client, client.arrivedAt)
  }

  /** The client will say nothing more: it has gone. One that has asked with a four-letter word is waiting for the text. */
  ended(client: Client): void {
    if (client.phase !== Phase.Word) client.socket.destroy()
    else client.line?.end()
  }

  /** There is room for more of what the client asks. */
  goOn(client: Client, now: number): void {
    this.requests.goOn(client, now)
  }

  fromSession(peer: Peer, message: SessionToFrontend, now: number): void {
    this.replies.take(peer, message, now)
  }
}
