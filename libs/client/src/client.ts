import { EventEmitter } from "node:events"
import {
  type Acl,
  AddWatchMode,
  type ClientInfo,
  ErrorCode,
  type JuteReader,
  type JuteWriter,
  type MultiWrite,
  OpCode,
  type ReceivedStat,
  readCreate2Response,
  readErrorResponse,
  readGetACLResponse,
  readGetChildren2Response,
  readGetDataResponse,
  readMultiResponse,
  readNumberResponse,
  readPathResponse,
  readPathsResponse,
  readStat,
  readWhoAmIResponse,
  validatePath,
  WatcherType,
  writeAddWatchRequest,
  writeMultiReadRequest,
  writeMultiRequest,
  writeOp,
  writeOptionalPathRequest,
  writePathRequest,
  writeReconfigRequest,
  writeSetACLRequest,
  writeSetDataRequest,
  writeVersionedPathRequest,
  writeWatchedPathRequest,
  writeWatchTypeRequest
} from "@zkmesh/protocol"
import { Chroot, formatEndpoint, parseConnectString } from "./connectString.ts"
import { ZkError } from "./errors.ts"
import type { ZkClientEvents, ZkClientOptions } from "./options.ts"
import { type ClientState, Session, type SessionCredentials } from "./session.ts"
import {
  bytesOf,
  type CreateOptions,
  createOp,
  type Data,
  type DataAndStat,
  ownData,
  type ReadOp,
  type ReadResult,
  readResults,
  Transaction,
  type TransactionResult,
  transactionResults
} from "./transaction.ts"
import type { Watcher } from "./watches.ts"

export interface ChildrenAndStat {
  readonly children: Array<string>
  readonly stat: ReceivedStat
}
const nothing = (): void => undefined
const readData = (reader: JuteReader): DataAndStat => ownData(readGetDataResponse(reader))
const isFinal = (state: ClientState): boolean => state === "EXPIRED" || state === "AUTH_FAILED" || state === "CLOSED"

/**
 * A session with a ZooKeeper-compatible ensemble. It dials at once; operations wait for the connection, pipeline, and
 * resolve in order. A lost connection fails what is in flight with CONNECTIONLOSS and is replaced by one to the next
 * server, with the same session and the same watches.
 */
export class ZkClient extends EventEmitter<ZkClientEvents> {
  private readonly wire: Session
  private readonly chroot: Chroot

  /** `servers`: `host:port,host:port/chroot`. */
  constructor(servers: string, options: ZkClientOptions = {}) {
    super()
    const target = parseConnectString(servers)
    const first = options.inOrder ? 0 : Math.floor(Math.random() * target.servers.length)
    this.chroot = new Chroot(target.chroot)
    this.wire = new Session(
      {
        servers: [...target.servers.slice(first), ...target.servers.slice(0, first)],
        chroot: this.chroot,
        sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
        readOnly: options.readOnly ?? false,
        tls: options.tls,
        sasl: options.sasl,
        maxResponseBytes: options.maxResponseBytes ?? 64 * 1024 * 1024,
        credentials: options.session
      },
      {
        onState: (state) => this.emit("state", state),
        onDisconnect: (reason) => this.emit("disconnect", reason)
      }
    )
  }

  get state(): ClientState {
    return this.wire.state
  }
  /** The server that it is connected to, as host:port. */
  get server(): string | undefined {
    return this.wire.server === undefined ? undefined : formatEndpoint(this.wire.server)
  }
  /** `0x…`; `0x0` before the first connection. */
  get sessionId(): string {
    return this.wire.sessionId
  }
  /** What another client needs to go on with this session. */
  get session(): SessionCredentials | undefined {
    return this.wire.session
  }
  /** As negotiated. */
  get sessionTimeoutMs(): number {
    return this.wire.timeoutMs
  }
  get lastZxidSeen(): number {
    return this.wire.lastZxidSeen
  }

  /** Resolves once connected; rejects when the session has ended, or the time is up (OPERATIONTIMEOUT). */
  connected(timeoutMs?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.off("state", check)
        act()
      }
      const check = (): void => {
        if (this.wire.isConnected) settle(resolve)
        else if (this.state === "AUTH_FAILED") settle(() => reject(new ZkError(ErrorCode.AUTHFAILED)))
        else if (isFinal(this.state)) settle(() => reject(new ZkError(ErrorCode.SESSIONEXPIRED)))
      }
      const timeUp = (): void => settle(() => reject(new ZkError(ErrorCode.OPERATIONTIMEOUT)))
      const timer = timeoutMs === undefined ? undefined : setTimeout(timeUp, timeoutMs)
      this.on("state", check)
      check()
    })
  }

  /** Ends the session: its ephemeral nodes go. Earlier operations are answered first. */
  close(): Promise<void> {
    return this.wire.close()
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private toServer(path: string): string {
    return this.chroot.toServer(path)
  }

  /** A path that the server would take for another one, or refuse, is refused here, as ZooKeeper's own clients do. */
  private call<T>(
    op: number,
    path: string,
    write: (writer: JuteWriter, path: string) => void,
    read: (reader: JuteReader) => T,
    onResult?: (code: number, path: string) => void
  ): Promise<T> {
    const problem = validatePath(path)
    if (problem !== undefined) {
      return Promise.reject(new ZkError(ErrorCode.BADARGUMENTS, path, new TypeError(problem)))
    }
    const onServer = this.toServer(path)
    const result = onResult === undefined ? undefined : (code: number): void => onResult(code, onServer)
    return this.wire.submit(op, path, (writer) => write(writer, onServer), read, result)
  }

  private created(path: string, data: Data, options: CreateOptions, withStat: boolean) {
    const sequential = path.endsWith("/") && path !== "/"
    const problem = validatePath(sequential ? `${path}1` : path)
    if (problem !== undefined) throw new ZkError(ErrorCode.BADARGUMENTS, path, new TypeError(problem))
    const op = createOp(this.toServer(path), data, options, withStat ? OpCode.create2 : OpCode.create)
    return this.wire.submit(
      op.op,
      path,
      (writer) => writeOp(writer, op),
      (reader) => {
        const { path: actual, stat } =
          op.op === OpCode.create ? { path: reader.string(), stat: undefined } : readCreate2Response(reader)
        return { path: this.chroot.toClient(actual), stat }
      }
    )
  }

  /** Resolves to the path, with its suffix if the mode is a sequential one. */
  async create(path: string, data: Data = null, options: CreateOptions = {}): Promise<string> {
    return (await this.created(path, data, options, false)).path
  }

  async create2(
    path: string,
    data: Data = null,
    options: CreateOptions = {}
  ): Promise<{ path: string; stat: ReceivedStat }> {
    const { path: actual, stat } = await this.created(path, data, options, true)
    if (stat === undefined) throw new ZkError(ErrorCode.MARSHALLINGERROR, path)
    return { path: actual, stat }
  }

  delete(path: string, version: number = -1): Promise<void> {
    return this.call(OpCode.delete, path, (w, p) => writeVersionedPathRequest(w, { path: p, version }), nothing)
  }

  /** undefined if there is no such node; the watch is set either way. */
  async exists(path: string, watcher?: Watcher): Promise<ReceivedStat | undefined> {
    const watch = watcher !== undefined
    try {
      return await this.call(
        OpCode.exists,
        path,
        (w, p) => writeWatchedPathRequest(w, { path: p, watch }),
        readStat,
        (code, p) => {
          if (watcher === undefined) return
          if (code === ErrorCode.OK) this.wire.watches.add("data", p, watcher)
          else if (code === ErrorCode.NONODE) this.wire.watches.add("exist", p, watcher)
        }
      )
    } catch (error) {
      if (error instanceof ZkError && error.code === ErrorCode.NONODE) return undefined
      throw error
    }
  }

  private watched<T>(
    op: number,
    path: string,
    kind: "data" | "child",
    watcher: Watcher | undefined,
    read: (r: JuteReader) => T
  ) {
    return this.call(
      op,
      path,
      (w, p) => writeWatchedPathRequest(w, { path: p, watch: watcher !== undefined }),
      read,
      (code, p) => {
        if (watcher !== undefined && code === ErrorCode.OK) this.wire.watches.add(kind, p, watcher)
      }
    )
  }

  getData(path: string, watcher?: Watcher): Promise<DataAndStat> {
    return this.watched(OpCode.getData, path, "data", watcher, readData)
  }
  getChildren(path: string, watcher?: Watcher): Promise<Array<string>> {
    return this.watched(OpCode.getChildren, path, "child", watcher, readPathsResponse)
  }
  getChildren2(path: string, watcher?: Watcher): Promise<ChildrenAndStat> {
    return this.watched(OpCode.getChildren2, path, "child", watcher, readGetChildren2Response)
  }

  setData(path: string, data: Data, version: number = -1): Promise<ReceivedStat> {
    const bytes = bytesOf(data)
    return this.call(
      OpCode.setData,
      path,
      (w, p) => writeSetDataRequest(w, { path: p, data: bytes, version }),
      readStat
    )
  }
  getACL(path: string): Promise<{ acl: Array<Acl>; stat: ReceivedStat }> {
    return this.call(OpCode.getACL, path, (w, p) => writePathRequest(w, { path: p }), readGetACLResponse)
  }
  /** `version` is compared with the node's aversion. */
  setACL(path: string, acl: ReadonlyArray<Acl>, version: number = -1): Promise<ReceivedStat> {
    return this.call(OpCode.setACL, path, (w, p) => writeSetACLRequest(w, { path: p, acl, version }), readStat)
  }

  /** Afterwards this server knows all that was committed before the call. */
  sync(path: string = "/"): Promise<void> {
    const read = (reader: JuteReader): void => void readPathResponse(reader)
    return this.call(OpCode.sync, path, (w, p) => writeOptionalPathRequest(w, { path: p }), read)
  }

  /** The paths of this session's ephemeral nodes that begin with `prefix`. */
  async getEphemerals(prefix: string = "/"): Promise<Array<string>> {
    const write = (w: JuteWriter, path: string): void => writeOptionalPathRequest(w, { path })
    const paths = await this.call(OpCode.getEphemerals, prefix, write, readPathsResponse)
    return paths.map((path) => this.chroot.toClient(path))
  }
  /** How many descendants a node has. */
  getAllChildrenNumber(path: string): Promise<number> {
    return this.call(OpCode.getAllChildrenNumber, path, (w, p) => writePathRequest(w, { path: p }), readNumberResponse)
  }
  whoAmI(): Promise<Array<ClientInfo>> {
    return this.wire.submit(OpCode.whoAmI, undefined, nothing, readWhoAmIResponse)
  }
  /** Adds an identity, on this connection and all later ones. A refusal ends the session (AUTH_FAILED). */
  addAuth(scheme: string, auth: Uint8Array | string): Promise<void> {
    return this.wire.addAuth(scheme, typeof auth === "string" ? Buffer.from(auth) : auth)
  }

  transaction(): Transaction {
    const send = (ops: ReadonlyArray<MultiWrite>): Promise<Array<TransactionResult>> =>
      this.wire.submit(
        OpCode.multi,
        undefined,
        (writer) => writeMultiRequest(writer, ops),
        (reader) => transactionResults(ops, readMultiResponse(reader), this.chroot)
      )
    return new Transaction((path) => this.toServer(path), send)
  }

  /** Data or children of many nodes in one consistent read; an error stands for itself. */
  multiRead(reads: ReadonlyArray<ReadOp>): Promise<Array<ReadResult>> {
    const ops = reads.map(({ op, path }) => ({ op: OpCode[op], path: this.toServer(path) }))
    return this.wire.submit(
      OpCode.multiRead,
      undefined,
      (writer) => writeMultiReadRequest(writer, ops),
      (reader) => readResults(reads, readMultiResponse(reader))
    )
  }

  /** Watches a node, or with PERSISTENT_RECURSIVE all that is below it, until removed. */
  addWatch(path: string, watcher: Watcher, mode: AddWatchMode = AddWatchMode.PERSISTENT_RECURSIVE): Promise<void> {
    return this.call(
      OpCode.addWatch,
      path,
      (w, p) => writeAddWatchRequest(w, { path: p, mode }),
      (reader) => {
        const err = readErrorResponse(reader)
        if (err !== ErrorCode.OK) throw new ZkError(err, path)
      },
      (code, p) => {
        if (code === ErrorCode.OK) this.wire.watches.addPersistent(mode, p, watcher)
      }
    )
  }

  /**
   * Removes this client's watches of a type on a path, at the server and here. With `local` they are forgotten here even
   * if no server can be told; NOWATCHER if there are none.
   */
  async removeWatches(
    path: string,
    type: WatcherType = WatcherType.Any,
    options: { local?: boolean } = {}
  ): Promise<void> {
    const onServer = this.toServer(path)
    if (!this.wire.watches.has(onServer, type)) throw new ZkError(ErrorCode.NOWATCHER, path)
    const forget = (): void => {
      for (const [removed, watcher] of this.wire.watches.remove(onServer, type)) {
        this.wire.tell(watcher, { type: removed, path, zxid: -1 })
      }
    }
    try {
      await this.call(
        OpCode.removeWatches,
        path,
        (w, p) => writeWatchTypeRequest(w, { path: p, type }),
        nothing,
        (code) => {
          if (code === ErrorCode.OK) forget()
        }
      )
    } catch (error) {
      const unreachable = error instanceof ZkError && error.code === ErrorCode.CONNECTIONLOSS
      if (!unreachable || options.local !== true) throw error
      forget()
    }
  }

  /**
   * zkmesh's own, for the super user: the tree becomes the snapshot whose pieces, in the order of their names, are the
   * children of the znode at `path` (`/zookeeper/restore-` and whatever follows), all at once. BADARGUMENTS if they are none.
   */
  restore(path: string): Promise<void> {
    return this.wire.submit(OpCode.restore, path, (writer) => writePathRequest(writer, { path }), nothing)
  }

  /** The ensemble's configuration, which no chroot hides. */
  getConfig(watcher?: Watcher): Promise<DataAndStat> {
    const path = "/zookeeper/config"
    return this.wire.submit(
      OpCode.getData,
      path,
      (writer) => writeWatchedPathRequest(writer, { path, watch: watcher !== undefined }),
      readData,
      (code) => {
        if (watcher !== undefined && code === ErrorCode.OK) this.wire.watches.add("data", path, watcher)
      }
    )
  }
  /** Changes the membership; resolves to the new configuration's text. */
  reconfig(change: {
    readonly joining?: string
    readonly leaving?: string
    readonly members?: string
    readonly fromConfig?: number
  }): Promise<DataAndStat> {
    const request = {
      joiningServers: change.joining ?? null,
      leavingServers: change.leaving ?? null,
      newMembers: change.members ?? null,
      curConfigId: change.fromConfig ?? -1
    }
    return this.wire.submit(OpCode.reconfig, undefined, (writer) => writeReconfigRequest(writer, request), readData)
  }
}
