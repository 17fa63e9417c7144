import type { SessionId, Zxid } from "@zkmesh/numbers"
import type { Acl, Id } from "./constants.ts"
import { SYNC_CONNECTED, Xid } from "./constants.ts"
import { JuteError, type JuteReader } from "./reader.ts"
import type { JuteWriter } from "./writer.ts"

interface StatOf<Owner> {
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: Owner
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: Zxid
}

/** A znode's Stat as a server of ours writes it. */
export interface Stat extends StatOf<SessionId> {}
/** A Stat as a client reads it: any server's session ids need all 64 bits, so the owner is text (`0x0` for none). */
export interface ReceivedStat extends StatOf<string> {}

export const STAT_BYTES = 68

export const writeStat = (writer: JuteWriter, stat: Stat): void =>
  writer.stat(
    stat.czxid,
    stat.mzxid,
    stat.ctime,
    stat.mtime,
    stat.version,
    stat.cversion,
    stat.aversion,
    stat.ephemeralOwner,
    stat.dataLength,
    stat.numChildren,
    stat.pzxid
  )

export const readStat = (reader: JuteReader): ReceivedStat => ({
  czxid: reader.long(),
  mzxid: reader.long(),
  ctime: reader.long(),
  mtime: reader.long(),
  version: reader.int(),
  cversion: reader.int(),
  aversion: reader.int(),
  ephemeralOwner: reader.longHex(),
  dataLength: reader.int(),
  numChildren: reader.int(),
  pzxid: reader.long()
})

export const writeId = (writer: JuteWriter, id: Id): void => {
  writer.ustring(id.scheme)
  writer.ustring(id.id)
}
export const readId = (reader: JuteReader): Id => ({ scheme: reader.string(), id: reader.string() })

export const writeAcl = (writer: JuteWriter, acl: Acl): void => {
  writer.int(acl.perms)
  writeId(writer, acl.id)
}
/** An ACL as a client may ask for it: what is null in it is not malformed, but never valid. */
export interface RequestedAcl {
  readonly perms: number
  readonly id: { readonly scheme: string | null; readonly id: string | null }
}
const readRequestedAcl = (reader: JuteReader): RequestedAcl => ({
  perms: reader.int(),
  id: { scheme: reader.ustring(), id: reader.ustring() }
})
const writeRequestedAcl = (writer: JuteWriter, { perms, id }: RequestedAcl): void => {
  writer.int(perms)
  writer.ustring(id.scheme)
  writer.ustring(id.id)
}

export const readAcl = (reader: JuteReader): Acl => ({ perms: reader.int(), id: readId(reader) })

export const writeAcls = (writer: JuteWriter, acls: ReadonlyArray<Acl> | null): void => writer.vector(acls, writeAcl)
/** Null stays null: a create with a null list is another error than one with an empty list. */
export const readAcls = (reader: JuteReader): Array<Acl> | null => reader.vector(readAcl)
export const writeRequestedAcls = (writer: JuteWriter, acls: ReadonlyArray<RequestedAcl> | null): void =>
  writer.vector(acls, writeRequestedAcl)
export const readRequestedAcls = (reader: JuteReader): Array<RequestedAcl> | null => reader.vector(readRequestedAcl)

/** One identity of a connection, as whoAmI lists it. */
export interface ClientInfo {
  readonly authScheme: string
  readonly user: string
}
export const writeClientInfo = (writer: JuteWriter, info: ClientInfo): void => {
  writer.ustring(info.authScheme)
  writer.ustring(info.user)
}
export const readClientInfo = (reader: JuteReader): ClientInfo => ({
  authScheme: reader.string(),
  user: reader.string()
})

export interface RequestHeader {
  readonly xid: number
  readonly type: number
}
export const writeRequestHeader = (writer: JuteWriter, xid: number, type: number): void => {
  writer.int(xid)
  writer.int(type)
}
export const readRequestHeader = (reader: JuteReader): RequestHeader => ({ xid: reader.int(), type: reader.int() })

export interface ReplyHeader {
  readonly xid: number
  readonly zxid: Zxid
  readonly err: number
}
export const writeReplyHeader = (writer: JuteWriter, xid: number, zxid: Zxid, err: number): void => {
  writer.int(xid)
  writer.long(zxid)
  writer.int(err)
}
export const readReplyHeader = (reader: JuteReader): ReplyHeader => ({
  xid: reader.int(),
  zxid: reader.long(),
  err: reader.int()
})

/** A whole reply frame without a body: every error, and the success of what answers nothing. */
export const writeEmptyReply = (writer: JuteWriter, xid: number, zxid: Zxid, err: number): void =>
  writer.endFrame(writer.beginReply(xid, zxid, err))

export interface WatcherEvent {
  readonly type: number
  readonly state: number
  readonly path: string
}
export const writeWatcherEvent = (writer: JuteWriter, event: WatcherEvent): void => {
  writer.int(event.type)
  writer.int(event.state)
  writer.ustring(event.path)
}
export const readWatcherEvent = (reader: JuteReader): WatcherEvent => ({
  type: reader.int(),
  state: reader.int(),
  path: reader.string()
})

/** A whole notification frame. `zxid` is the transaction that fired the watch, -1 for events made up by setWatches. */
export const writeNotification = (writer: JuteWriter, zxid: Zxid, type: number, path: string): void => {
  const at = writer.beginReply(Xid.notification, zxid, 0)
  writer.int(type)
  writer.int(SYNC_CONNECTED)
  writer.ustring(path)
  writer.endFrame(at)
}

export interface MultiHeader {
  readonly type: number
  readonly done: boolean
  readonly err: number
}
export const writeMultiHeader = (writer: JuteWriter, type: number, done: boolean, err: number): void => {
  writer.int(type)
  writer.bool(done)
  writer.int(err)
}
export const readMultiHeader = (reader: JuteReader): MultiHeader => ({
  type: reader.int(),
  done: reader.bool(),
  err: reader.int()
})

/** A vector that this end of the protocol always writes: null is a broken reply. */
export const present = <T>(value: T | null, what: string): T => {
  if (value === null) throw new JuteError("null", `${what} is null`)
  return value
}
