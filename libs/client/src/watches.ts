import { AddWatchMode, EventType, parentOf, type SetWatches2Request, WatcherType } from "@zkmesh/protocol"

/** All types of events that a watcher sees; those beyond EventType's are made by the client itself. */
export const WatchEventType = {
  ...EventType,
  DataWatchRemoved: 5,
  ChildWatchRemoved: 6,
  PersistentWatchRemoved: 7
} as const
export type WatchEventType = (typeof WatchEventType)[keyof typeof WatchEventType]

/** What a watcher is told. */
export interface WatchEvent {
  /** None when the session has ended: nothing will ever come again. */
  readonly type: WatchEventType
  readonly path: string
  /** The transaction that fired it; -1 for a change that happened while the client was disconnected. */
  readonly zxid: number
}
export type Watcher = (event: WatchEvent) => void

type Kind = "data" | "exist" | "child" | "persistent" | "persistentRecursive"
const kinds: ReadonlyArray<Kind> = ["data", "exist", "child", "persistent", "persistentRecursive"]

/** Bytes of paths in one setWatches: a request stays well below the server's frame limit. */
const BATCH_BYTES = 128 * 1024

const kindsOf = (type: number): ReadonlyArray<Kind> => {
  switch (type) {
    case WatcherType.Children:
      return ["child"]
    case WatcherType.Data:
      return ["data", "exist"]
    case WatcherType.Persistent:
      return ["persistent"]
    case WatcherType.PersistentRecursive:
      return ["persistentRecursive"]
    default:
      return kinds
  }
}

const removedType = (kind: Kind): WatchEventType => {
  if (kind === "child") return WatchEventType.ChildWatchRemoved
  return kind === "data" || kind === "exist" ? WatchEventType.DataWatchRemoved : WatchEventType.PersistentWatchRemoved
}

/** The client's side of its watches, by the server's paths. The same callback on the same path is called once. */
export class WatchTable {
  private readonly tables: Record<Kind, Map<string, Set<Watcher>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    persistentRecursive: new Map()
  }

  add(kind: Kind, path: string, watcher: Watcher): void {
    const watchers = this.tables[kind].get(path)
    if (watchers === undefined) this.tables[kind].set(path, new Set([watcher]))
    else watchers.add(watcher)
  }

  addPersistent(mode: number, path: string, watcher: Watcher): void {
    this.add(mode === AddWatchMode.PERSISTENT ? "persistent" : "persistentRecursive", path, watcher)
  }

  private takeAll(kind: Kind, path: string, into: Set<Watcher>): void {
    const watchers = this.tables[kind].get(path)
    if (watchers === undefined) return
    this.tables[kind].delete(path)
    for (const watcher of watchers) into.add(watcher)
  }

  private collect(kind: Kind, path: string, into: Set<Watcher>): void {
    for (const watcher of this.tables[kind].get(path) ?? []) into.add(watcher)
  }

  /** Who is to be told of an event; one-shot watches are used up by it. */
  fire(type: number, path: string): Set<Watcher> {
    const watchers = new Set<Watcher>()
    if (type === EventType.NodeChildrenChanged) {
      this.takeAll("child", path, watchers)
      this.collect("persistent", path, watchers)
      return watchers
    }
    this.takeAll("data", path, watchers)
    this.takeAll("exist", path, watchers)
    if (type === EventType.NodeDeleted) this.takeAll("child", path, watchers)
    this.collect("persistent", path, watchers)
    if (this.tables.persistentRecursive.size > 0) {
      for (let at = path; ; at = parentOf(at)) {
        this.collect("persistentRecursive", at, watchers)
        if (at === "/") break
      }
    }
    return watchers
  }

  has(path: string, type: number): boolean {
    return kindsOf(type).some((kind) => this.tables[kind].has(path))
  }

  /** Drops the watches of a type on a path; says who had them, and as what. */
  remove(path: string, type: number): ReadonlyArray<readonly [WatchEventType, Watcher]> {
    const removed: Array<readonly [WatchEventType, Watcher]> = []
    for (const kind of kindsOf(type)) {
      const watchers = new Set<Watcher>()
      this.takeAll(kind, path, watchers)
      for (const watcher of watchers) removed.push([removedType(kind), watcher])
    }
    return removed
  }

  /** The session has ended: every watch with its path, each path and watcher once. */
  clear(): ReadonlyArray<readonly [string, Watcher]> {
    const all = new Map<string, Set<Watcher>>()
    for (const kind of kinds) {
      for (const path of this.tables[kind].keys()) {
        const watchers = all.get(path) ?? new Set<Watcher>()
        this.collect(kind, path, watchers)
        all.set(path, watchers)
      }
      this.tables[kind].clear()
    }
    return [...all].flatMap(([path, watchers]) => [...watchers].map((watcher) => [path, watcher] as const))
  }

  /** What a new connection has to be told, in requests of bearable size. */
  *registrations(relativeZxid: number): Generator<SetWatches2Request> {
    const empty = (): Record<Kind, Array<string>> => ({
      data: [],
      exist: [],
      child: [],
      persistent: [],
      persistentRecursive: []
    })
    let batch = empty()
    let bytes = 0
    for (const kind of kinds) {
      for (const path of this.tables[kind].keys()) {
        batch[kind].push(path)
        bytes += 4 + Buffer.byteLength(path)
        if (bytes >= BATCH_BYTES) {
          yield { relativeZxid, ...batch }
          batch = empty()
          bytes = 0
        }
      }
    }
    if (bytes > 0) yield { relativeZxid, ...batch }
  }
}
