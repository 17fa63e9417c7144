/** Between a session service and its own peer's znode. */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { CorruptMessage, type Form, makeCodec, readAcls, readBoolean, writeAcls, writeBoolean } from "./codecs.ts"
import { readRequest, writeRequest } from "./codecsFrontend.ts"
import { readIdentities, writeIdentities } from "./codecsIdentity.ts"
import {
  readAnswerTraces,
  readRequestTraces,
  readTxnTraces,
  withTraces,
  writeAnswerTraces,
  writeRequestTraces,
  writeTxnTraces
} from "./codecsTrace.ts"
import type { Identity, SessionRecord } from "./common.ts"
import type { ClientRequest } from "./frontend.ts"
import type {
  AppliedTxn,
  ChangeEvent,
  Resumed,
  SessionToZnode,
  WatchMode,
  WatchRegistration,
  ZnodeToSession
} from "./stream.ts"

const reads: Form<Extract<SessionToZnode, { _tag: "Reads" }>> = {
  code: 1,
  write: (message, writer) => {
    const places = writeIdentities(message.identities, writer)
    writer.u32(message.requests.length)
    for (let index = 0; index < places.length; index++) {
      writer.u32(places[index]!)
      writer.f64(message.sessions[index]!)
      writeRequest(message.requests[index]!, writer)
    }
    writeRequestTraces(message.requests, writer)
  },
  read: (reader) => {
    const table = readIdentities(reader)
    const requests: Array<ClientRequest> = []
    const identities: Array<Identity> = []
    const sessions: Array<SessionId> = []
    for (let left = reader.u32(); left > 0; left--) {
      const identity = table[reader.u32()]
      if (identity === undefined) throw new CorruptMessage("a read's identity is missing")
      identities.push(identity)
      sessions.push(reader.f64())
      requests.push(readRequest(reader))
    }
    readRequestTraces(requests, reader)
    return { _tag: "Reads", requests, identities, sessions }
  }
}

const readsAfter: Form<Extract<SessionToZnode, { _tag: "ReadsAfter" }>> = {
  code: 2,
  write: (message, writer) => {
    const places = writeIdentities(message.identities, writer)
    writer.u32(message.requests.length)
    for (let index = 0; index < places.length; index++) {
      writer.u32(places[index]!)
      writer.f64(message.sessions[index]!)
      writer.f64(message.connections[index]!)
      writer.u32(message.seqs[index]!)
      writeRequest(message.requests[index]!, writer)
    }
    writeRequestTraces(message.requests, writer)
  },
  read: (reader) => {
    const table = readIdentities(reader)
    const requests: Array<ClientRequest> = []
    const identities: Array<Identity> = []
    const sessions: Array<SessionId> = []
    const connections: Array<Zxid> = []
    const seqs: Array<number> = []
    for (let left = reader.u32(); left > 0; left--) {
      const identity = table[reader.u32()]
      if (identity === undefined) throw new CorruptMessage("a read's identity is missing")
      identities.push(identity)
      sessions.push(reader.f64())
      connections.push(reader.f64())
      seqs.push(reader.u32())
      requests.push(readRequest(reader))
    }
    readRequestTraces(requests, reader)
    return { _tag: "ReadsAfter", requests, identities, sessions, connections, seqs }
  }
}

const MODES: ReadonlyArray<WatchMode> = ["data", "child", "persistent", "persistentRecursive"]

const writeWatches = (watches: ReadonlyArray<WatchRegistration>, writer: ByteWriter): void => {
  writer.u32(watches.length)
  for (const watch of watches) {
    writer.u32(watch.index)
    writer.u8(MODES.indexOf(watch.mode))
    writer.string(watch.path)
  }
}

const readWatches = (reader: ByteReader): ReadonlyArray<WatchRegistration> => {
  const watches: Array<WatchRegistration> = []
  for (let left = reader.u32(); left > 0; left--) {
    const index = reader.u32()
    const mode = MODES[reader.u8()]
    if (mode === undefined) throw new CorruptMessage("a watch's mode is unknown")
    watches.push({ index, mode, path: reader.string() })
  }
  return watches
}

type ReadReplies = Extract<ZnodeToSession, { _tag: "ReadReplies" }>
type RepliesAfter = Extract<ZnodeToSession, { _tag: "RepliesAfter" }>

const writeAnswers = (message: ReadReplies | RepliesAfter, writer: ByteWriter): void => {
  const { ends, watches } = message
  writer.f64(message.zxid)
  writer.u32(ends.length)
  for (let index = 0; index < ends.length; index++) writer.u32(ends[index]!)
  writer.u8(watches === undefined ? 0 : 1)
  if (watches !== undefined) writeWatches(watches, writer)
  writer.bytes(message.buffer)
  writeAnswerTraces(message.traces, writer)
}

const readAnswers = (reader: ByteReader): Omit<ReadReplies, "_tag"> => {
  const zxid = reader.f64()
  const ends: Array<number> = []
  for (let left = reader.u32(); left > 0; left--) ends.push(reader.u32())
  const watches = reader.u8() === 0 ? undefined : readWatches(reader)
  return { zxid, buffer: reader.bytes(), ends, watches, ...withTraces(readAnswerTraces(reader)) }
}

const readReplies: Form<ReadReplies> = {
  code: 1,
  write: writeAnswers,
  read: (reader) => ({ _tag: "ReadReplies", ...readAnswers(reader) })
}

const repliesAfter: Form<RepliesAfter> = {
  code: 3,
  write: (message, writer) => {
    writer.f64(message.session)
    writer.f64(message.connection)
    writeAnswers(message, writer)
  },
  read: (reader) => {
    const session = reader.f64()
    const connection = reader.f64()
    return { _tag: "RepliesAfter", session, connection, ...readAnswers(reader) }
  }
}

const writeRecord = (record: SessionRecord, writer: ByteWriter): void => {
  writer.f64(record.id)
  writer.bytes(record.password)
  writer.f64(record.timeoutMs)
  writer.f64(record.peer)
  writer.f64(record.connection)
  writer.f64(record.seq)
  writer.f64(record.token)
}

const readRecord = (reader: ByteReader): SessionRecord => ({
  id: reader.f64(),
  password: reader.bytes(),
  timeoutMs: reader.f64(),
  peer: reader.f64(),
  connection: reader.f64(),
  seq: reader.f64(),
  token: reader.f64()
})

const HAS_ACL = 1
const HAS_PARENT_ACL = 2

const writeEvents = (events: ReadonlyArray<ChangeEvent>, writer: ByteWriter): void => {
  writer.u32(events.length)
  for (const { type, path, acl, parentAcl } of events) {
    writer.u8(type)
    writer.u8((acl === undefined ? 0 : HAS_ACL) | (parentAcl === undefined ? 0 : HAS_PARENT_ACL))
    writer.string(path)
    if (acl !== undefined) writeAcls(acl, writer)
    if (parentAcl !== undefined) writeAcls(parentAcl, writer)
  }
}

const readEvents = (reader: ByteReader): ReadonlyArray<ChangeEvent> => {
  const events: Array<ChangeEvent> = []
  for (let left = reader.u32(); left > 0; left--) {
    const type = reader.u8() as ChangeEvent["type"]
    const has = reader.u8()
    const path = reader.string()
    const acl = (has & HAS_ACL) === 0 ? undefined : readAcls(reader)
    const parentAcl = (has & HAS_PARENT_ACL) === 0 ? undefined : readAcls(reader)
    events.push(has === 0 ? { type, path } : { type, path, acl, parentAcl })
  }
  return events
}

type SessionChange = NonNullable<AppliedTxn["sessionChange"]>
const CHANGES: ReadonlyArray<SessionChange["kind"]> = ["created", "attached", "closed", "restored"]

const writeChange = (change: SessionChange, writer: ByteWriter): void => {
  writer.u8(CHANGES.indexOf(change.kind))
  if (change.kind === "closed") {
    writer.f64(change.id)
    return
  }
  if (change.kind === "restored") {
    writer.u32(change.closed.length)
    for (const id of change.closed) writer.f64(id)
    writer.u32(change.opened.length)
    for (const record of change.opened) writeRecord(record, writer)
    return
  }
  writeRecord(change.record, writer)
  const { resumed } = change
  writeBoolean(resumed !== undefined, writer)
  if (resumed === undefined) return
  writer.f64(resumed.logged)
  writeBoolean(resumed.replies !== undefined, writer)
  writer.u32(resumed.replies?.length ?? 0)
  for (const reply of resumed.replies ?? []) writer.bytes(reply)
}

const readResumed = (reader: ByteReader): Resumed => {
  const logged = reader.f64()
  const areKnown = readBoolean(reader)
  const replies: Array<Uint8Array> = []
  for (let left = reader.u32(); left > 0; left--) replies.push(reader.bytes())
  return { logged, replies: areKnown ? replies : undefined }
}

const readChange = (reader: ByteReader): SessionChange => {
  const kind = CHANGES[reader.u8()]
  if (kind === undefined) throw new CorruptMessage("a change of a session is unknown")
  if (kind === "closed") return { kind, id: reader.f64() }
  if (kind === "restored") {
    const closed = Array.from({ length: reader.u32() }, () => reader.f64())
    return { kind, closed, opened: Array.from({ length: reader.u32() }, () => readRecord(reader)) }
  }
  const record = readRecord(reader)
  return readBoolean(reader) ? { kind, record, resumed: readResumed(reader) } : { kind, record }
}

const HAS_REPLY = 1
const HAS_EVENTS = 2
const HAS_CHANGE = 4

const writeTxn = (txn: AppliedTxn, writer: ByteWriter): void => {
  const { reply, events, sessionChange } = txn
  writer.f64(txn.zxid)
  writer.f64(txn.session)
  writer.u32(txn.seq)
  writer.i32(txn.type)
  writer.u8(
    (reply === undefined ? 0 : HAS_REPLY) |
      (events === undefined ? 0 : HAS_EVENTS) |
      (sessionChange === undefined ? 0 : HAS_CHANGE)
  )
  if (reply !== undefined) writer.bytes(reply)
  if (events !== undefined) writeEvents(events, writer)
  if (sessionChange !== undefined) writeChange(sessionChange, writer)
}

const readTxn = (reader: ByteReader): AppliedTxn => {
  const zxid = reader.f64()
  const session = reader.f64()
  const seq = reader.u32()
  const type = reader.i32()
  const has = reader.u8()
  return {
    zxid,
    session,
    seq,
    type,
    reply: (has & HAS_REPLY) === 0 ? undefined : reader.bytes(),
    events: (has & HAS_EVENTS) === 0 ? undefined : readEvents(reader),
    sessionChange: (has & HAS_CHANGE) === 0 ? undefined : readChange(reader)
  }
}

const applied: Form<Extract<ZnodeToSession, { _tag: "Applied" }>> = {
  code: 2,
  write: (message, writer) => {
    writer.f64(message.zxid)
    writer.u32(message.txns.length)
    for (const txn of message.txns) writeTxn(txn, writer)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => {
    const zxid = reader.f64()
    const txns: Array<AppliedTxn> = []
    for (let left = reader.u32(); left > 0; left--) txns.push(readTxn(reader))
    return { _tag: "Applied", zxid, txns, ...withTraces(readTxnTraces(reader)) }
  }
}

export const sessionToZnode = makeCodec<SessionToZnode>({ Reads: reads, ReadsAfter: readsAfter })
export const znodeToSession = makeCodec<ZnodeToSession>({
  ReadReplies: readReplies,
  RepliesAfter: repliesAfter,
  Applied: applied
})
