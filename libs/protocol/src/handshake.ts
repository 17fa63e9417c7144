import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { JuteReader } from "./reader.ts"
import type { JuteWriter } from "./writer.ts"

export const PASSWORD_BYTES = 16
const NO_SESSION = new Uint8Array(8)
const NO_PASSWORD = new Uint8Array(PASSWORD_BYTES)

/** A ConnectRequest as a client writes it. Session ids are opaque to clients: another server's use all 64 bits. */
export interface ConnectRequest {
  readonly lastZxidSeen: Zxid
  readonly timeoutMs: number
  /** Eight bytes; undefined for a new session. */
  readonly sessionId: Uint8Array | undefined
  readonly password: Uint8Array | null
  /** undefined leaves the field out, as clients before 3.4 do. */
  readonly readOnly: boolean | undefined
}

/** A ConnectRequest as the server reads it. */
export interface ReceivedConnectRequest {
  readonly protocolVersion: number
  readonly lastZxidSeen: Zxid
  readonly timeoutMs: number
  /** 0: a new session. Not a safe integer if it cannot be one of ours. */
  readonly sessionId: SessionId
  readonly password: Uint8Array | null
  /** undefined if the field is missing: then the response must not carry it either. */
  readonly readOnly: boolean | undefined
}

/** The record only; the caller frames it. */
export const writeConnectRequest = (writer: JuteWriter, request: ConnectRequest): void => {
  writer.int(0)
  writer.long(request.lastZxidSeen)
  writer.int(request.timeoutMs)
  writer.raw(request.sessionId ?? NO_SESSION)
  writer.buffer(request.password)
  if (request.readOnly !== undefined) writer.bool(request.readOnly)
}

export const readConnectRequest = (reader: JuteReader): ReceivedConnectRequest => ({
  protocolVersion: reader.int(),
  lastZxidSeen: reader.long(),
  timeoutMs: reader.int(),
  sessionId: reader.long(),
  password: reader.buffer(),
  readOnly: reader.remaining > 0 ? reader.bool() : undefined
})

/** A ConnectResponse as the server writes it. */
export interface ConnectResponse {
  readonly timeoutMs: number
  readonly sessionId: SessionId
  readonly password: Uint8Array
  /** undefined leaves the field out, if the request had none. */
  readonly readOnly: boolean | undefined
}

/** A ConnectResponse as a client reads it. */
export interface ReceivedConnectResponse {
  readonly protocolVersion: number
  /** 0: the session has expired. */
  readonly timeoutMs: number
  readonly sessionId: Uint8Array
  readonly password: Uint8Array
  readonly readOnly: boolean
}

/** The record only; the caller frames it. */
export const writeConnectResponse = (writer: JuteWriter, response: ConnectResponse): void => {
  writer.int(0)
  writer.int(response.timeoutMs)
  writer.long(response.sessionId)
  writer.buffer(response.password)
  if (response.readOnly !== undefined) writer.bool(response.readOnly)
}

/** What a client is told whose session is gone: no timeout, no session, no password. */
export const expiredResponse = (readOnly: boolean | undefined): ConnectResponse => ({
  timeoutMs: 0,
  sessionId: 0,
  password: NO_PASSWORD,
  readOnly
})

export const readConnectResponse = (reader: JuteReader): ReceivedConnectResponse => ({
  protocolVersion: reader.int(),
  timeoutMs: reader.int(),
  sessionId: reader.longBytes(),
  // The connection's own copy: it outlives the chunk that it came in.
  password: Uint8Array.from(reader.buffer() ?? NO_PASSWORD),
  readOnly: reader.remaining > 0 ? reader.bool() : false
})
