import { type JuteWriter, OpCode, writeAuthRequest, writeRequestHeader, Xid } from "@zkmesh/protocol"
import { ZkError } from "./errors.ts"

interface AuthInfo {
  readonly scheme: string
  readonly auth: Uint8Array
  readonly accepted: () => void
  readonly refused: (error: ZkError) => void
}

/** Who the client has proved to be: told to every connection anew. */
export class Identities {
  private readonly infos: Array<AuthInfo> = []
  /** The last ones of the list that this connection has not answered yet. */
  private unanswered = 0

  add(info: AuthInfo): void {
    this.infos.push(info)
  }

  /** The newest, to a connection that knows the others. */
  writeLast(writer: JuteWriter): void {
    const info = this.infos[this.infos.length - 1]
    if (info !== undefined) this.write(writer, info)
  }

  /** All, to a new connection. */
  writeTo(writer: JuteWriter): void {
    this.unanswered = 0
    for (const info of this.infos) this.write(writer, info)
  }

  private write(writer: JuteWriter, info: AuthInfo): void {
    this.unanswered++
    const at = writer.beginFrame()
    writeRequestHeader(writer, Xid.auth, OpCode.auth)
    writeAuthRequest(writer, info)
    writer.endFrame(at)
  }

  /** The server has accepted the oldest that it had not answered. */
  accepted(): void {
    const info = this.infos[this.infos.length - this.unanswered]
    this.unanswered--
    info?.accepted()
  }

  /** The session has ended; those that were accepted long ago do not mind. */
  end(code: number): void {
    for (const info of this.infos.splice(0)) info.refused(new ZkError(code))
  }
}
