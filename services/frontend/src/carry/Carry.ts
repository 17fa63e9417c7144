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
import { changedBy, couldSee, type Scope, seenBy } from "./overtaken.ts"
import { type Asker, Settling, type Told } from "./Settling.ts"
import { mayWatch, Watched } from "./Watched.ts"

export class Carry implements Asker {
  readonly password: Uint8Array
  /** Since when it has had no peer; undefined as long as it has one. */
  lostAt: number | undefined
  private connection: Zxid
  private readonly watched = new Watched()
  unanswered = new Fifo<ClientRequest>()
  /** How many of this connection's writes are answered. */
  private answeredWrites = 0
  /** The state that the client has been told of in full: what its replies do not show of it. */
  private seen: Zxid = 0
  private readonly settling = new Settling(this)

  constructor(password: Uint8Array, connection: Zxid) {
    this.password = password
    this.connection = connection
  }

  get resume(): Resume {
    return { connection: this.connection, answered: this.answeredWrites }
  }

  /** It has moved, and what it is told has to be put into order: see `release`. */
  get isSettling(): boolean {
    return !this.settling.isOver
  }

  /** The xid of the request that ends the session, if that is the next to be answered. */
  get closing(): number | undefined {
    const next = this.unanswered.peek()
    return next?.op === OpCode.closeSession ? next.xid : undefined
  }

  asked(request: ClientRequest): void {
    this.unanswered.push(request)
    if (isSetWatches(request)) this.watched.asked(request)
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
      if (kindOf(request.op) === WRITE) this.answeredWrites++
      else if (mayWatch(request)) {
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
      this.happened(walk.eventType, walk.eventPath, walk.zxid)
    }
  }

  private takeEvents(walk: FrameWalk): void {
    while (walk.next()) if (walk.isEvent) this.happened(walk.eventType, walk.eventPath, walk.zxid)
  }

  happened(type: number, path: string, zxid: Zxid): void {
    this.watched.told(type, path)
    if (zxid > this.seen) this.seen = zxid
  }

  answered(request: ClientRequest, err: number, zxid: Zxid, isNumbered: boolean): void {
    if (zxid > this.seen) this.seen = zxid
    if (kindOf(request.op) !== WRITE) {
      if (mayWatch(request)) this.watched.answered(request, err)
    } else if (isNumbered) this.answeredWrites++
  }

  /** While `isSettling`: what of all this the client is told now; undefined if it cannot be told what it has missed. */
  release(bytes: Uint8Array): ReadonlyArray<Told> | undefined {
    return this.settling.take(bytes)
  }

  /**
   * The session has a connection at another peer. `logged`: the last write of the earlier connection that is in the log.
   * Returns what is to be asked there, in order; or why the client cannot be spared the news.
   */
  resumed(connection: Zxid, logged: number, conn: number, lastZxid: Zxid): ReadonlyArray<ClientRequest> | string {
    const due = logged - this.answeredWrites
    if (due < 0) return `the log has ${logged} of its requests, but ${this.answeredWrites} were answered`
    if (!this.settling.hasAnswers) return "the answers to what it had asked for are lost"
    const sorted = this.sort(due)
    if (typeof sorted === "string") return sorted
    const { inLog, again } = sorted
    this.connection = connection
    this.answeredWrites = 0
    this.lostAt = undefined
    const named = again.filter(isSetWatches)
    for (const request of named) this.watched.forget(request)
    const isRegistering = this.watched.size > 0
    if (isRegistering) again.unshift(this.registration(conn, Math.max(lastZxid, this.seen)))
    for (const request of named) this.watched.asked(request)
    this.settling.begin(inLog, isRegistering, lastZxid)
    return again
  }

  /** Of what is not answered: the writes that are in the log, `due` of them without an answer, and what is asked again. */
  private sort(due: number): { inLog: Array<ClientRequest>; again: Array<ClientRequest> } | string {
    const { held } = this.settling
    const inLog: Array<ClientRequest> = []
    const again: Array<ClientRequest> = []
    let found = 0
    let seen: Array<Scope> = []
    for (const request of this.unanswered) {
      const isHeld = held.has(request)
      if (isHeld || (found < due && kindOf(request.op) === WRITE)) {
        if (!isHeld) found++
        inLog.push(request)
        // What it was to read before its write must not show the write.
        if (seen.length < again.length) seen = again.map(seenBy)
        const changed = changedBy(request)
        if (seen.some((scope) => couldSee(scope, changed))) return "it waits for a read from before a write in the log"
      } else again.push(request)
    }
    return found < due ? `the log has ${due - found} of its requests that it has not made` : { inLog, again }
  }

  private registration(conn: number, zxid: Zxid): ClientRequest {
    const body = this.watched.registration(zxid)
    return new ClientRequest(conn, Xid.setWatches, OpCode.resumeWatches, body, 0, body.length)
  }
}

const isSetWatches = ({ op }: ClientRequest): boolean => op === OpCode.setWatches || op === OpCode.setWatches2
