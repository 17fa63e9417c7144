/** What scripted clients ask for, and how it is written and read on the wire. */
import {
  type Acl,
  CreateMode,
  type JuteReader,
  JuteWriter,
  type MultiWrite,
  OpCode,
  readGetChildren2Response,
  readGetDataResponse,
  readMultiResponse,
  readPathResponse,
  readStat,
  writeCreateRequest,
  writeMultiRequest,
  writeOptionalPathRequest,
  writeReconfigRequest,
  writeRequestHeader,
  writeSetDataRequest,
  writeVersionedPathRequest,
  writeWatchedPathRequest
} from "@zkmesh/protocol"

export type Operation =
  | { readonly kind: "create"; readonly path: string; readonly data: string; readonly mode: number }
  /** `version` -1: any. */
  | { readonly kind: "set"; readonly path: string; readonly data: string; readonly version: number }
  | { readonly kind: "delete"; readonly path: string; readonly version: number }
  | { readonly kind: "multi"; readonly parts: ReadonlyArray<Part> }
  | { readonly kind: "sync"; readonly path: string }
  | { readonly kind: "get" | "exists" | "children"; readonly path: string; readonly watch: boolean }
  | { readonly kind: "close" }
  /** An operator's: who joins and who leaves, or who the members are to be. */
  | {
      readonly kind: "reconfig"
      readonly joining: string | null
      readonly leaving: string | null
      readonly members: string | null
    }

/** An operation of a multi. */
export type Part =
  | Extract<Operation, { kind: "create" | "set" | "delete" }>
  | { readonly kind: "check"; readonly path: string; readonly version: number }

export const isWrite = (operation: Operation): boolean =>
  operation.kind !== "get" && operation.kind !== "exists" && operation.kind !== "children"

/** What came of it, as far as the simulator compares it. */
export interface Outcome {
  readonly err: number
  readonly path?: string | undefined
  readonly data?: string | undefined
  readonly version?: number | undefined
  readonly czxid?: number | undefined
  readonly mzxid?: number | undefined
  readonly children?: ReadonlyArray<string> | undefined
  /** Of a multi: the error of each part, 0 where it did not fail. */
  readonly errors?: ReadonlyArray<number> | undefined
}

const OPEN: ReadonlyArray<Acl> = [{ perms: 31, id: { scheme: "world", id: "anyone" } }]
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array | null): string => (bytes === null ? "" : decoder.decode(bytes))

const multiOp = (part: Part): MultiWrite => {
  switch (part.kind) {
    case "create":
      return { op: OpCode.create, path: part.path, data: encoder.encode(part.data), acl: [...OPEN], flags: part.mode }
    case "set":
      return { op: OpCode.setData, path: part.path, data: encoder.encode(part.data), version: part.version }
    case "delete":
      return { op: OpCode.delete, path: part.path, version: part.version }
    case "check":
      return { op: OpCode.check, path: part.path, version: part.version }
  }
}

export const opCodeOf = (operation: Operation): number => {
  switch (operation.kind) {
    case "create":
      return OpCode.create
    case "set":
      return OpCode.setData
    case "delete":
      return OpCode.delete
    case "multi":
      return OpCode.multi
    case "sync":
      return OpCode.sync
    case "get":
      return OpCode.getData
    case "exists":
      return OpCode.exists
    case "children":
      return OpCode.getChildren2
    case "close":
      return OpCode.closeSession
    case "reconfig":
      return OpCode.reconfig
  }
}

/** The whole frame of a request. */
export const frameOf = (xid: number, operation: Operation): Uint8Array => {
  const writer = new JuteWriter(256)
  const at = writer.beginFrame()
  writeRequestHeader(writer, xid, opCodeOf(operation))
  switch (operation.kind) {
    case "create":
      writeCreateRequest(writer, {
        path: operation.path,
        data: encoder.encode(operation.data),
        acl: [...OPEN],
        flags: operation.mode
      })
      break
    case "set":
      writeSetDataRequest(writer, { ...operation, data: encoder.encode(operation.data) })
      break
    case "delete":
      writeVersionedPathRequest(writer, operation)
      break
    case "multi":
      writeMultiRequest(writer, operation.parts.map(multiOp))
      break
    case "sync":
      writeOptionalPathRequest(writer, operation)
      break
    case "get":
    case "exists":
    case "children":
      writeWatchedPathRequest(writer, operation)
      break
    case "close":
      break
    case "reconfig":
      writeReconfigRequest(writer, {
        joiningServers: operation.joining,
        leavingServers: operation.leaving,
        newMembers: operation.members,
        curConfigId: -1
      })
      break
  }
  writer.endFrame(at)
  return writer.take()
}

/** What the body of a reply without an error says. */
export const readOutcome = (operation: Operation, reader: JuteReader): Outcome => {
  switch (operation.kind) {
    case "create":
      return { err: 0, path: readPathResponse(reader) ?? "" }
    case "set":
      return { err: 0, version: readStat(reader).version }
    case "get": {
      const { data, stat } = readGetDataResponse(reader)
      return { err: 0, data: textOf(data), version: stat.version, czxid: stat.czxid, mzxid: stat.mzxid }
    }
    case "reconfig":
      return { err: 0, data: textOf(readGetDataResponse(reader).data) }
    case "exists": {
      const stat = readStat(reader)
      return { err: 0, version: stat.version, czxid: stat.czxid, mzxid: stat.mzxid }
    }
    case "children":
      return { err: 0, children: readGetChildren2Response(reader).children.sort() }
    case "multi": {
      const errors = readMultiResponse(reader).map((result) => (result.type === OpCode.error ? result.err : 0))
      return { err: 0, errors }
    }
    default:
      return { err: 0 }
  }
}

export const isEphemeral = (mode: number): boolean =>
  mode === CreateMode.EPHEMERAL || mode === CreateMode.EPHEMERAL_SEQUENTIAL
export const isSequential = (mode: number): boolean =>
  mode === CreateMode.PERSISTENT_SEQUENTIAL || mode === CreateMode.EPHEMERAL_SEQUENTIAL

/** For a transcript. */
export const nameOf = (operation: Operation): string => {
  switch (operation.kind) {
    case "multi":
      return `multi(${operation.parts.map((part) => `${part.kind} ${part.path}`).join(", ")})`
    case "close":
      return "close"
    case "reconfig":
      return `reconfig ${operation.members ?? `+${operation.joining ?? ""} -${operation.leaving ?? ""}`}`
    case "get":
    case "exists":
    case "children":
      return `${operation.kind} ${operation.path}${operation.watch ? " (watch)" : ""}`
    default:
      return `${operation.kind} ${operation.path}`
  }
}
