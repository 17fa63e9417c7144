import type { JuteReader, JuteWriter, ReplyHeader } from "@zkmesh/protocol"
import { ZkError } from "./errors.ts"

export interface Request {
  readonly xid: number
  readonly path: string | undefined
  /** undefined once it has been written to the connection. */
  frame: Uint8Array | undefined
  /** The reply's body follows in the reader if `header.err` is 0. */
  readonly onReply: (header: ReplyHeader, reader: JuteReader) => void
  readonly onFailure: (error: ZkError) => void
}

/** Requests without an answer, in the order of their xids: sent ones first, then those that wait for a connection. */
export class RequestQueue {
  private requests: Array<Request> = []
  private head = 0

  push(request: Request): void {
    this.requests.push(request)
  }

  /** The request that a reply answers: the oldest, or the server has lost the thread. */
  answered(xid: number): Request {
    const request = this.requests[this.head]
    if (request === undefined || request.xid !== xid) {
      throw new Error(`a reply to ${xid} where one to ${request?.xid ?? "nothing"} is due`)
    }
    this.head++
    if (this.head > 1024 && this.head * 2 > this.requests.length) {
      this.requests = this.requests.slice(this.head)
      this.head = 0
    }
    return request
  }

  /** Everything to a new connection, where nothing is in flight yet. */
  writeTo(writer: JuteWriter): void {
    for (let i = this.head; i < this.requests.length; i++) {
      const request = this.requests[i]!
      if (request.frame !== undefined) writer.raw(request.frame)
      request.frame = undefined
    }
  }

  /** The connection is lost: what was in flight may or may not have happened. */
  failSent(code: number, cause: Error): void {
    const first = this.head
    while (this.head < this.requests.length && this.requests[this.head]!.frame === undefined) this.head++
    for (const { path, onFailure } of this.requests.slice(first, this.head)) onFailure(new ZkError(code, path, cause))
  }

  failAll(code: number, cause: Error | undefined): void {
    const lost = this.requests.slice(this.head)
    this.requests = []
    this.head = 0
    for (const { path, onFailure } of lost) onFailure(new ZkError(code, path, cause))
  }
}
