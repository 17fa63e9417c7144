/** Transactions in words, for people who read a log. */
import { ErrorCode, errorName, JuteReader, OpCode } from "@zkmesh/protocol"
import type { EntryReader } from "@zkmesh/txn"
import { readOpenBody } from "./txns.ts"

export interface Description {
  /** As ZooKeeper names the operation: create, setData, closeSession… */
  readonly name: string
  /** Every path that the transaction changes, in its order. */
  readonly paths: ReadonlyArray<string>
  /** All of it, on one line. */
  readonly text: string
}

const names = new Map<number, string>(Object.entries(OpCode).map(([name, type]) => [type, name]))
const nameOf = (type: number): string => names.get(type) ?? `type ${type}`

/** What a logged transaction does. */
export const describeTxn = (entry: EntryReader): Description => {
  const paths: Array<string> = []
  const reader = new JuteReader(entry.bytes, entry.bodyStart, entry.end)
  return { name: nameOf(entry.type), text: operation(entry.type, reader, paths), paths }
}

/** An operation of its own, or one of a multi. */
const operation = (type: number, reader: JuteReader, paths: Array<string>): string => {
  const name = nameOf(type)
  const path = (): string => {
    const found = reader.string()
    paths.push(found)
    return found
  }
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return created(type, path(), reader)
    case OpCode.delete:
    case OpCode.deleteContainer:
      return `${name} ${path()}`
    case OpCode.setData:
      return `${name} ${path()} ${size(reader)}, version ${reader.int()}`
    case OpCode.setACL: {
      const at = path()
      return `${name} ${at} ${skipAcl(reader)} ACL entries, version ${reader.int()}`
    }
    case OpCode.check:
      return `${name} ${path()} version ${reader.int()}`
    case OpCode.multi:
      return multi(reader, paths)
    case OpCode.restore:
      return `${name} ${path()}`
    case OpCode.sync:
      return `${name} ${reader.ustring() ?? "null"}`
    case OpCode.createSession:
    case OpCode.attachSession: {
      const { timeoutMs, peer } = readOpenBody(reader)
      return `${name} timeout ${timeoutMs} ms, at peer ${peer}`
    }
    case OpCode.closeSession: {
      const gone = reader.ustrings()
      paths.push(...gone)
      return gone.length === 0 ? name : `${name} deletes ${gone.join(" ")}`
    }
    case OpCode.error:
      return failure(reader.int())
    default:
      return `${name} ${reader.remaining} bytes`
  }
}

const created = (type: number, path: string, reader: JuteReader): string => {
  const about = [size(reader), `${skipAcl(reader)} ACL entries`]
  if ((type === OpCode.create || type === OpCode.create2) && reader.bool()) about.push("ephemeral")
  // How many children the parent has ever had.
  reader.int()
  if (type === OpCode.createTTL) about.push(`ttl ${reader.long()} ms`)
  return `${nameOf(type)} ${path} ${about.join(", ")}`
}

const size = (reader: JuteReader): string => {
  const length = reader.skipField()
  return length < 0 ? "no data" : `${length} bytes`
}

const skipAcl = (reader: JuteReader): number => {
  const count = Math.max(0, reader.count())
  for (let i = 0; i < count; i++) {
    reader.int()
    reader.skipField()
    reader.skipField()
  }
  return count
}

const multi = (reader: JuteReader, paths: Array<string>): string => {
  const parts: Array<string> = []
  const count = reader.count()
  for (let i = 0; i < count; i++) {
    const type = reader.int()
    const body = reader.buffer() ?? new Uint8Array()
    parts.push(operation(type, new JuteReader(body), paths))
  }
  return `multi [${parts.join("; ")}]`
}

const failure = (code: number): string => (code === ErrorCode.OK ? "not done" : `failed ${errorName(code)}`)
