/**
 * After a move, until everything is as it was: what the new peer says comes in the order in which it was asked there, and
 * leaves in the order in which the client asked.
 *
 * First come the answers to writes of the earlier connection that are in the log. Then the missed events, with the answer
 * to the registration of the watches, which the client has not asked for; then what was asked again. The client is told
 * of its writes and the events in the order of their zxids, and of what it reads behind the events that it has missed.
 */
import type { ClientRequest } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { Fifo } from "@zkmesh/session"
import { FrameWalk, withZxid } from "./frames.ts"

/** Whole frames for a client, and how many of its requests they answer. */
export interface Told {
  readonly bytes: Uint8Array
  readonly answers: number
}

/** Whose answers these are. */
export interface Asker {
  /** What is not answered yet, in the order of asking. */
  readonly unanswered: Fifo<ClientRequest>
  /** The client is told of an event. */
  happened(type: number, path: string, zxid: Zxid): void
  /** The oldest is answered, with this error and as of this zxid; `isNumbered`: if it is a write, it is this connection's. */
  answered(request: ClientRequest, err: number, zxid: Zxid, isNumbered: boolean): void
}

export class Settling {
  private readonly asker: Asker
  /** Writes that are in the log and of which the client has not been told, the oldest first. */
  private logged = new Fifo<ClientRequest>()
  /** Their answers, as far as they have come. */
  private replies = new Fifo<Uint8Array>()
  private isRegistering = false
  /** The events that it has missed, until the answer to the registration has come. */
  private missed = new Fifo<{ readonly bytes: Uint8Array; readonly zxid: Zxid }>()
  /** What the client was told last. */
  private zxid: Zxid = 0

  constructor(asker: Asker) {
    this.asker = asker
  }

  get isOver(): boolean {
    return !this.isRegistering && this.logged.length === 0
  }

  /** Whether the answers to all of the writes that are known to be in the log have come. */
  get hasAnswers(): boolean {
    return this.replies.length === this.logged.length
  }

  /** Those whose answers have come already. */
  get held(): ReadonlySet<ClientRequest> {
    return new Set(this.logged)
  }

  /** `logged`: with those of `held` first. `zxid`: what the client has seen. */
  begin(logged: ReadonlyArray<ClientRequest>, isRegistering: boolean, zxid: Zxid): void {
    this.logged = new Fifo()
    for (const request of logged) this.logged.push(request)
    this.isRegistering = isRegistering
    this.zxid = zxid
  }

  /** What of all this the client is told now; undefined if it cannot be told what has happened to what it watches. */
  take(bytes: Uint8Array): ReadonlyArray<Told> | undefined {
    const told: Array<Told> = []
    const walk = new FrameWalk(bytes)
    while (walk.next()) {
      const frame = bytes.subarray(walk.start, walk.end)
      if (walk.isEvent) {
        this.asker.happened(walk.eventType, walk.eventPath, walk.zxid)
        if (this.isRegistering) this.missed.push({ bytes: frame, zxid: walk.zxid })
        else told.push({ bytes: frame, answers: 0 })
        continue
      }
      if (!this.hasAnswers) this.replies.push(frame)
      else if (this.isRegistering) {
        if (walk.err !== 0) return undefined
        this.isRegistering = false
        this.catchUp(told)
        this.tellMissed(told, Number.POSITIVE_INFINITY)
      } else told.push(this.answer(frame, walk))
      if (!this.isRegistering) this.catchUp(told)
    }
    return told
  }

  /** The answer to what was asked again. */
  private answer(frame: Uint8Array, { err, zxid }: FrameWalk): Told {
    this.asker.answered(this.oldest(), err, zxid, true)
    if (zxid > this.zxid) this.zxid = zxid
    return { bytes: frame, answers: 1 }
  }

  /** Tells of the writes in the log that are next. */
  private catchUp(told: Array<Told>): void {
    const { asker, logged, replies } = this
    while (replies.length > 0 && asker.unanswered.peek() === logged.peek()) {
      const bytes = replies.shift()!
      const walk = new FrameWalk(bytes)
      walk.next()
      this.tellMissed(told, walk.zxid)
      logged.shift()
      asker.answered(this.oldest(), walk.err, walk.zxid, false)
      // A read that it has overtaken has shown what is newer. As of an earlier zxid, the client could go back behind that.
      const isOvertaken = walk.zxid < this.zxid
      if (!isOvertaken) this.zxid = walk.zxid
      told.push({ bytes: isOvertaken ? withZxid(bytes, this.zxid) : bytes, answers: 1 })
    }
  }

  /** Tells of what has happened up to a zxid: events and the answers to writes come in the order of their zxids. */
  private tellMissed(told: Array<Told>, upTo: Zxid): void {
    const { missed } = this
    while (missed.length > 0 && missed.peek()!.zxid <= upTo) told.push({ bytes: missed.shift()!.bytes, answers: 0 })
  }

  private oldest(): ClientRequest {
    const request = this.asker.unanswered.shift()
    if (request === undefined) throw new Error("a client is answered what it has not asked")
    return request
  }
}
