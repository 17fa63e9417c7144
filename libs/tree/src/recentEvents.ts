/**
 * What has lately changed, as watches see it. A client that is carried over from a peer that has died is told from here
 * what it would have been told there, each event once: those that lie between its last word from the old peer and the
 * moment at which it is taken on.
 */
import type { ChangeEvent, Identity, WatchMode } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import {
  EventType,
  type JuteWriter,
  Perms,
  parentOf,
  type SetWatches2Request,
  writeNotification
} from "@zkmesh/protocol"
import { isAllowed } from "./acl.ts"

/** A ring of the last transactions that changed something, by reference: nothing is copied. */
export class RecentEvents {
  private readonly capacity: number
  private readonly zxids: Array<Zxid> = []
  private readonly events: Array<ReadonlyArray<ChangeEvent>> = []
  private count = 0
  /** Everything after this is here. */
  private floor: Zxid

  /** `capacity` in transactions, `floor`: what the tree is at now. */
  constructor(capacity: number, floor: Zxid) {
    this.capacity = capacity
    this.floor = floor
  }

  /** In the order of zxids. */
  add(zxid: Zxid, events: ReadonlyArray<ChangeEvent>): void {
    const index = this.count++ % this.capacity
    if (this.count > this.capacity) this.floor = this.zxids[index]!
    this.zxids[index] = zxid
    this.events[index] = events
  }

  /** Whether all that has happened after `zxid` is known. */
  reaches(zxid: Zxid): boolean {
    return zxid >= this.floor
  }

  /** Calls `visit` with everything after `zxid`, in order. */
  since(zxid: Zxid, visit: (zxid: Zxid, event: ChangeEvent) => void): void {
    let first = this.count
    const oldest = Math.max(0, this.count - this.capacity)
    while (first > oldest && this.zxids[(first - 1) % this.capacity]! > zxid) first--
    for (let number = first; number < this.count; number++) {
      const index = number % this.capacity
      for (const event of this.events[index]!) visit(this.zxids[index]!, event)
    }
  }
}

/**
 * Writes the events that one client has missed since `relativeZxid`, as the session service would have told them at the
 * time; what is still worth waiting for is passed to `register`. `skipAcl`: nobody's permissions are checked.
 */
export const catchUp = (
  recent: RecentEvents,
  { relativeZxid, data, exist, child, persistent, persistentRecursive }: SetWatches2Request,
  identity: Identity,
  skipAcl: boolean,
  out: JuteWriter,
  register: (mode: WatchMode, path: string) => void
): void => {
  const onData = new Set([...data, ...exist])
  const onChildren = new Set(child)
  const lasting = new Set(persistent)
  const recursive = new Set(persistentRecursive)
  const tell = (zxid: Zxid, type: EventType, path: string, acl: ChangeEvent["acl"]): void => {
    // The watch is used up all the same, as in ZooKeeper.
    if (acl === undefined || skipAcl || isAllowed(acl, Perms.READ, identity)) writeNotification(out, zxid, type, path)
  }
  recent.since(relativeZxid, (zxid, { type, path, acl, parentAcl }) => {
    const wasOnData = onData.delete(path)
    const wasOnChildren = type === EventType.NodeDeleted && onChildren.delete(path)
    if (wasOnData || wasOnChildren || lasting.has(path) || isBelow(recursive, path)) tell(zxid, type, path, acl)
    if (type === EventType.NodeDataChanged || path === "/") return
    const parent = parentOf(path)
    const isTold = onChildren.delete(parent) || lasting.has(parent)
    if (isTold) tell(zxid, EventType.NodeChildrenChanged, parent, parentAcl)
  })
  for (const path of onData) register("data", path)
  for (const path of onChildren) register("child", path)
  for (const path of lasting) register("persistent", path)
  for (const path of recursive) register("persistentRecursive", path)
}

/** Whether the path is one of these, or below one. */
const isBelow = (roots: ReadonlySet<string>, path: string): boolean => {
  if (roots.size === 0) return false
  for (let at = path; ; at = parentOf(at)) {
    if (roots.has(at)) return true
    if (at === "/") return false
  }
}
