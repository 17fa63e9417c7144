/** Between a session service and the leader: its znode, and its session service. */
import { CorruptMessage, type Form, makeCodec } from "./codecs.ts"
import { readIdentities, writeIdentities } from "./codecsIdentity.ts"
import { readRequestTraces, writeRequestTraces } from "./codecsTrace.ts"
import { type PrepareToSession, type SessionToExpiry, type SessionToPrepare, WriteRequest } from "./prepare.ts"

const writes: Form<Extract<SessionToPrepare, { _tag: "Writes" }>> = {
  code: 1,
  write: (message, writer) => {
    const { requests } = message
    const places = writeIdentities(
      requests.map((request) => request.identity),
      writer
    )
    writer.u32(requests.length)
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index]!
      writer.f64(request.session)
      writer.f64(request.connection)
      writer.u32(request.seq)
      writer.i32(request.xid)
      writer.i32(request.op)
      writer.u32(places[index]!)
      writer.u32(request.end - request.start)
      writer.rawRange(request.buffer, request.start, request.end)
    }
    writeRequestTraces(requests, writer)
  },
  read: (reader) => {
    const table = readIdentities(reader)
    const requests: Array<WriteRequest> = []
    for (let left = reader.u32(); left > 0; left--) {
      const session = reader.f64()
      const connection = reader.f64()
      const seq = reader.u32()
      const xid = reader.i32()
      const op = reader.i32()
      const identity = table[reader.u32()]
      if (identity === undefined) throw new CorruptMessage("a write's identity is missing")
      const size = reader.u32()
      const start = reader.skip(size)
      requests.push(new WriteRequest(session, connection, seq, xid, op, identity, reader.memory, start, start + size))
    }
    readRequestTraces(requests, reader)
    return { _tag: "Writes", requests }
  }
}

const touch: Form<SessionToExpiry> = {
  code: 1,
  write: (message, writer) => {
    writer.u32(message.sessions.length)
    for (const session of message.sessions) writer.f64(session)
  },
  read: (reader) => {
    const sessions: Array<number> = []
    for (let left = reader.u32(); left > 0; left--) sessions.push(reader.f64())
    return { _tag: "Touch", sessions }
  }
}

export const sessionToPrepare = makeCodec<SessionToPrepare>({ Writes: writes })
export const prepareToSession = makeCodec<PrepareToSession>()
export const sessionToExpiry = makeCodec<SessionToExpiry>({ Touch: touch })
