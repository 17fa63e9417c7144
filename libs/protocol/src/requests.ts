import type { Zxid } from "@zkmesh/numbers"
import type { JuteReader } from "./reader.ts"
import { type RequestedAcl, readRequestedAcls, writeRequestedAcls } from "./records.ts"
import type { JuteWriter } from "./writer.ts"

/** create, create2 and createContainer. */
export interface CreateRequest {
  readonly path: string
  readonly data: Uint8Array | null
  readonly acl: ReadonlyArray<RequestedAcl> | null
  /** A CreateMode, unless the client sends nonsense. */
  readonly flags: number
}
export const writeCreateRequest = (writer: JuteWriter, request: CreateRequest): void => {
  writer.ustring(request.path)
  writer.buffer(request.data)
  writeRequestedAcls(writer, request.acl)
  writer.int(request.flags)
}
export const readCreateRequest = (reader: JuteReader): CreateRequest => ({
  path: reader.string(),
  data: reader.buffer(),
  acl: readRequestedAcls(reader),
  flags: reader.int()
})

export interface CreateTTLRequest extends CreateRequest {
  readonly ttl: number
}
export const writeCreateTTLRequest = (writer: JuteWriter, request: CreateTTLRequest): void => {
  writeCreateRequest(writer, request)
  writer.long(request.ttl)
}
export const readCreateTTLRequest = (reader: JuteReader): CreateTTLRequest => ({
  path: reader.string(),
  data: reader.buffer(),
  acl: readRequestedAcls(reader),
  flags: reader.int(),
  ttl: reader.long()
})

/** delete and check. */
export interface VersionedPathRequest {
  readonly path: string
  readonly version: number
}
export const writeVersionedPathRequest = (writer: JuteWriter, request: VersionedPathRequest): void => {
  writer.ustring(request.path)
  writer.int(request.version)
}
export const readVersionedPathRequest = (reader: JuteReader): VersionedPathRequest => ({
  path: reader.string(),
  version: reader.int()
})

/** exists, getData, getChildren and getChildren2. */
export interface WatchedPathRequest {
  readonly path: string
  readonly watch: boolean
}
export const writeWatchedPathRequest = (writer: JuteWriter, request: WatchedPathRequest): void => {
  writer.ustring(request.path)
  writer.bool(request.watch)
}
export const readWatchedPathRequest = (reader: JuteReader): WatchedPathRequest => ({
  path: reader.string(),
  watch: reader.bool()
})

export interface SetDataRequest {
  readonly path: string
  readonly data: Uint8Array | null
  readonly version: number
}
export const writeSetDataRequest = (writer: JuteWriter, request: SetDataRequest): void => {
  writer.ustring(request.path)
  writer.buffer(request.data)
  writer.int(request.version)
}
export const readSetDataRequest = (reader: JuteReader): SetDataRequest => ({
  path: reader.string(),
  data: reader.buffer(),
  version: reader.int()
})

/** getACL, getAllChildrenNumber and deleteContainer. */
export interface PathRequest {
  readonly path: string
}
export const writePathRequest = (writer: JuteWriter, request: PathRequest): void => writer.ustring(request.path)
export const readPathRequest = (reader: JuteReader): PathRequest => ({ path: reader.string() })

/** sync, whose path is only echoed, and getEphemerals, whose prefix may be left out. */
export interface OptionalPathRequest {
  readonly path: string | null
}
export const writeOptionalPathRequest = (writer: JuteWriter, request: OptionalPathRequest): void =>
  writer.ustring(request.path)
export const readOptionalPathRequest = (reader: JuteReader): OptionalPathRequest => ({ path: reader.ustring() })

export interface SetACLRequest {
  readonly path: string
  readonly acl: ReadonlyArray<RequestedAcl> | null
  readonly version: number
}
export const writeSetACLRequest = (writer: JuteWriter, request: SetACLRequest): void => {
  writer.ustring(request.path)
  writeRequestedAcls(writer, request.acl)
  writer.int(request.version)
}
export const readSetACLRequest = (reader: JuteReader): SetACLRequest => ({
  path: reader.string(),
  acl: readRequestedAcls(reader),
  version: reader.int()
})

export interface ReconfigRequest {
  readonly joiningServers: string | null
  readonly leavingServers: string | null
  readonly newMembers: string | null
  readonly curConfigId: Zxid
}
export const writeReconfigRequest = (writer: JuteWriter, request: ReconfigRequest): void => {
  writer.ustring(request.joiningServers)
  writer.ustring(request.leavingServers)
  writer.ustring(request.newMembers)
  writer.long(request.curConfigId)
}
export const readReconfigRequest = (reader: JuteReader): ReconfigRequest => ({
  joiningServers: reader.ustring(),
  leavingServers: reader.ustring(),
  newMembers: reader.ustring(),
  curConfigId: reader.long()
})

/** checkWatches and removeWatches; `type` is a WatcherType. */
export interface WatchTypeRequest {
  readonly path: string
  readonly type: number
}
export const writeWatchTypeRequest = (writer: JuteWriter, request: WatchTypeRequest): void => {
  writer.ustring(request.path)
  writer.int(request.type)
}
export const readWatchTypeRequest = (reader: JuteReader): WatchTypeRequest => ({
  path: reader.string(),
  type: reader.int()
})

export interface AddWatchRequest {
  readonly path: string
  /** An AddWatchMode. */
  readonly mode: number
}
export const writeAddWatchRequest = (writer: JuteWriter, request: AddWatchRequest): void => {
  writer.ustring(request.path)
  writer.int(request.mode)
}
export const readAddWatchRequest = (reader: JuteReader): AddWatchRequest => ({
  path: reader.string(),
  mode: reader.int()
})

export interface AuthRequest {
  /** Null is a scheme that nobody knows. */
  readonly scheme: string | null
  readonly auth: Uint8Array | null
}
export const writeAuthRequest = (writer: JuteWriter, request: AuthRequest): void => {
  writer.int(0)
  writer.ustring(request.scheme)
  writer.buffer(request.auth)
}
export const readAuthRequest = (reader: JuteReader): AuthRequest => {
  // The type field has never meant anything.
  reader.int()
  return { scheme: reader.ustring(), auth: reader.buffer() }
}

export interface SetWatchesRequest {
  readonly relativeZxid: Zxid
  readonly data: ReadonlyArray<string>
  readonly exist: ReadonlyArray<string>
  readonly child: ReadonlyArray<string>
}
export const writeSetWatchesRequest = (writer: JuteWriter, request: SetWatchesRequest): void => {
  writer.long(request.relativeZxid)
  writer.ustrings(request.data)
  writer.ustrings(request.exist)
  writer.ustrings(request.child)
}
export const readSetWatchesRequest = (reader: JuteReader): SetWatchesRequest => ({
  relativeZxid: reader.long(),
  data: reader.ustrings(),
  exist: reader.ustrings(),
  child: reader.ustrings()
})

export interface SetWatches2Request extends SetWatchesRequest {
  readonly persistent: ReadonlyArray<string>
  readonly persistentRecursive: ReadonlyArray<string>
}
export const writeSetWatches2Request = (writer: JuteWriter, request: SetWatches2Request): void => {
  writeSetWatchesRequest(writer, request)
  writer.ustrings(request.persistent)
  writer.ustrings(request.persistentRecursive)
}
export const readSetWatches2Request = (reader: JuteReader): SetWatches2Request => ({
  ...readSetWatchesRequest(reader),
  persistent: reader.ustrings(),
  persistentRecursive: reader.ustrings()
})

/** A SASL token, in a request or a response. */
export interface SaslToken {
  readonly token: Uint8Array | null
}
export const writeSaslToken = (writer: JuteWriter, message: SaslToken): void => writer.buffer(message.token)
export const readSaslToken = (reader: JuteReader): SaslToken => ({ token: reader.buffer() })
