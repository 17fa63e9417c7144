/** A session core with its neighbours played by the test, which reads like the conversation between them. */
import type {
  AppliedTxn,
  ChangeEvent,
  Identity,
  SessionRecord,
  SessionToFrontend,
  SessionToPrepare,
  SessionToZnode,
  WatchRegistration,
  WriteRequest
} from "@zkmesh/messages"
import { ClientRequest } from "@zkmesh/messages"
import { zxid } from "@zkmesh/numbers"
import {
  ErrorCode,
  JuteReader,
  JuteWriter,
  OpCode,
  readReplyHeader,
  readWatcherEvent,
  writeEmptyReply,
  writeWatchTypeRequest
} from "@zkmesh/protocol"
import type { SessionInput } from "../src/index.ts"
import { SessionCore } from "../src/index.ts"

export const SID = 2
export const TICK = 1000
const NOTHING = new Uint8Array(0)

/** A frame in a client's words: `xid@counter`, `xid!err`, `event type path @counter`. */
const describe = (bytes: Uint8Array): Array<string> => {
  const words: Array<string> = []
  const reader = new JuteReader(bytes)
  while (reader.remaining > 0) {
    const end = reader.int() + reader.offset
    const { xid, zxid, err } = readReplyHeader(reader)
    const at = zxid % 2 ** 32
    if (xid === -1) {
      const { type, path } = readWatcherEvent(reader)
      words.push(`event ${type} ${path} @${at}`)
    } else words.push(err === 0 ? `${xid}@${at}` : `${xid}!${err}`)
    reader.reset(bytes, end)
  }
  return words
}

export class Harness {
  readonly core: SessionCore
  now = 0
  epoch = 1
  counter = 100
  readonly reads: Array<{ request: ClientRequest; identity: Identity; session: number }> = []
  /** Reads that the znode has to do right after the write with this number. */
  readonly after: Array<{
    request: ClientRequest
    identity: Identity
    session: number
    connection: number
    seq: number
  }> = []
  readonly writes: Array<WriteRequest> = []
  readonly opens: Array<Extract<SessionToPrepare, { _tag: "Open" }>> = []
  readonly queries: Array<number> = []
  readonly touched: Array<ReadonlyArray<number>> = []
  /** What each client got, as its frontend was told: replies in words, else the message's tag. */
  readonly log = new Map<number, Array<string>>()
  readonly messages: Array<SessionToFrontend> = []
  answers = 0
  replies = 0
  private readonly writer = new JuteWriter()

  constructor(options: Partial<ConstructorParameters<typeof SessionCore>[0]> = {}) {
    this.core = new SessionCore({
      sid: SID,
      tickTimeMs: TICK,
      minSessionTimeoutMs: 2 * TICK,
      maxSessionTimeoutMs: 20 * TICK,
      giveUpMs: 5 * TICK,
      firstToken: 7,
      mayRead: () => true,
      ...options
    })
  }

  step(input: SessionInput): void {
    this.core.step(input, this.now)
    this.collect()
  }

  private collect(): void {
    const output = this.core.takeOutput()
    if (output === undefined) return
    for (const message of output.toZnode) this.took(message)
    for (const message of output.toPrepare) {
      if (message._tag === "Writes") this.writes.push(...message.requests)
      else if (message._tag === "Open") this.opens.push(message)
    }
    if (output.touch !== undefined) this.touched.push(output.touch)
    for (const { messages } of output.toFrontends) for (const message of messages) this.heard(message)
  }

  private took(message: SessionToZnode): void {
    if (message._tag === "Query") this.queries.push(message.id)
    else if (message._tag === "ReadsAfter") {
      message.requests.forEach((request, i) => {
        this.after.push({
          request,
          identity: message.identities[i]!,
          session: message.sessions[i]!,
          connection: message.connections[i]!,
          seq: message.seqs[i]!
        })
      })
    } else {
      message.requests.forEach((request, i) => {
        this.reads.push({ request, identity: message.identities[i]!, session: message.sessions[i]! })
      })
    }
  }

  private heard(message: SessionToFrontend): void {
    this.messages.push(message)
    if (message._tag === "Replies") {
      for (const { conn, bytes, answers } of message.replies) {
        this.replies++
        this.answers += answers
        this.say(conn, ...describe(bytes))
      }
    } else if ("conn" in message) {
      this.say(message.conn, "reason" in message ? `${message._tag} ${message.reason}` : message._tag)
    }
  }

  private say(conn: number, ...words: Array<string>): void {
    const log = this.log.get(conn) ?? []
    log.push(...words)
    this.log.set(conn, log)
  }

  /** Takes (and forgets) what a client has got so far. */
  got(conn: number): Array<string> {
    const log = this.log.get(conn) ?? []
    this.log.delete(conn)
    return log
  }

  /** A peer that has followed leader 1 from the start, with one frontend. */
  started(role: "leading" | "following" = "following", sessions: ReadonlyArray<SessionRecord> = []): this {
    this.step({ _tag: "FrontendOpened", link: "f" })
    const change = { _tag: "Role", role, epoch: this.epoch, leader: role === "leading" ? SID : 1 } as const
    this.step({ _tag: "FromZnode", messages: [{ _tag: "Hello", zxid: this.zxid, role: change, sessions }] })
    this.step({ _tag: "PrepareOpened" })
    return this
  }

  get zxid(): number {
    return zxid(this.epoch, this.counter)
  }

  role(role: "looking" | "leading" | "following", epoch = this.epoch, leader = 1): void {
    this.epoch = epoch
    this.step({ _tag: "FromZnode", messages: [{ _tag: "Role", role, epoch, leader: role === "looking" ? 0 : leader }] })
  }

  connect(conn: number, sessionId = 0, link = "f", timeoutMs = 10 * TICK): void {
    const identity = [{ scheme: "ip", id: "10.0.0.1" }]
    this.step({
      _tag: "FromFrontend",
      link,
      messages: [
        {
          _tag: "Connect",
          conn,
          sessionId,
          password: new Uint8Array(16),
          timeoutMs,
          lastZxidSeen: 0,
          readOnly: false,
          identity
        }
      ]
    })
  }

  /** The oldest Open becomes a transaction and passes by. */
  opened(): SessionRecord {
    const open = this.opens.shift()!
    this.counter++
    const record: SessionRecord = {
      id: open.session === 0 ? this.zxid : open.session,
      password: open.password,
      timeoutMs: open.timeoutMs,
      peer: open.peer,
      connection: this.zxid,
      seq: 0,
      token: open.token
    }
    this.sessionChanged({ kind: open.session === 0 ? "created" : "attached", record })
    return record
  }

  sessionChanged(sessionChange: AppliedTxn["sessionChange"]): void {
    this.applied({ session: 0, seq: 0, type: OpCode.createSession, reply: undefined, events: undefined, sessionChange })
  }

  /** A client with a session of its own; returns the session's id. */
  client(conn: number, link = "f"): number {
    this.connect(conn, 0, link)
    const { id } = this.opened()
    this.got(conn)
    return id
  }

  request(conn: number, xid: number, op: number, body: Uint8Array = NOTHING): ClientRequest {
    return new ClientRequest(conn, xid, op, body, 0, body.length)
  }

  send(link: string, ...requests: Array<ClientRequest>): void {
    this.step({ _tag: "FromFrontend", link, messages: [{ _tag: "Requests", requests }] })
  }

  /** `get 3` is a getData with xid 3; several requests of one client at once. */
  ask(conn: number, ...words: Array<string>): void {
    this.send("f", ...words.map((word) => this.parse(conn, word)))
  }

  private parse(conn: number, word: string): ClientRequest {
    const [name, xid, path, type] = word.split(" ")
    const op = { get: OpCode.getData, set: OpCode.setData, ping: OpCode.ping, close: OpCode.closeSession }[name!]
    if (op !== undefined) return this.request(conn, Number(xid), op)
    this.writer.take()
    writeWatchTypeRequest(this.writer, { path: path!, type: Number(type) })
    const watchOp = name === "remove" ? OpCode.removeWatches : OpCode.checkWatches
    return this.request(conn, Number(xid), watchOp, this.writer.take())
  }

  private frames(requests: ReadonlyArray<ClientRequest>): { zxid: number; buffer: Uint8Array; ends: Array<number> } {
    const ends: Array<number> = []
    this.writer.take()
    for (const { xid } of requests) {
      writeEmptyReply(this.writer, xid, this.zxid, ErrorCode.OK)
      ends.push(this.writer.length)
    }
    return { zxid: this.zxid, buffer: this.writer.take(), ends }
  }

  /** The znode answers everything that it has been asked, in one batch; `watches` may belong to answers. */
  answerReads(watches?: ReadonlyArray<WatchRegistration>): void {
    const answers = this.frames(this.reads.map(({ request }) => request))
    this.reads.length = 0
    this.step({ _tag: "FromZnode", messages: [{ _tag: "ReadReplies", ...answers, watches }] })
  }

  /** The znode answers what was to come after the write `seq` of a session, as if that had just been applied. */
  answerAfter(session: number, seq: number, watches?: ReadonlyArray<WatchRegistration>): void {
    const due = this.after.filter((read) => read.session === session && read.seq === seq)
    const { connection } = due[0]!
    const answers = this.frames(due.map(({ request }) => request))
    for (const read of due) this.after.splice(this.after.indexOf(read), 1)
    this.step({ _tag: "FromZnode", messages: [{ _tag: "RepliesAfter", session, connection, ...answers, watches }] })
  }

  /** A transaction passes by. */
  applied(txn: Omit<AppliedTxn, "zxid">): void {
    const zxid = this.zxid
    this.step({ _tag: "FromZnode", messages: [{ _tag: "Applied", zxid, txns: [{ zxid, ...txn }] }] })
  }

  /** Something has changed in the tree. */
  changed(...events: Array<ChangeEvent>): void {
    this.counter++
    this.applied({ session: 1, seq: 0, type: 5, reply: undefined, events, sessionChange: undefined })
  }

  /** The oldest write that was sent becomes a transaction and passes by. */
  apply(events?: ReadonlyArray<ChangeEvent>): void {
    const write = this.writes.shift()!
    this.counter++
    writeEmptyReply(this.writer, write.xid, this.zxid, ErrorCode.OK)
    const closing = write.op === OpCode.closeSession
    this.applied({
      session: write.session,
      seq: write.seq,
      type: write.op,
      reply: this.writer.take(),
      events,
      sessionChange: closing ? { kind: "closed", id: write.session } : undefined
    })
  }

  /** What was sent towards the znode and the leader since the last call, in xids. */
  sent(): { reads: Array<number>; after: Array<string>; writes: Array<string> } {
    return {
      reads: this.reads.map(({ request }) => request.xid),
      after: this.after.map(({ request, seq }) => `${request.xid} after #${seq}`),
      writes: this.writes.map(({ xid, seq }) => `${xid}#${seq}`)
    }
  }

  tick(now: number): void {
    this.now = now
    this.step({ _tag: "Tick" })
  }
}
