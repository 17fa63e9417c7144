/** What a frontend says to clients in its own name, between the replies of their session. */
import {
  type ConnectResponse,
  type ErrorCode,
  expiredResponse,
  JuteWriter,
  writeConnectResponse,
  writeEmptyReply
} from "@zkmesh/protocol"
import type { Client } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"

export class Voice {
  private readonly frontend: Frontend
  private readonly writer = new JuteWriter()

  constructor(frontend: Frontend) {
    this.frontend = frontend
  }

  /** The reply to request `xid` is that it went so, and no more. */
  say(client: Client, xid: number, zxid: number, err: ErrorCode): void {
    writeEmptyReply(this.writer, xid, zxid, err)
    this.write(client, this.writer.take())
  }

  /** The next step of a SASL exchange; null: it has failed. */
  sayToken(client: Client, xid: number, err: ErrorCode, token: Uint8Array | null): void {
    const at = this.writer.beginReply(xid, 0, err)
    this.writer.buffer(token)
    this.writer.endFrame(at)
    this.write(client, this.writer.take())
  }

  /** Ends the connection of a client whose session is no more. */
  expired(client: Client): void {
    this.respond(client, expiredResponse(client.echoReadOnly ? false : undefined))
    this.frontend.end(client, "expired")
  }

  respond(client: Client, response: ConnectResponse): void {
    const at = this.writer.beginFrame()
    writeConnectResponse(this.writer, response)
    this.writer.endFrame(at)
    this.write(client, this.writer.take())
  }

  /** Writes at once: this is no pass over replies, and nothing else would follow. */
  private write(client: Client, bytes: Uint8Array): void {
    client.sent++
    this.frontend.statistics.sent++
    client.queue(bytes)
    this.frontend.statistics.bytesSent += client.flush()
  }
}
