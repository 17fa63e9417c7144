import type { ClientRequest } from "@zkmesh/messages"
import { CreateMode, JuteError, JuteReader, OpCode, readCreateRequest, readMultiRequest } from "@zkmesh/protocol"

const reader = new JuteReader(new Uint8Array(0))
const isEphemeral = (flags: number): boolean =>
  flags === CreateMode.EPHEMERAL || flags === CreateMode.EPHEMERAL_SEQUENTIAL

/** Whether the request is to create an ephemeral node, alone or among others. */
export const createsEphemeral = ({ op, buffer, start, end }: ClientRequest): boolean => {
  if (op !== OpCode.create && op !== OpCode.create2 && op !== OpCode.multi) return false
  try {
    reader.reset(buffer, start, end)
    if (op !== OpCode.multi) return isEphemeral(readCreateRequest(reader).flags)
    return readMultiRequest(reader).some(
      (one) => (one.op === OpCode.create || one.op === OpCode.create2) && isEphemeral(one.flags)
    )
  } catch (error) {
    // Whoever carries it out says what is wrong with it.
    if (error instanceof JuteError) return false
    throw error
  }
}
