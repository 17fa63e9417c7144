/** Between a frontend and a session service. */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"
import { CorruptMessage, type Form, makeCodec } from "./codecs.ts"
import { readIdentities, writeIdentities } from "./codecsIdentity.ts"
import { readContext, readRequestTraces, writeContext, writeRequestTraces } from "./codecsTrace.ts"
import { ClientRequest, type FrontendToSession, type Reply, type SessionToFrontend } from "./frontend.ts"

export const writeRequest = (request: ClientRequest, writer: ByteWriter): void => {
  writer.f64(request.conn)
  writer.i32(request.xid)
  writer.i32(request.op)
  writer.u32(request.end - request.start)
  writer.rawRange(request.buffer, request.start, request.end)
}

/** The request's body stays where it is: in the memory of the whole message. */
export const readRequest = (reader: ByteReader): ClientRequest => {
  const conn = reader.f64()
  const xid = reader.i32()
  const op = reader.i32()
  const size = reader.u32()
  const start = reader.skip(size)
  return new ClientRequest(conn, xid, op, reader.memory, start, start + size)
}

const requests: Form<Extract<FrontendToSession, { _tag: "Requests" }>> = {
  code: 1,
  write: (message, writer) => {
    writer.u32(message.requests.length)
    for (const request of message.requests) writeRequest(request, writer)
    if (message.isSampled === true) writeRequestTraces(message.requests, writer)
  },
  read: (reader) => {
    const all: Array<ClientRequest> = []
    for (let left = reader.u32(); left > 0; left--) all.push(readRequest(reader))
    if (reader.remaining === 0) return { _tag: "Requests", requests: all }
    readRequestTraces(all, reader)
    return { _tag: "Requests", requests: all, isSampled: true }
  }
}

const disconnected: Form<Extract<FrontendToSession, { _tag: "Disconnected" }>> = {
  code: 2,
  write: (message, writer) => writer.f64(message.conn),
  read: (reader) => ({ _tag: "Disconnected", conn: reader.f64() })
}

const oneIdentity = (reader: ByteReader) => {
  const identity = readIdentities(reader)[0]
  if (identity === undefined) throw new CorruptMessage("an identity is missing")
  return identity
}

const readResume = (reader: ByteReader) => {
  const connection = reader.f64()
  return connection === 0 ? {} : { resume: { connection, answered: reader.f64() } }
}

// Not for speed: what comes by these must be the same object as what comes with the requests' neighbours.
const identify: Form<Extract<FrontendToSession, { _tag: "Identify" }>> = {
  code: 3,
  write: (message, writer) => {
    writer.f64(message.conn)
    writeIdentities([message.identity], writer)
  },
  read: (reader) => ({ _tag: "Identify", conn: reader.f64(), identity: oneIdentity(reader) })
}

const connect: Form<Extract<FrontendToSession, { _tag: "Connect" }>> = {
  code: 4,
  write: (message, writer) => {
    writer.f64(message.conn)
    writer.f64(message.sessionId)
    writer.bytes(message.password)
    writer.f64(message.timeoutMs)
    writer.f64(message.lastZxidSeen)
    writer.u8(message.readOnly ? 1 : 0)
    writeIdentities([message.identity], writer)
    const { resume } = message
    writer.f64(resume?.connection ?? 0)
    if (resume !== undefined) writer.f64(resume.answered)
    if (message.trace !== undefined) writeContext(message.trace, writer)
  },
  read: (reader) => ({
    _tag: "Connect",
    conn: reader.f64(),
    sessionId: reader.f64(),
    password: reader.bytes(),
    timeoutMs: reader.f64(),
    lastZxidSeen: reader.f64(),
    readOnly: reader.u8() !== 0,
    identity: oneIdentity(reader),
    ...readResume(reader),
    ...(reader.remaining === 0 ? {} : { trace: readContext(reader) })
  })
}

const replies: Form<Extract<SessionToFrontend, { _tag: "Replies" }>> = {
  code: 1,
  write: (message, writer) => {
    writer.u32(message.replies.length)
    for (const reply of message.replies) {
      writer.f64(reply.conn)
      writer.u32(reply.answers)
      writer.bytes(reply.bytes)
    }
  },
  read: (reader) => {
    const all: Array<Reply> = []
    for (let left = reader.u32(); left > 0; left--) {
      all.push({ conn: reader.f64(), answers: reader.u32(), bytes: reader.bytes() })
    }
    return { _tag: "Replies", replies: all }
  }
}

export const frontendToSession = makeCodec<FrontendToSession>({
  Requests: requests,
  Disconnected: disconnected,
  Identify: identify,
  Connect: connect
})
export const sessionToFrontend = makeCodec<SessionToFrontend>({ Replies: replies })
