import type { ChangeEvent, Identity, WatchMode } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { type Acl, EventType, type JuteWriter, parentOf, type WatcherType, writeNotification } from "@zkmesh/protocol"
import type { Connection } from "./connection.ts"
import type { Fired } from "./input.ts"
import { WatchTable } from "./watchTable.ts"

/** True if someone with these ids may read a node with this ACL. */
export type MayRead = (acl: ReadonlyArray<Acl>, identity: Identity) => boolean

/** Of the watches that fire in a pass so many are noted: one transaction may fire any number. */
const MAX_NOTED = 256

/** The connections that watch something, and the events that they are told. */
export class Watchers {
  readonly table = new WatchTable()
  private readonly connections: Array<Connection | undefined> = []
  private readonly free: Array<number> = []
  private readonly writer: JuteWriter
  private readonly mayRead: MayRead
  private readonly onFired: ((type: EventType, count: number) => void) | undefined
  private hits: Array<number> = []
  /** What sampled transactions have fired; undefined while the transaction that passes by is not sampled. */
  private noting: Array<Fired> | undefined
  private fired: Array<Fired> | undefined

  constructor(mayRead: MayRead, writer: JuteWriter, onFired?: (type: EventType, count: number) => void) {
    this.mayRead = mayRead
    this.onFired = onFired
    this.writer = writer
  }

  register(connection: Connection, path: string, mode: WatchMode): void {
    if (connection.watcher < 0) {
      connection.watcher = this.free.pop() ?? this.connections.length
      this.connections[connection.watcher] = connection
    }
    this.table.register(connection.watcher, path, mode)
  }

  remove(connection: Connection, path: string, type: WatcherType): boolean {
    return connection.watcher >= 0 && this.table.remove(connection.watcher, path, type)
  }

  has(connection: Connection, path: string, type: WatcherType): boolean {
    return connection.watcher >= 0 && this.table.has(connection.watcher, path, type)
  }

  /** The connection has ended: its watches end with it. */
  leave(connection: Connection): void {
    if (connection.watcher < 0) return
    this.table.removeWatcher(connection.watcher)
    this.connections[connection.watcher] = undefined
    this.free.push(connection.watcher)
    connection.watcher = -1
  }

  /** Whether what fires from here on is noted: a sampled transaction passes by, or does not any more. */
  note(isSampled: boolean): void {
    if (isSampled) this.fired ??= []
    this.noting = isSampled ? this.fired : undefined
  }

  /** What has been noted since the last call; undefined if nothing. */
  takeFired(): ReadonlyArray<Fired> | undefined {
    const { fired } = this
    this.fired = undefined
    return fired === undefined || fired.length === 0 ? undefined : fired
  }

  /** Tells everybody whom this change concerns; the frames lie in their connections' order like replies. */
  fire(event: ChangeEvent, zxid: Zxid): void {
    if (this.table.count === 0) return
    this.tell(event.type, event.path, zxid, event.acl)
    if (event.type !== EventType.NodeDataChanged && event.path !== "/") {
      this.tell(EventType.NodeChildrenChanged, parentOf(event.path), zxid, event.parentAcl)
    }
  }

  /** All connections that watch, each with its paths in the data table. */
  *watching(): IterableIterator<{ readonly connection: Connection; readonly paths: ReadonlyArray<string> }> {
    for (const connection of this.connections) {
      if (connection === undefined) continue
      const paths = this.table.dataPathsOf(connection.watcher)
      if (paths.length > 0) yield { connection, paths }
    }
  }

  private tell(type: EventType, path: string, zxid: Zxid, acl: ReadonlyArray<Acl> | undefined): void {
    const hits = this.hits
    this.table.collect(type, path, hits)
    if (hits.length === 0) return
    this.onFired?.(type, hits.length)
    let frame: Uint8Array | undefined
    for (const watcher of hits) {
      const connection = this.connections[watcher]!
      // The watch is used up all the same, as in ZooKeeper.
      if (acl !== undefined && !this.mayRead(acl, connection.identity)) continue
      frame ??= this.notification(type, path, zxid)
      const { frontend, conn, session } = connection
      if (frontend === undefined) continue
      frontend.reply(conn, frame, 0)
      if (this.noting !== undefined && this.noting.length < MAX_NOTED) {
        this.noting.push({ zxid, type, path, session, link: frontend.link, conn })
      }
    }
    if (hits.length > 1024) this.hits = []
    else hits.length = 0
  }

  /** Written once, however many connections it goes to. */
  private notification(type: EventType, path: string, zxid: Zxid): Uint8Array {
    writeNotification(this.writer, zxid, type, path)
    return this.writer.take()
  }
}
