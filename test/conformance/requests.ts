/** Requests as bytes, good ones and bad ones alike: nothing here minds a null or a number that no client would send. */
import { Op as DailyOp, Writer } from "../recorder/wire.ts"

export const Op = {
  ...DailyOp,
  getACL: 6,
  setACL: 7,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107
} as const

export const opName = (op: number): string =>
  Object.entries(Op).find(([, number]) => number === op)?.[0] ?? `operation ${op}`

export const Mode = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  sequentialTtl: 6
} as const

export const Perm = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const
export const WatcherType = { children: 1, data: 2, any: 3, persistent: 4, recursive: 5 } as const
export const WatchMode = { persistent: 0, recursive: 1 } as const

export interface Acl {
  readonly perms: number
  readonly scheme: string | null
  readonly id: string | null
}
export const acl = (perms: number, scheme: string | null, id: string | null): Acl => ({ perms, scheme, id })
export const OPEN: ReadonlyArray<Acl> = [acl(Perm.all, "world", "anyone")]
export const READ_ONLY: ReadonlyArray<Acl> = [acl(Perm.read, "world", "anyone")]

export type Body = (writer: Writer) => Writer
export type Data = string | Buffer | null

const bytes = (writer: Writer, data: Data): Writer =>
  data === null ? writer.int(-1) : writer.buffer(typeof data === "string" ? Buffer.from(data) : data)
const text = (writer: Writer, value: string | null): Writer => (value === null ? writer.int(-1) : writer.text(value))

const acls = (writer: Writer, list: ReadonlyArray<Acl> | null): Writer => {
  if (list === null) return writer.int(-1)
  writer.int(list.length)
  for (const { perms, scheme, id } of list) text(text(writer.int(perms), scheme), id)
  return writer
}

export const nothing: Body = (writer) => writer
export const pathOnly =
  (path: string | null): Body =>
  (w) =>
    text(w, path)
export const pathAndWatch =
  (path: string | null, watch: boolean): Body =>
  (w) =>
    text(w, path).bool(watch)
export const pathAndNumber =
  (path: string | null, number: number): Body =>
  (w) =>
    text(w, path).int(number)
export const createBody = (
  path: string | null,
  data: Data,
  list: ReadonlyArray<Acl> | null,
  mode: number,
  ttlMs?: bigint
): Body => {
  return (w) => {
    acls(bytes(text(w, path), data), list).int(mode)
    return ttlMs === undefined ? w : w.long(ttlMs)
  }
}
export const setDataBody = (path: string | null, data: Data, version: number): Body => {
  return (w) => bytes(text(w, path), data).int(version)
}
export const setAclBody = (path: string | null, list: ReadonlyArray<Acl> | null, version: number): Body => {
  return (w) => acls(text(w, path), list).int(version)
}
export const authBody =
  (scheme: string | null, proof: Data): Body =>
  (w) =>
    bytes(text(w.int(0), scheme), proof)
export const reconfigBody = (
  joining: string | null,
  leaving: string | null,
  members: string | null,
  version: bigint
): Body => {
  return (w) => text(text(text(w, joining), leaving), members).long(version)
}

export interface Watched {
  readonly data?: ReadonlyArray<string>
  readonly exist?: ReadonlyArray<string>
  readonly child?: ReadonlyArray<string>
  readonly persistent?: ReadonlyArray<string>
  readonly recursive?: ReadonlyArray<string>
}
export const setWatchesBody = (since: number, watched: Watched): Body => {
  return (w) =>
    w
      .long(BigInt(since))
      .texts(watched.data ?? [])
      .texts(watched.exist ?? [])
      .texts(watched.child ?? [])
}
export const setWatches2Body = (since: number, watched: Watched): Body => {
  return (w) =>
    setWatchesBody(
      since,
      watched
    )(w)
      .texts(watched.persistent ?? [])
      .texts(watched.recursive ?? [])
}

/** One operation of a multi or a multiRead. */
export interface Part {
  readonly op: number
  readonly body: Body
}
export const part = (op: number, body: Body): Part => ({ op, body })
export const multiBody = (parts: ReadonlyArray<Part>): Body => {
  return (w) => {
    for (const { op, body } of parts) body(w.int(op).bool(false).int(-1))
    return w.int(-1).bool(true).int(-1)
  }
}

export const frame = (xid: number, op: number, body: Body): Buffer => body(new Writer().int(xid).int(op)).frame()

/** A frame of any bytes, with a true length. */
export const rawFrame = (body: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

export const PING = frame(-2, Op.ping, nothing)
