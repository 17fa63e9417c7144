import type { ClientRequest, Identity, SessionToZnode } from "@zkmesh/messages"
import type { SessionId } from "@zkmesh/numbers"
import type { Connection } from "./connection.ts"
import { Fifo } from "./fifo.ts"

type Reads = Extract<SessionToZnode, { _tag: "Reads" }>

/** A request that is answered here when its turn comes; a ping keeps its place in the znode's stream. */
export interface Local {
  readonly number: number
  readonly request: ClientRequest
}

/**
 * The reads sent to the znode and whose they are. Answers come in the order of sending, so nothing needs a number: only
 * the connections are kept, in the batches in which they were sent.
 */
export class ReadOrder {
  private requests: Array<ClientRequest> = []
  private identities: Array<Identity> = []
  private sessions: Array<SessionId> = []
  /** Parallel to `requests`: who gets the answers. */
  private readers: Array<Connection> = []
  private batches = new Fifo<ReadonlyArray<Connection>>()
  private position = 0
  private sent = 0
  private answered = 0
  private locals = new Fifo<Local>()

  /** Sent and not yet answered. */
  get outstanding(): number {
    return this.sent - this.answered
  }

  push(request: ClientRequest, identity: Identity, connection: Connection): void {
    this.requests.push(request)
    this.identities.push(identity)
    this.sessions.push(connection.session)
    this.readers.push(connection)
    connection.readsSent++
    this.sent++
  }

  /** `stand` goes to the znode in place of `request`, which is answered here when the stand-in's answer comes. */
  pushLocal(request: ClientRequest, stand: ClientRequest, identity: Identity, connection: Connection): void {
    this.push(stand, identity, connection)
    this.locals.push({ number: this.sent, request })
  }

  /** What has been pushed since the last call, as one message. */
  take(): Reads | undefined {
    if (this.requests.length === 0) return undefined
    const { requests, identities, sessions } = this
    this.batches.push(this.readers)
    this.requests = []
    this.identities = []
    this.sessions = []
    this.readers = []
    return { _tag: "Reads", requests, identities, sessions }
  }

  /** The stream has ended: none of the answers will come. */
  clear(): void {
    this.requests = []
    this.identities = []
    this.sessions = []
    this.readers = []
    this.batches = new Fifo()
    this.locals = new Fifo()
    this.position = 0
    this.answered = this.sent
  }

  get hasLocals(): boolean {
    return this.locals.length > 0
  }

  /** Whose the next answer is. */
  next(): Connection {
    let batch = this.batches.peek()
    if (batch !== undefined && this.position === batch.length) {
      this.batches.shift()
      this.position = 0
      batch = this.batches.peek()
    }
    if (batch === undefined) throw new Error("the znode has answered a read that was never sent")
    this.answered++
    const reader = batch[this.position++]!
    reader.readsAnswered++
    return reader
  }

  /** The request to answer here, if the answer that `next` was last called for is a stand-in's. */
  localNow(): ClientRequest | undefined {
    if (this.locals.peek()?.number !== this.answered) return undefined
    return this.locals.shift()!.request
  }
}
