/** How clients prove who they are on an open connection: auth packets and SASL, answered here. */
import type { Identity } from "@zkmesh/messages"
import { ErrorCode } from "@zkmesh/protocol"
import { Authenticator } from "../auth/Authenticator.ts"
import { MALFORMED } from "../auth/packet.ts"
import type { Client } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import { HEADER_BYTES } from "../requests.ts"
import type { Voice } from "./Voice.ts"

export class Proofs {
  private readonly frontend: Frontend
  private readonly voice: Voice
  private readonly authenticator: Authenticator

  constructor(frontend: Frontend, voice: Voice) {
    this.frontend = frontend
    this.voice = voice
    this.authenticator = new Authenticator(frontend.settings.authentication)
  }

  /** Whether a client that is nobody else may ask for anything but to prove who it is. */
  isEnough(identity: Identity): boolean {
    return this.authenticator.isEnough(identity)
  }

  /** Takes the auth packet at hand; false if the connection has ended with it. */
  authenticate(client: Client, peer: Peer, xid: number): boolean {
    const { buffer, start, end } = client.splitter
    const identity = this.authenticator.packet(client.identity, buffer, start + HEADER_BYTES, end)
    if (identity === MALFORMED) {
      this.frontend.drop(client, "badHeader", "an auth packet that is none")
      return false
    }
    if (identity === undefined) {
      this.voice.say(client, xid, 0, ErrorCode.AUTHFAILED)
      return this.proveNothing(client)
    }
    this.identify(client, peer, identity)
    this.voice.say(client, xid, 0, ErrorCode.OK)
    return true
  }

  /** Takes the SASL token at hand; false if the connection has ended with it. */
  exchange(client: Client, peer: Peer, xid: number): boolean {
    const { buffer, start, end } = client.splitter
    client.exchange ??= this.authenticator.exchange()
    const answer = this.authenticator.sasl(client.exchange, client.identity, buffer, start + HEADER_BYTES, end)
    const failed = answer._tag === "Failed"
    if (!failed) this.identify(client, peer, answer.identity)
    this.voice.sayToken(client, xid, failed ? answer.code : ErrorCode.OK, failed ? null : answer.token)
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
}
