/** setWatches and setWatches2: a client that comes back says what it has been watching since a zxid, and catches up. */
import type { WatchMode } from "@zkmesh/messages"
import { EventType, type JuteWriter, type SetWatches2Request, writeNotification } from "@zkmesh/protocol"
import { Field } from "./rows.ts"
import type { Tree } from "./tree.ts"

/** Events that no transaction at hand has fired carry this. */
const SYNTHESISED = -1

/** Writes the events that were missed; what is still worth waiting for is passed to `register`. */
export const setWatches = (
  tree: Tree,
  request: SetWatches2Request,
  out: JuteWriter,
  register: (mode: WatchMode, path: string) => void
): void => {
  const { nodes } = tree
  const notify = (type: EventType, path: string): void => writeNotification(out, SYNTHESISED, type, path)
  for (const path of request.data) {
    const slot = nodes.findPath(path)
    if (slot === 0) notify(EventType.NodeDeleted, path)
    else if (nodes.rows.getLong(slot, Field.mzxid) > request.relativeZxid) notify(EventType.NodeDataChanged, path)
    else register("data", path)
  }
  for (const path of request.exist) {
    if (nodes.findPath(path) !== 0) notify(EventType.NodeCreated, path)
    else register("data", path)
  }
  for (const path of request.child) {
    const slot = nodes.findPath(path)
    if (slot === 0) notify(EventType.NodeDeleted, path)
    else if (nodes.rows.getLong(slot, Field.pzxid) > request.relativeZxid) notify(EventType.NodeChildrenChanged, path)
    else register("child", path)
  }
  for (const path of request.persistent) register("persistent", path)
  for (const path of request.persistentRecursive) register("persistentRecursive", path)
}

/** What setWatches, unlike setWatches2, cannot name. */
export const NO_PERSISTENT = { persistent: [], persistentRecursive: [] } as const
