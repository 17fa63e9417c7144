/**
 * What it takes to go on with a client at another peer without the client's knowledge: its session's password, what it
 * has asked for and not been told, and what it watches.
 *
 * The session service numbers a connection's writes, and the log keeps the number; they are counted here in the same way,
 * so that after a move both sides know which of the unanswered ones are in the log.
 */
import { ClientRequest, type Resume } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { OpCode, Xid } from "@zkmesh/protocol"
import { Fifo, kindOf, WRITE } from "@zkmesh/session"
import { FrameWalk } from "./frames.ts"
import { mayWatch, Watched } from "./Watched.ts"

/** Whole frames for a client, and how many of its requests they answer. */
export interface Told {
  readonly bytes: Uint8Array
  readonly answers: number
}

export class Carry {
  readonly password: Uint8Array
  /** Since when it has had no peer; undefined as long as it has one. */
  lostAt: number | undefined
  private connection: Zxid
  private readonly watched = new Watched()
  private unanswered = new Fifo<ClientRequest>()
  /** How many of this connection's writes are answered. */
  private answeredWrites = 0
  /** Answers to writes of the earlier connection, which come first; they have no number in this one. */
  private earlierAnswers = 0
  /** The watches are being registered anew: until that is done no answer may reach the client, for events go first. */
  isRegistering = false
  private held: Array<Told> = []

  constructor(password: Uint8Array, connection: Zxid) {
    this.password = password
    this.connection = connection
  }

  /** Whether nothing that matters to the client would be lost on the way. */
  get canMove(): boolean {
    return !this.watched.hasLasting
  }

  get resume(): Resume {
    return { connection: this.connection, answered: this.answeredWrites }
  }

  /** The xid of the request that ends the session, if that is the next to be answered. */
  get closing(): number | undefined {
    const next = this.unanswered.peek()
    return next?.op === OpCode.closeSession ? next.xid : undefined
  }

  asked(request: ClientRequest): void {
    this.unanswered.push(request)
    if (request.op === OpCode.setWatches || request.op === OpCode.setWatches2) this.watched.asked(request)
  }

  /** Takes note of what the client is told. */
  told(bytes: Uint8Array, answers: number): void {
    if (answers > 0) this.takeAnswers(bytes, answers)
    else if (this.watched.size > 0) this.takeEvents(new FrameWalk(bytes))
  }

  private takeAnswers(bytes: Uint8Array, answers: number): void {
    let walk: FrameWalk | undefined
    let walked = 0
    for (let answer = 0; answer < answers; answer++) {
      const request = this.unanswered.shift()
      if (request === undefined) throw new Error("a client is answered what it has not asked")
      if (kindOf(request.op) === WRITE) {
        if (this.earlierAnswers > 0) this.earlierAnswers--
        else this.answeredWrites++
      } else if (mayWatch(request)) {
        walk ??= new FrameWalk(bytes)
        for (; walked <= answer; walked++) this.toAnswer(walk)
        this.watched.answered(request, walk.err)
      }
    }
  }

  /** Steps to the next frame that is an answer. */
  private toAnswer(walk: FrameWalk): void {
    while (walk.next()) {
      if (!walk.isEvent) return
      this.watched.told(walk.eventType, walk.eventPath)
    }
  }

  private takeEvents(walk: FrameWalk): void {
    while (walk.next()) if (walk.isEvent) this.watched.told(walk.eventType, walk.eventPath)
  }

  /** While `isRegistering`: what of all this the client is told now. What it did not ask itself is cut out. */
  release(bytes: Uint8Array, answers: number): ReadonlyArray<Told> {
    const walk = new FrameWalk(bytes)
    let hasAnswer = false
    while (walk.next()) {
      if (walk.isEvent) this.watched.told(walk.eventType, walk.eventPath)
      else if (this.earlierAnswers > 0) hasAnswer = true
      else return this.registered(bytes, walk, answers)
    }
    // Answers to what the earlier connection had written, one at a time.
    if (hasAnswer) this.takeAnswers(bytes, answers)
    this.held.push({ bytes, answers })
    return []
  }

  /** The frame at hand is the answer to the registration: events come first, then what was held back, then the rest. */
  private registered(bytes: Uint8Array, { start, end }: FrameWalk, answers: number): ReadonlyArray<Told> {
    const events = { bytes: bytes.subarray(0, start), answers: 0 }
    const rest = { bytes: bytes.subarray(end), answers: answers - 1 }
    const told = [events, ...this.held, rest].filter((one) => one.bytes.length > 0)
    this.isRegistering = false
    this.held = []
    if (rest.bytes.length > 0) this.told(rest.bytes, rest.answers)
    return told
  }

  /**
   * The session has a connection at another peer. `logged`: the last write of the earlier connection that is in the log.
   * Returns what is to be asked there, in order; or why the client cannot be spared the news.
   */
  resumed(connection: Zxid, logged: number, conn: number, lastZxid: Zxid): ReadonlyArray<ClientRequest> | string {
    const known = logged - this.answeredWrites
    if (known < 0) return `the log has ${logged} of its requests, but ${this.answeredWrites} were answered`
    const inLog: Array<ClientRequest> = []
    const again: Array<ClientRequest> = []
    for (const request of this.unanswered) {
      const isDue = inLog.length < known
      if (isDue && kindOf(request.op) === WRITE) inLog.push(request)
      // A ping may as well be answered later.
      else if (!isDue || request.op === OpCode.ping) again.push(request)
      // What it was to read before its write cannot be read any more: the write is there.
      else return "it waits for a read from before a write that is in the log"
    }
    if (inLog.length < known) return `the log has ${logged} of its requests, which it has not made`
    this.unanswered = new Fifo()
    for (const request of [...inLog, ...again]) this.unanswered.push(request)
    this.connection = connection
    this.answeredWrites = 0
    this.earlierAnswers = known
    this.lostAt = undefined
    this.isRegistering = this.watched.size + this.held.length > 0
    if (this.isRegistering) again.unshift(this.registration(conn, lastZxid))
    return again
  }

  private registration(conn: number, lastZxid: Zxid): ClientRequest {
    const body = this.watched.registration(lastZxid)
    return new ClientRequest(conn, Xid.setWatches, OpCode.setWatches2, body, 0, body.length)
  }
}
