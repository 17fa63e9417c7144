import type { AppliedTxn, Resumed, SessionRecord, WatchRegistration, ZnodeToSession } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { hex, isLocalId } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import { AnswerRun } from "./answerRun.ts"
import type { Connection } from "./connection.ts"
import type { SessionCore } from "./core.ts"

type ReadReplies = Extract<ZnodeToSession, { _tag: "ReadReplies" }>
type RepliesAfter = Extract<ZnodeToSession, { _tag: "RepliesAfter" }>
type Applied = Extract<ZnodeToSession, { _tag: "Applied" }>

/** The peer's one totally ordered stream, as it passes by. */
export class Stream {
  private readonly core: SessionCore
  /** The state that the last message belongs to. */
  zxid: Zxid = 0

  constructor(core: SessionCore) {
    this.core = core
  }

  start(zxid: Zxid): void {
    this.zxid = zxid
  }

  readReplies(message: ReadReplies): void {
    const { reads } = this.core
    const { buffer, ends, watches } = message
    this.zxid = message.zxid
    const run = new AnswerRun(buffer)
    let registered = 0
    let watchIndex = watches === undefined || watches.length === 0 ? -1 : watches[0]!.index
    for (let i = 0; i < ends.length; i++) {
      const reader = reads.next()
      const local = reads.hasLocals ? reads.localNow() : undefined
      if (local === undefined) run.add(reader, ends[i]!)
      else {
        run.replace(reader, ends[i]!, this.core.answerLocal(reader, local))
        if (local.op === OpCode.closeSession) this.core.standalone.closing(reader)
      }
      if (i === watchIndex) {
        registered = this.register(reader, watches!, registered)
        watchIndex = registered < watches!.length ? watches![registered]!.index : -1
      }
    }
    run.flush()
    if (watchIndex >= 0) throw new Error(`a watch belongs to answer ${watchIndex}, which is not there or out of order`)
  }

  /** Answers that had to come between two writes of their connection, and do: this is their place in the stream. */
  repliesAfter(message: RepliesAfter): void {
    const connection = this.core.attached.get(message.session)
    this.zxid = message.zxid
    // It has ended, or the session has moved on, since it asked.
    if (connection?.connection !== message.connection) return
    const { parked } = connection
    const { ends, watches } = message
    const run = new AnswerRun(message.buffer)
    let registered = 0
    for (let i = 0; i < ends.length; i++) {
      if (parked.length === 0) throw new Error("the znode has answered a read that was never sent")
      const local = parked.shift()
      connection.readsAnswered++
      if (local === undefined) run.add(connection, ends[i]!)
      else run.replace(connection, ends[i]!, this.core.answerLocal(connection, local))
      if (watches !== undefined && watches[registered]?.index === i) {
        registered = this.register(connection, watches, registered)
      }
    }
    run.flush()
  }

  /** The watches of one read, from `from` on; returns where the next read's begin. */
  private register(reader: Connection, watches: ReadonlyArray<WatchRegistration>, from: number): number {
    const { index } = watches[from]!
    let next = from
    for (; next < watches.length && watches[next]!.index === index; next++) {
      // A connection that has ended is not there to be told.
      if (reader.frontend !== undefined) {
        this.core.watchers.register(reader, watches[next]!.path, watches[next]!.mode)
      }
    }
    return next
  }

  applied(message: Applied, now: number): void {
    const { traces } = message
    let sampled = 0
    for (const txn of message.txns) {
      this.zxid = txn.zxid
      if (traces !== undefined) {
        const isSampled = traces[sampled]?.zxid === txn.zxid
        if (isSampled) sampled++
        this.core.watchers.note(isSampled)
      }
      // Events first: nobody may read the change, or hear of its success, before those who watch have been told.
      if (txn.events !== undefined) for (const event of txn.events) this.core.watchers.fire(event, txn.zxid)
      const change = txn.sessionChange
      if (change !== undefined && "record" in change) this.opened(change.record, change.resumed, now)
      if (txn.seq > 0) this.finished(txn)
      if (change?.kind === "closed") {
        this.core.options.onEnded?.(change.id, txn.events)
        this.closed(change.id)
      } else if (change?.kind === "restored") {
        // Nobody is attached to those that are back: they have their whole time to come for what they own.
        for (const record of change.opened) this.core.tracking.opened(record, now)
        for (const id of change.closed) this.closed(id)
      }
    }
    if (traces !== undefined) this.core.watchers.note(false)
    this.zxid = message.zxid
  }

  /** A session has begun, or has been taken over by a new connection, here or elsewhere. */
  private opened(record: SessionRecord, resumed: Resumed | undefined, now: number): void {
    const { core } = this
    core.tracking.opened(record, now)
    if (isLocalId(record.id)) core.standalone.becameGlobal(record.id)
    const ours = record.peer === core.options.sid ? core.opening.get(record.token) : undefined
    const before = core.attached.get(record.id)
    if (before !== undefined) {
      // The same connection, asked for twice: both ways lead to the same end.
      if (before.token === record.token && record.peer === core.options.sid) {
        before.connection = record.connection
        return
      }
      core.strand(before, now + record.timeoutMs)
    }
    if (ours === undefined) return
    core.opening.delete(ours.token)
    ours.opening = undefined
    ours.session = record.id
    ours.connection = record.connection
    ours.live = true
    core.attached.set(record.id, ours)
    if (core.standalone.opened(ours)) return
    ours.frontend?.open({
      _tag: "Connected",
      conn: ours.conn,
      sessionId: record.id,
      password: record.password,
      timeoutMs: record.timeoutMs,
      readOnly: false,
      connection: record.connection,
      ...(resumed === undefined ? {} : { logged: resumed.logged })
    })
    if (resumed !== undefined) this.answerAgain(ours, resumed)
  }

  /** What the earlier connection had written, and was not told: the answers come from here. */
  private answerAgain(connection: Connection, { replies }: Resumed): void {
    if (replies === undefined)
      this.core.close(connection, "the answers to what it had asked for are not known any more")
    else for (const reply of replies) connection.frontend?.reply(connection.conn, reply, 1)
  }

  /** A request of a session has become what it became; if it came from here, its reply is due. */
  private finished(txn: AppliedTxn): void {
    const connection = this.core.attached.get(txn.session)
    if (connection === undefined) return
    const write = connection.pending.peek()
    if (write === undefined || write.seq !== txn.seq) {
      throw new Error(
        `session ${hex(txn.session)}: request ${txn.seq} passes by at ${hex(txn.zxid)}, ${write?.seq ?? "none"} is due`
      )
    }
    connection.pending.shift()
    this.core.writes.finished++
    if (connection.pending.length === 0) this.core.writes.drained++
    this.core.options.onWritten?.(write, txn)
    const readsBefore = connection.readsBefore.shift() ?? 0
    if (this.core.standalone.isHouse(connection)) {
      this.finishedForLocal(connection, txn)
      return
    }
    if (connection.readsAnswered < readsBefore) {
      // A read from before this write is lost, or late between two processes: its answer cannot come in order any more.
      this.core.close(connection, "a read was overtaken by the write after it")
      return
    }
    if (txn.reply !== undefined) connection.frontend?.reply(connection.conn, txn.reply, 1)
    if (write.op === OpCode.closeSession) return
    if (connection.frontend === undefined && connection.pending.length === 0) this.core.forget(connection)
  }

  /** What a local session has written, in the name of the house. */
  private finishedForLocal(house: Connection, txn: AppliedTxn): void {
    const { standalone } = this.core
    const writer = standalone.finished(house)
    if (writer === undefined) return
    if (txn.reply !== undefined) writer.frontend?.reply(writer.conn, txn.reply, 1)
    if (writer.frontend === undefined && writer.pending.length === 0) this.core.forget(writer)
    else standalone.goOn(writer)
  }

  private closed(id: SessionId): void {
    this.core.tracking.closed(id)
    const connection = this.core.attached.get(id)
    if (connection !== undefined) {
      this.core.close(connection, "the session is closed")
      this.core.standalone.lostHouse(connection)
    }
    this.core.stranded.sessionClosed(id)
  }
}
