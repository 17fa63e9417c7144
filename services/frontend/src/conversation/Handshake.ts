/** The first thing that a client says: it wants a session, or has one, or is a person with a four-letter word. */
import { JuteError, JuteReader, type ReceivedConnectRequest, readConnectRequest } from "@zkmesh/protocol"
import { type Client, Hold, Phase } from "../Client.ts"
import { FourLetterWords } from "../FourLetterWords.ts"
import type { Frontend } from "../Frontend.ts"
import { ConnectionThrottle } from "../limits/connectionThrottle.ts"
import type { Proofs } from "./Proofs.ts"
import type { Voice } from "./Voice.ts"

export class Handshake {
  readonly throttle: ConnectionThrottle
  private readonly frontend: Frontend
  private readonly voice: Voice
  private readonly proofs: Proofs
  private readonly words: FourLetterWords

  constructor(frontend: Frontend, voice: Voice, proofs: Proofs) {
    this.frontend = frontend
    this.voice = voice
    this.proofs = proofs
    this.throttle = new ConnectionThrottle(frontend.settings.connectionThrottle, frontend.now(), Math.random)
    this.words = new FourLetterWords(frontend)
  }

  /** What follows the first frame waits in the splitter until there is a session. */
  first(client: Client): void {
    const { splitter } = client
    const found = splitter.next()
    if (found === "frame") this.take(client)
    else if (found === "badLength" && !this.words.answer(client, splitter.length)) {
      this.frontend.drop(client, "badLength", `a first frame of ${splitter.length} bytes`)
    }
  }

  private take(client: Client): void {
    const request = this.read(client)
    if (request !== undefined) this.admit(client, request)
  }

  private read(client: Client): ReceivedConnectRequest | undefined {
    const { buffer, start, end } = client.splitter
    try {
      return readConnectRequest(new JuteReader(buffer, start, end))
    } catch (error) {
      if (!(error instanceof JuteError)) throw error
      this.frontend.drop(client, "badHandshake", `a ConnectRequest that is none: ${error.message}`)
      return undefined
    }
  }

  private admit(client: Client, request: ReceivedConnectRequest): void {
    const { frontend } = this
    client.echoReadOnly = request.readOnly !== undefined
    client.phase = Phase.Opening
    client.mayAsk = this.proofs.isEnough(client.identity)
    frontend.statistics.connectionRequests++
    frontend.statistics.tokenDeficit.record(this.throttle.deficit)
    if (!this.throttle.admits(request.sessionId === 0 ? frontend.settings.newSessions : "renew", frontend.now())) {
      frontend.drop(client, "throttled", "too many sessions are asked for at once")
      return
    }
    const peer = frontend.peers.serving(request.readOnly ?? false)
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
      this.voice.expired(client)
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
}
