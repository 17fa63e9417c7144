import {
  type JuteWriter,
  OpCode,
  writeRequestHeader,
  writeSetWatches2Request,
  writeSetWatchesRequest,
  Xid
} from "@zkmesh/protocol"
import type { WatchTable } from "./watches.ts"

/** Registers at a new connection what is watched, as of the last zxid that has been seen. */
export const writeRegistrations = (writer: JuteWriter, watches: WatchTable, lastZxid: number): void => {
  for (const batch of watches.registrations(lastZxid)) {
    const hasPersistent = batch.persistent.length > 0 || batch.persistentRecursive.length > 0
    const at = writer.beginFrame()
    // Servers before 3.6 know only the plain form.
    writeRequestHeader(writer, Xid.setWatches, hasPersistent ? OpCode.setWatches2 : OpCode.setWatches)
    if (hasPersistent) writeSetWatches2Request(writer, batch)
    else writeSetWatchesRequest(writer, batch)
    writer.endFrame(at)
  }
}
