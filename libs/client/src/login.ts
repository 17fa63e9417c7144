import { randomBytes } from "node:crypto"
import {
  type JuteReader,
  type JuteWriter,
  OpCode,
  readSaslToken,
  writeRequestHeader,
  writeSaslToken
} from "@zkmesh/protocol"
import { DigestClient, SaslError } from "@zkmesh/sasl"

/** Who the client proves to be by SASL's DIGEST-MD5, before it asks for anything. */
export interface SaslOptions {
  readonly username: string
  readonly password: string
}

/** What ZooKeeper's servers call themselves to whoever does not come by Kerberos. */
const SERVICE = "zookeeper"
const HOST = "zk-sasl-md5"

/** No other request has this xid. */
export const LOGIN_XID = 0

/** The SASL exchange of the connection that is there, if the client has somebody to prove to be. */
export class Login {
  private readonly sasl: SaslOptions | undefined
  private exchange: DigestClient | undefined

  constructor(sasl: SaslOptions | undefined) {
    this.sasl = sasl
  }

  /** On a new connection: true if an exchange begins, and everything else has to wait for its end. */
  begin(writer: JuteWriter): boolean {
    if (this.sasl === undefined) return false
    const { username, password } = this.sasl
    const cnonce = randomBytes(16).toString("base64")
    this.exchange = new DigestClient({ username, password, service: SERVICE, host: HOST, cnonce })
    this.say(writer, this.exchange.begin())
    return true
  }

  get isUnderWay(): boolean {
    return this.exchange !== undefined
  }

  /** Takes what the server has said and writes what is said to it; "done" once both sides are content. */
  step(err: number, reader: JuteReader, writer: JuteWriter): "more" | "done" | "failed" {
    const { exchange } = this
    if (exchange === undefined || err !== 0) return "failed"
    try {
      const { token } = readSaslToken(reader)
      // A server that does not know SASL answers with none.
      if (token === null) return "failed"
      const answer = exchange.step(token)
      if (answer === undefined) {
        this.exchange = undefined
        return "done"
      }
      this.say(writer, answer)
      return "more"
    } catch (error) {
      if (error instanceof SaslError) return "failed"
      throw error
    }
  }

  private say(writer: JuteWriter, token: Uint8Array): void {
    const at = writer.beginFrame()
    writeRequestHeader(writer, LOGIN_XID, OpCode.sasl)
    writeSaslToken(writer, { token })
    writer.endFrame(at)
  }
}
