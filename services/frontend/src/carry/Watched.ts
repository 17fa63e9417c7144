/** What one client watches, as its requests, their replies and the events that it is told make it known. */
import type { ClientRequest } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import {
  ErrorCode,
  EventType,
  JuteError,
  JuteReader,
  JuteWriter,
  OpCode,
  readSetWatches2Request,
  readSetWatchesRequest,
  WatcherType,
  writeSetWatches2Request
} from "@zkmesh/protocol"

const DATA = 1
const EXIST = 2
const CHILD = 4
const ONCE = DATA | EXIST | CHILD
const PERSISTENT = 8
const RECURSIVE = 16

const NO_LASTING = { persistent: [], persistentRecursive: [] } as const

/** What an event uses up at its path. */
const USED: Readonly<Record<number, number>> = {
  [EventType.NodeCreated]: DATA | EXIST,
  [EventType.NodeDataChanged]: DATA | EXIST,
  [EventType.NodeDeleted]: ONCE,
  [EventType.NodeChildrenChanged]: CHILD
}

const REMOVED: Readonly<Record<number, number>> = {
  [WatcherType.Children]: CHILD,
  [WatcherType.Data]: DATA | EXIST,
  [WatcherType.Any]: ONCE | PERSISTENT | RECURSIVE,
  [WatcherType.Persistent]: PERSISTENT,
  [WatcherType.PersistentRecursive]: RECURSIVE
}

/** Whether the outcome of a request may change what its client watches. */
export const mayWatch = ({ op, buffer, start, end }: ClientRequest): boolean => {
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren:
    case OpCode.getChildren2:
      // The flag is the last byte of the body, and true if it is anything but 0.
      return end > start && buffer[end - 1] !== 0
    case OpCode.addWatch:
    case OpCode.removeWatches:
    case OpCode.setWatches:
    case OpCode.setWatches2:
      return true
    default:
      return false
  }
}

export class Watched {
  private readonly paths = new Map<string, number>()

  /** Of paths. */
  get size(): number {
    return this.paths.size
  }

  /** A request for which `mayWatch` holds is answered. */
  answered({ op, buffer, start, end }: ClientRequest, err: number): void {
    if (err !== ErrorCode.OK && !(op === OpCode.exists && err === ErrorCode.NONODE)) return
    const reader = new JuteReader(buffer, start, end)
    switch (op) {
      case OpCode.exists:
        this.add(reader.string(), err === ErrorCode.OK ? DATA : EXIST)
        return
      case OpCode.getData:
        this.add(reader.string(), DATA)
        return
      case OpCode.getChildren:
      case OpCode.getChildren2:
        this.add(reader.string(), CHILD)
        return
      case OpCode.addWatch:
        this.add(reader.string(), reader.int() === 0 ? PERSISTENT : RECURSIVE)
        return
      case OpCode.removeWatches:
        this.remove(reader.string(), REMOVED[reader.int()] ?? 0)
        return
    }
  }

  /** A client that has reconnected names its watches; those that fire at once are told before the answer. */
  asked(request: ClientRequest): void {
    this.named(request, (path, bits) => this.add(path, bits))
  }

  /** It has not been answered, and is asked again. */
  forget(request: ClientRequest): void {
    this.named(request, (path, bits) => this.remove(path, bits))
  }

  private named({ op, buffer, start, end }: ClientRequest, act: (path: string, bits: number) => void): void {
    try {
      const reader = new JuteReader(buffer, start, end)
      const isExtended = op === OpCode.setWatches2
      const list = isExtended ? readSetWatches2Request(reader) : { ...readSetWatchesRequest(reader), ...NO_LASTING }
      for (const path of list.data) act(path, DATA)
      for (const path of list.exist) act(path, EXIST)
      for (const path of list.child) act(path, CHILD)
      for (const path of list.persistent) act(path, PERSISTENT)
      for (const path of list.persistentRecursive) act(path, RECURSIVE)
    } catch (error) {
      // Nobody takes a malformed list, so nothing is watched by it; it is read whole before anything is noted here.
      if (!(error instanceof JuteError)) throw error
    }
  }

  /** The client is told of an event. */
  told(type: number, path: string): void {
    this.remove(path, USED[type] ?? 0)
  }

  private add(path: string, bits: number): void {
    const before = this.paths.get(path) ?? 0
    this.paths.set(path, before | bits)
  }

  private remove(path: string, bits: number): void {
    const before = this.paths.get(path)
    if (before === undefined) return
    const after = before & ~bits
    if (after === 0) this.paths.delete(path)
    else this.paths.set(path, after)
  }

  /** The body of a setWatches2 that registers everything anew, as of the last zxid that the client has seen. */
  registration(relativeZxid: Zxid): Uint8Array {
    const writer = new JuteWriter()
    writeSetWatches2Request(writer, {
      relativeZxid,
      data: this.having(DATA),
      exist: this.having(EXIST),
      child: this.having(CHILD),
      persistent: this.having(PERSISTENT),
      persistentRecursive: this.having(RECURSIVE)
    })
    return writer.take()
  }

  private having(bit: number): ReadonlyArray<string> {
    const paths: Array<string> = []
    for (const [path, bits] of this.paths) if ((bits & bit) !== 0) paths.push(path)
    return paths
  }
}
