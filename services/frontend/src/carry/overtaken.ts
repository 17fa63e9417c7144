/**
 * A read that a client sent before a write of its, and that is asked again once the write has been carried out, must not
 * see what the write did. Whether it could shows in what the two are about.
 */
import type { ClientRequest } from "@zkmesh/messages"
import { JuteError, JuteReader, OpCode, parentOf, readMultiReadRequest, readMultiRequest } from "@zkmesh/protocol"

/** What a request is about: single znodes, and everything whose path begins like one of these. */
export interface Scope {
  readonly paths: ReadonlyArray<string>
  readonly prefixes: ReadonlyArray<string>
}

const NOTHING: Scope = { paths: [], prefixes: [] }
const EVERYTHING: Scope = { paths: [], prefixes: [""] }
/** What is counted there changes with every write. */
const QUOTAS = "/zookeeper/quota"

/** Whether the read could see what the write did. */
export const couldSee = (read: Scope, write: Scope): boolean =>
  write.paths.some((path) => read.paths.includes(path) || beginsLike(path, read.prefixes)) ||
  write.prefixes.some((prefix) => read.paths.some((path) => path.startsWith(prefix)) || meet(prefix, read.prefixes))

const beginsLike = (path: string, prefixes: ReadonlyArray<string>): boolean =>
  prefixes.some((prefix) => path.startsWith(prefix))

const meet = (one: string, others: ReadonlyArray<string>): boolean =>
  others.some((other) => one.startsWith(other) || other.startsWith(one))

/** A malformed request is about everything: what becomes of it is not for us to say. */
const orEverything = (scope: (reader: JuteReader) => Scope, { buffer, start, end }: ClientRequest): Scope => {
  try {
    return scope(new JuteReader(buffer, start, end))
  } catch (error) {
    if (error instanceof JuteError) return EVERYTHING
    throw error
  }
}

/** What a write may change. */
export const changedBy = (request: ClientRequest): Scope => {
  switch (request.op) {
    case OpCode.sync:
      return NOTHING
    case OpCode.setData:
    case OpCode.setACL:
      return orEverything((reader) => ({ paths: [reader.string()], prefixes: [QUOTAS] }), request)
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.deleteContainer:
      return orEverything((reader) => comesOrGoes(reader.string()), request)
    case OpCode.multi:
      return orEverything((reader) => together(readMultiRequest(reader).map(({ path }) => comesOrGoes(path))), request)
    default:
      return EVERYTHING
  }
}

/** The parent's list and stat change as well; a sequential znode's path only begins as it was asked for. */
const comesOrGoes = (path: string): Scope => ({ paths: [parentOf(path)], prefixes: [path, QUOTAS] })

const together = (scopes: ReadonlyArray<Scope>): Scope => ({
  paths: scopes.flatMap(({ paths }) => paths),
  prefixes: scopes.flatMap(({ prefixes }) => prefixes)
})

/** What a request that changes nothing may see. */
export const seenBy = (request: ClientRequest): Scope => {
  switch (request.op) {
    case OpCode.ping:
    case OpCode.whoAmI:
      return NOTHING
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getACL:
    case OpCode.getChildren:
    case OpCode.getChildren2:
      return orEverything((reader) => ({ paths: [reader.string()], prefixes: [] }), request)
    case OpCode.multiRead:
      return orEverything(
        (reader) => ({ paths: readMultiReadRequest(reader).map(({ path }) => path), prefixes: [] }),
        request
      )
    // A watch that comes or goes earlier or later sees other events: of its znode, and perhaps of all below.
    case OpCode.getAllChildrenNumber:
    case OpCode.addWatch:
    case OpCode.checkWatches:
    case OpCode.removeWatches:
      return orEverything((reader) => ({ paths: [], prefixes: [reader.string()] }), request)
    default:
      return EVERYTHING
  }
}
