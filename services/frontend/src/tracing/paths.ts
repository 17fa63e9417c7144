import type { ClientRequest } from "@zkmesh/messages"
import { JuteError, JuteReader, OpCode, readMultiRequest } from "@zkmesh/protocol"

const reader = new JuteReader(new Uint8Array(0))
/** Requests that do not begin with a path. */
const WITHOUT: ReadonlySet<number> = new Set<number>([
  OpCode.ping,
  OpCode.closeSession,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.whoAmI,
  OpCode.reconfig,
  OpCode.multiRead,
  OpCode.throttled
])

/** The paths that a request names; none if it has none, or cannot be read. */
export const pathsOf = ({ op, buffer, start, end }: ClientRequest): ReadonlyArray<string> => {
  if (WITHOUT.has(op)) return []
  try {
    reader.reset(buffer, start, end)
    if (op !== OpCode.multi) return [reader.ustring() ?? ""]
    return readMultiRequest(reader).map((one) => one.path)
  } catch (error) {
    // Whoever carries it out will say so.
    if (error instanceof JuteError) return []
    throw error
  }
}
