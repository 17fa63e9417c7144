import type { ClientRequest } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import {
  ErrorCode,
  JuteError,
  JuteReader,
  type JuteWriter,
  OpCode,
  readWatchTypeRequest,
  writeEmptyReply
} from "@zkmesh/protocol"
import type { Connection } from "./connection.ts"
import type { Watchers } from "./watchers.ts"
import { isWatcherType } from "./watchTable.ts"

/** No request of a client's. */
export const REFUSED = 0
/** Answered by the peer's own znode. */
export const READ = 1
/** Becomes a transaction. */
export const WRITE = 2
/** Answered here, when its turn comes. */
export const LOCAL = 3

const READS: ReadonlyArray<number> = [
  OpCode.exists,
  OpCode.getData,
  OpCode.getACL,
  OpCode.getChildren,
  OpCode.ping,
  OpCode.getChildren2,
  OpCode.multiRead,
  OpCode.setWatches,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
  OpCode.setWatches2,
  OpCode.resumeWatches,
  OpCode.addWatch,
  OpCode.whoAmI
]
const WRITES: ReadonlyArray<number> = [
  OpCode.create,
  OpCode.delete,
  OpCode.setData,
  OpCode.setACL,
  OpCode.sync,
  OpCode.multi,
  OpCode.create2,
  OpCode.reconfig,
  OpCode.createContainer,
  OpCode.deleteContainer,
  OpCode.createTTL,
  OpCode.restore,
  OpCode.closeSession
]
/** From closeSession (-11), the lowest that a client may send, to whoAmI. */
const LOWEST = OpCode.closeSession
const kinds = new Uint8Array(128 - LOWEST)
for (const op of READS) kinds[op - LOWEST] = READ
for (const op of WRITES) kinds[op - LOWEST] = WRITE
kinds[OpCode.checkWatches - LOWEST] = kinds[OpCode.removeWatches - LOWEST] = LOCAL
/** What such a request is told, in its place in the order. */
const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map([
  [OpCode.throttled, ErrorCode.THROTTLEDOP],
  [OpCode.notReadOnly, ErrorCode.NOTREADONLY],
  [OpCode.ephemeralOnLocal, ErrorCode.EPHEMERALONLOCALSESSION]
])
for (const op of REFUSALS.keys()) kinds[op - LOWEST] = LOCAL

export const kindOf = (op: number): number => {
  const at = op - LOWEST
  return at >= 0 && at < kinds.length ? kinds[at]! : REFUSED
}

const reader = new JuteReader(new Uint8Array(0))

/** What is LOCAL: the whole reply frame. */
export const answerLocally = (
  watchers: Watchers,
  connection: Connection,
  request: ClientRequest,
  zxid: Zxid,
  writer: JuteWriter
): Uint8Array => {
  writeEmptyReply(writer, request.xid, zxid, watchResult(watchers, connection, request))
  return writer.take()
}

const watchResult = (watchers: Watchers, connection: Connection, request: ClientRequest): ErrorCode => {
  const refusal = REFUSALS.get(request.op)
  if (refusal !== undefined) return refusal
  if (request.op === OpCode.closeSession) return ErrorCode.OK
  try {
    const { path, type } = readWatchTypeRequest(reader.reset(request.buffer, request.start, request.end))
    if (!isWatcherType(type)) return ErrorCode.MARSHALLINGERROR
    const found =
      request.op === OpCode.removeWatches
        ? watchers.remove(connection, path, type)
        : watchers.has(connection, path, type)
    return found ? ErrorCode.OK : ErrorCode.NOWATCHER
  } catch (error) {
    if (error instanceof JuteError) return ErrorCode.MARSHALLINGERROR
    throw error
  }
}
