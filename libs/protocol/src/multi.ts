import { CreateMode, OpCode } from "./constants.ts"
import { JuteError, type JuteReader } from "./reader.ts"
import { type ReceivedStat, readMultiHeader, readStat, type Stat, writeMultiHeader, writeStat } from "./records.ts"
import {
  type CreateRequest,
  readCreateRequest,
  readCreateTTLRequest,
  readSetDataRequest,
  readVersionedPathRequest,
  readWatchedPathRequest,
  type SetDataRequest,
  type VersionedPathRequest,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeSetDataRequest,
  writeVersionedPathRequest,
  writeWatchedPathRequest
} from "./requests.ts"
import type { JuteWriter } from "./writer.ts"

export type MultiCreate = CreateRequest &
  (
    | { readonly op: typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer }
    | { readonly op: typeof OpCode.createTTL; readonly ttl: number }
  )
export type MultiWrite =
  | MultiCreate
  | (VersionedPathRequest & { readonly op: typeof OpCode.delete | typeof OpCode.check })
  | (SetDataRequest & { readonly op: typeof OpCode.setData })
export interface MultiRead {
  readonly op: typeof OpCode.getData | typeof OpCode.getChildren
  readonly path: string
}

const invalid = (message: string): JuteError => new JuteError("invalid", message)

const checkCreate = (request: CreateRequest): void => {
  if (request.flags < 0 || request.flags > CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL) {
    throw invalid(`create mode ${request.flags}`)
  }
  if (request.acl === null) throw new JuteError("null", "the ACL list is null")
}
const hasTTL = (flags: number): boolean => flags >= CreateMode.PERSISTENT_WITH_TTL

const readMultiCreate = (reader: JuteReader, op: number): MultiCreate => {
  if (op === OpCode.createTTL) {
    const request = readCreateTTLRequest(reader)
    checkCreate(request)
    // Without a TTL mode the ttl is meaningless, and the operation an ordinary create.
    return hasTTL(request.flags) ? { op: OpCode.createTTL, ...request } : { ...request, op: plainOp(request.flags, op) }
  }
  const request = readCreateRequest(reader)
  checkCreate(request)
  if (hasTTL(request.flags)) throw invalid("a TTL mode without a ttl")
  return { ...request, op: plainOp(request.flags, op) }
}

const plainOp = (flags: number, op: number): 1 | 15 | 19 => {
  if (op === OpCode.createContainer || flags === CreateMode.CONTAINER) return OpCode.createContainer
  return op === OpCode.create2 ? OpCode.create2 : OpCode.create
}

const readMultiWrite = (reader: JuteReader, op: number): MultiWrite => {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return readMultiCreate(reader, op)
    case OpCode.delete:
    case OpCode.check:
      return { op, ...readVersionedPathRequest(reader) }
    case OpCode.setData:
      return { op, ...readSetDataRequest(reader) }
    default:
      throw invalid(`operation ${op} in a multi`)
  }
}

const readMultiReadOp = (reader: JuteReader, op: number): MultiRead => {
  if (op !== OpCode.getData && op !== OpCode.getChildren) throw invalid(`operation ${op} in a multiRead`)
  // A watch is never set by a multiRead, whatever the flag says.
  return { op, path: readWatchedPathRequest(reader).path }
}

const readOps = <Op>(reader: JuteReader, readOp: (reader: JuteReader, op: number) => Op): Array<Op> => {
  const ops: Array<Op> = []
  for (let header = readMultiHeader(reader); !header.done; header = readMultiHeader(reader)) {
    ops.push(readOp(reader, header.type))
  }
  return ops
}

/** The operations of a multi; a JuteError if any of them does not belong there, as the whole request is then refused. */
export const readMultiRequest = (reader: JuteReader): Array<MultiWrite> => readOps(reader, readMultiWrite)
/** The operations of a multiRead. */
export const readMultiReadRequest = (reader: JuteReader): Array<MultiRead> => readOps(reader, readMultiReadOp)

/** Ends the list of operations, or of results. */
export const writeMultiEnd = (writer: JuteWriter): void => writeMultiHeader(writer, -1, true, -1)

/** An operation's own request record: what a request of its own holds, and what follows its header in a multi. */
export const writeOp = (writer: JuteWriter, op: MultiWrite): void => {
  switch (op.op) {
    case OpCode.createTTL:
      writeCreateTTLRequest(writer, op)
      break
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      writeCreateRequest(writer, op)
      break
    case OpCode.delete:
    case OpCode.check:
      writeVersionedPathRequest(writer, op)
      break
    case OpCode.setData:
      writeSetDataRequest(writer, op)
      break
  }
}

export const writeMultiRequest = (writer: JuteWriter, ops: ReadonlyArray<MultiWrite>): void => {
  for (const op of ops) {
    writeMultiHeader(writer, op.op, false, -1)
    writeOp(writer, op)
  }
  writeMultiEnd(writer)
}

export const writeMultiReadRequest = (writer: JuteWriter, ops: ReadonlyArray<MultiRead>): void => {
  for (const op of ops) {
    writeMultiHeader(writer, op.op, false, -1)
    writeWatchedPathRequest(writer, { path: op.path, watch: false })
  }
  writeMultiEnd(writer)
}

interface MultiResults<S> {
  readonly create: { readonly type: typeof OpCode.create; readonly path: string }
  readonly create2: { readonly type: typeof OpCode.create2; readonly path: string; readonly stat: S }
  readonly plain: { readonly type: typeof OpCode.delete | typeof OpCode.check }
  readonly setData: { readonly type: typeof OpCode.setData; readonly stat: S }
  readonly getChildren: { readonly type: typeof OpCode.getChildren; readonly children: ReadonlyArray<string> }
  readonly getData: { readonly type: typeof OpCode.getData; readonly data: Uint8Array | null; readonly stat: S }
  readonly error: { readonly type: typeof OpCode.error; readonly err: number }
}
type ResultOf<S> = MultiResults<S>[keyof MultiResults<S>]

/** One entry of a multi's or multiRead's response. create2, createContainer and createTTL all answer as create2. */
export type MultiResult = ResultOf<Stat>
export type ReceivedMultiResult = ResultOf<ReceivedStat>

/** One entry with its header; after the last comes `writeMultiEnd`. */
export const writeMultiResult = (writer: JuteWriter, result: MultiResult): void => {
  writeMultiHeader(writer, result.type, false, result.type === OpCode.error ? result.err : 0)
  switch (result.type) {
    case OpCode.create:
      writer.ustring(result.path)
      break
    case OpCode.create2:
      writer.ustring(result.path)
      writeStat(writer, result.stat)
      break
    case OpCode.setData:
      writeStat(writer, result.stat)
      break
    case OpCode.getChildren:
      writer.ustrings(result.children)
      break
    case OpCode.getData:
      writer.buffer(result.data)
      writeStat(writer, result.stat)
      break
    case OpCode.error:
      writer.int(result.err)
      break
    case OpCode.delete:
    case OpCode.check:
      break
  }
}

export const writeMultiResponse = (writer: JuteWriter, results: ReadonlyArray<MultiResult>): void => {
  for (const result of results) writeMultiResult(writer, result)
  writeMultiEnd(writer)
}

const readMultiResult = (reader: JuteReader, type: number): ReceivedMultiResult => {
  switch (type) {
    case OpCode.create:
      return { type, path: reader.string() }
    case OpCode.create2:
      return { type, path: reader.string(), stat: readStat(reader) }
    case OpCode.delete:
    case OpCode.check:
      return { type }
    case OpCode.setData:
      return { type, stat: readStat(reader) }
    case OpCode.getChildren:
      return { type, children: reader.ustrings() }
    case OpCode.getData:
      return { type, data: reader.buffer(), stat: readStat(reader) }
    case OpCode.error:
      return { type, err: reader.int() }
    default:
      throw invalid(`a result of type ${type}`)
  }
}

export const readMultiResponse = (reader: JuteReader): Array<ReceivedMultiResult> => readOps(reader, readMultiResult)
