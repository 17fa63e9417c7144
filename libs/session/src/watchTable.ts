/**
 * Who watches what. Memory decides the shape: a watch is 25 bytes of typed arrays and its place in a hash table, plus
 * what its path costs once, however many watch it; a million of them are an ordinary load.
 *
 * A record is one (watcher, path) pair with the modes of both of ZooKeeper's tables, data and child, side by side: so a
 * watcher of a node's data and of its children is told once of the node's deletion without looking twice. Records hang
 * in two doubly linked lists, their path's and their watcher's: firing costs what it tells, leaving costs what was held.
 *
 * Watchers are small numbers that the caller hands out (and may use again after `removeWatcher`).
 */
import type { WatchMode } from "@zkmesh/messages"
import { EventType, WatcherType } from "@zkmesh/protocol"
import { PairIndex } from "./pairIndex.ts"

const DATA_STANDARD = 1
const DATA_PERSISTENT = 2
const RECURSIVE = 4
const CHILD_STANDARD = 8
const CHILD_PERSISTENT = 16
/** The modes that each of ZooKeeper's two tables holds. */
const IN_DATA = DATA_STANDARD | DATA_PERSISTENT | RECURSIVE
const IN_CHILD = CHILD_STANDARD | CHILD_PERSISTENT

const REGISTERED: Readonly<Record<WatchMode, number>> = {
  data: DATA_STANDARD,
  child: CHILD_STANDARD,
  persistent: DATA_PERSISTENT | CHILD_PERSISTENT,
  // Never in the child table: a recursive watch hears of each child itself, not that the children have changed.
  persistentRecursive: RECURSIVE
}

const REMOVED: Readonly<Record<WatcherType, number>> = {
  [WatcherType.Children]: CHILD_STANDARD,
  [WatcherType.Data]: DATA_STANDARD,
  [WatcherType.Any]: IN_DATA | IN_CHILD,
  [WatcherType.Persistent]: DATA_PERSISTENT | CHILD_PERSISTENT,
  [WatcherType.PersistentRecursive]: RECURSIVE
}

/** True if a client's number is a WatcherType. */
export const isWatcherType = (type: number): type is WatcherType => type in REMOVED

const FIRST_CAPACITY = 64
/** No record, no path: index 0 of the arrays is never used, so that zeroed memory is empty lists. */
const NONE = 0

/** The summary that `wchs` prints: the data table only, as in ZooKeeper. */
export interface WatchSummary {
  readonly connections: number
  readonly paths: number
  readonly watches: number
}

export class WatchTable {
  // Records.
  private pathOf = new Uint32Array(FIRST_CAPACITY)
  private watcherOf = new Uint32Array(FIRST_CAPACITY)
  private modes = new Uint8Array(FIRST_CAPACITY)
  private nextOnPath = new Uint32Array(FIRST_CAPACITY)
  private previousOnPath = new Uint32Array(FIRST_CAPACITY)
  private nextOfWatcher = new Uint32Array(FIRST_CAPACITY)
  private previousOfWatcher = new Uint32Array(FIRST_CAPACITY)
  private records = 1
  /** Unused records, linked by `nextOnPath`. */
  private freeRecord = NONE
  private readonly index = new PairIndex(
    (record) => this.pathOf[record]!,
    (record) => this.watcherOf[record]!
  )

  // Paths.
  private readonly pathIds = new Map<string, number>()
  private readonly names: Array<string> = [""]
  private pathHeads = new Uint32Array(FIRST_CAPACITY)
  private readonly freePaths: Array<number> = []

  // Watchers.
  private watcherHeads = new Uint32Array(FIRST_CAPACITY)
  /** The last collection in which a watcher was found: one event per trigger, however many of its watches match. */
  private stamps = new Uint32Array(FIRST_CAPACITY)
  private stamp = 0

  private dataCount = 0
  private childCount = 0
  private recursiveCount = 0

  /** Watches in both tables, as `watch_count` counts them. */
  get count(): number {
    return this.dataCount + this.childCount
  }

  /** Nothing happens if the watcher has this watch already. */
  register(watcher: number, path: string, mode: WatchMode): void {
    const pathId = this.pathIds.get(path) ?? this.addPath(path)
    let record = this.index.find(pathId, watcher)
    if (record === NONE) record = this.addRecord(pathId, watcher)
    this.setModes(record, this.modes[record]! | REGISTERED[mode])
  }

  /** False if the watcher had no such watch. */
  remove(watcher: number, path: string, type: WatcherType): boolean {
    const record = this.find(watcher, path)
    if (record === NONE) return false
    const modes = this.modes[record]!
    if ((modes & REMOVED[type]) === 0) return false
    this.setModes(record, modes & ~REMOVED[type])
    return true
  }

  /** True if the watcher has such a watch. */
  has(watcher: number, path: string, type: WatcherType): boolean {
    const record = this.find(watcher, path)
    // A persistent watch is always in both tables or in none, so one mask serves to look and to remove.
    return record !== NONE && (this.modes[record]! & REMOVED[type]) !== 0
  }

  /** Drops all of a watcher's watches. */
  removeWatcher(watcher: number): void {
    if (watcher >= this.watcherHeads.length) return
    for (let record = this.watcherHeads[watcher]!; record !== NONE; record = this.watcherHeads[watcher]!) {
      this.setModes(record, 0)
    }
  }

  clear(): void {
    for (let watcher = 0; watcher < this.watcherHeads.length; watcher++) this.removeWatcher(watcher)
  }

  /**
   * Adds to `hits` everybody to be told that `event` happened to `path`, each once, and uses up their one-shot watches.
   * Deletion looks in both tables in one go; what it means for the parent's children is a call of its own.
   */
  collect(event: EventType, path: string, hits: Array<number>): void {
    const stamp = this.nextStamp()
    const pathId = this.pathIds.get(path)
    if (event === EventType.NodeChildrenChanged) {
      if (pathId !== undefined) this.collectOn(pathId, IN_CHILD, CHILD_STANDARD, stamp, hits)
      return
    }
    if (pathId !== undefined) {
      if (event === EventType.NodeDeleted) {
        this.collectOn(pathId, IN_DATA | IN_CHILD, DATA_STANDARD | CHILD_STANDARD, stamp, hits)
      } else {
        this.collectOn(pathId, IN_DATA, DATA_STANDARD, stamp, hits)
      }
    }
    if (this.recursiveCount > 0) this.collectAncestors(path, stamp, hits)
  }

  /** The data table's totals. Walks everything: for an operator's question, not for a path that is hot. */
  summary(): WatchSummary {
    let connections = 0
    let paths = 0
    for (const head of this.watcherHeads) if (this.anyInData(head, this.nextOfWatcher)) connections++
    for (const head of this.pathHeads) if (this.anyInData(head, this.nextOnPath)) paths++
    return { connections, paths, watches: this.dataCount }
  }

  /** The paths that a watcher has in the data table. */
  dataPathsOf(watcher: number): Array<string> {
    const paths: Array<string> = []
    if (watcher >= this.watcherHeads.length) return paths
    for (let record = this.watcherHeads[watcher]!; record !== NONE; record = this.nextOfWatcher[record]!) {
      if ((this.modes[record]! & IN_DATA) !== 0) paths.push(this.names[this.pathOf[record]!]!)
    }
    return paths
  }

  private anyInData(head: number, next: Uint32Array): boolean {
    for (let record = head; record !== NONE; record = next[record]!) {
      if ((this.modes[record]! & IN_DATA) !== 0) return true
    }
    return false
  }

  private find(watcher: number, path: string): number {
    const pathId = this.pathIds.get(path)
    return pathId === undefined ? NONE : this.index.find(pathId, watcher)
  }

  private collectOn(pathId: number, wanted: number, oneShot: number, stamp: number, hits: Array<number>): void {
    let record = this.pathHeads[pathId]!
    while (record !== NONE) {
      const next = this.nextOnPath[record]!
      const modes = this.modes[record]!
      if ((modes & wanted) !== 0) {
        const watcher = this.watcherOf[record]!
        if (this.stamps[watcher] !== stamp) {
          this.stamps[watcher] = stamp
          hits.push(watcher)
        }
        if ((modes & oneShot) !== 0) this.setModes(record, modes & ~oneShot)
      }
      record = next
    }
  }

  private collectAncestors(path: string, stamp: number, hits: Array<number>): void {
    let end = path.length
    while (end > 1) {
      end = path.lastIndexOf("/", end - 1)
      const pathId = this.pathIds.get(end <= 0 ? "/" : path.slice(0, end))
      if (pathId !== undefined) this.collectOn(pathId, RECURSIVE, 0, stamp, hits)
    }
  }

  private nextStamp(): number {
    this.stamp = (this.stamp + 1) >>> 0
    if (this.stamp === 0) {
      this.stamps.fill(0)
      this.stamp = 1
    }
    return this.stamp
  }

  private setModes(record: number, modes: number): void {
    const before = this.modes[record]!
    this.dataCount += Number((modes & IN_DATA) !== 0) - Number((before & IN_DATA) !== 0)
    this.childCount += Number((modes & IN_CHILD) !== 0) - Number((before & IN_CHILD) !== 0)
    this.recursiveCount += Number((modes & RECURSIVE) !== 0) - Number((before & RECURSIVE) !== 0)
    this.modes[record] = modes
    if (modes === 0) this.dropRecord(record)
  }

  private addPath(path: string): number {
    const pathId = this.freePaths.pop() ?? this.names.length
    this.names[pathId] = path
    this.pathHeads = withRoom(this.pathHeads, pathId)
    this.pathHeads[pathId] = NONE
    this.pathIds.set(path, pathId)
    return pathId
  }

  private addRecord(pathId: number, watcher: number): number {
    let record = this.freeRecord
    if (record === NONE) {
      record = this.records++
      if (record >= this.modes.length) this.growRecords()
    } else this.freeRecord = this.nextOnPath[record]!
    this.watcherHeads = withRoom(this.watcherHeads, watcher)
    this.stamps = withRoom(this.stamps, watcher)
    this.pathOf[record] = pathId
    this.watcherOf[record] = watcher
    this.modes[record] = 0

    const onPath = this.pathHeads[pathId]!
    this.nextOnPath[record] = onPath
    this.previousOnPath[record] = NONE
    if (onPath !== NONE) this.previousOnPath[onPath] = record
    this.pathHeads[pathId] = record

    const ofWatcher = this.watcherHeads[watcher]!
    this.nextOfWatcher[record] = ofWatcher
    this.previousOfWatcher[record] = NONE
    if (ofWatcher !== NONE) this.previousOfWatcher[ofWatcher] = record
    this.watcherHeads[watcher] = record

    this.index.add(record)
    return record
  }

  private dropRecord(record: number): void {
    this.index.remove(record)
    const pathId = this.pathOf[record]!
    unlink(record, pathId, this.pathHeads, this.nextOnPath, this.previousOnPath)
    unlink(record, this.watcherOf[record]!, this.watcherHeads, this.nextOfWatcher, this.previousOfWatcher)
    this.nextOnPath[record] = this.freeRecord
    this.freeRecord = record
    if (this.pathHeads[pathId] === NONE) {
      this.pathIds.delete(this.names[pathId]!)
      this.names[pathId] = ""
      this.freePaths.push(pathId)
    }
  }

  private growRecords(): void {
    const capacity = this.modes.length
    this.pathOf = withRoom(this.pathOf, capacity)
    this.watcherOf = withRoom(this.watcherOf, capacity)
    this.nextOnPath = withRoom(this.nextOnPath, capacity)
    this.previousOnPath = withRoom(this.previousOnPath, capacity)
    this.nextOfWatcher = withRoom(this.nextOfWatcher, capacity)
    this.previousOfWatcher = withRoom(this.previousOfWatcher, capacity)
    const modes = new Uint8Array(this.pathOf.length)
    modes.set(this.modes)
    this.modes = modes
  }
}

const withRoom = (array: Uint32Array<ArrayBuffer>, index: number): Uint32Array<ArrayBuffer> => {
  if (index < array.length) return array
  const larger = new Uint32Array(Math.max(index + 1, array.length * 2))
  larger.set(array)
  return larger
}

const unlink = (record: number, owner: number, heads: Uint32Array, next: Uint32Array, previous: Uint32Array): void => {
  const after = next[record]!
  const before = previous[record]!
  if (before === NONE) heads[owner] = after
  else next[before] = after
  if (after !== NONE) previous[after] = before
}
