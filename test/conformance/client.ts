import type { Connection } from "./connection.ts"
import type { Reply } from "./received.ts"
import {
  type Acl,
  authBody,
  type Body,
  createBody,
  type Data,
  frame,
  Mode,
  multiBody,
  nothing,
  OPEN,
  Op,
  opName,
  type Part,
  pathAndNumber,
  pathAndWatch,
  pathOnly,
  setAclBody,
  setDataBody,
  setWatches2Body,
  setWatchesBody,
  type Watched
} from "./requests.ts"
import type { Stage } from "./stage.ts"

export interface CreateOptions {
  readonly op?: number
  readonly data?: Data
  readonly acl?: ReadonlyArray<Acl> | null
  readonly mode?: number
  readonly ttlMs?: bigint
}

const SET_WATCHES_XID = -8
const AUTH_XID = -4

/** A session's end of the wire: every method is one step of the script. */
export class Client {
  readonly stage: Stage
  readonly connection: Connection
  private xid = 0

  constructor(stage: Stage, connection: Connection) {
    this.stage = stage
    this.connection = connection
  }

  /** Asks, and returns the answer if there is one. */
  async ask(what: string, op: number, body: Body, xid: number = ++this.xid): Promise<Reply | undefined> {
    const heard = await this.stage.step(`${this.connection.name}: ${what}`, this.connection, () =>
      this.connection.send(xid, op, frame(xid, op, body))
    )
    return heard.find((one) => one.kind === "reply")
  }

  /** Asks for what makes the servers do something by themselves, of which `listener` hears so many events in all. */
  async askUntil(what: string, { op, body }: Part, listener: Client, events: number): Promise<void> {
    const xid = ++this.xid
    await this.stage.until(`${this.connection.name}: ${what}`, listener.connection, events, () =>
      this.connection.send(xid, op, frame(xid, op, body))
    )
  }

  /** Several requests in one write, as pipelining clients send them. */
  async pipeline(what: string, requests: ReadonlyArray<Part>): Promise<void> {
    await this.stage.step(`${this.connection.name}: ${what}`, this.connection, () => this.sendAll(requests))
  }

  /** Likewise, and one of them ends the connection. */
  async pipelineLast(what: string, requests: ReadonlyArray<Part>): Promise<void> {
    await this.stage.last(`${this.connection.name}: ${what}`, this.connection, () => this.sendAll(requests))
  }

  private sendAll(requests: ReadonlyArray<Part>): void {
    const frames = requests.map(({ op, body }) => {
      const xid = ++this.xid
      this.connection.expect(xid, op)
      return frame(xid, op, body)
    })
    this.connection.write(Buffer.concat(frames))
  }

  /** Asks for what ends the connection. */
  async askLast(what: string, op: number, body: Body, xid: number = ++this.xid): Promise<void> {
    await this.stage.last(`${this.connection.name}: ${what}`, this.connection, () =>
      this.connection.send(xid, op, frame(xid, op, body))
    )
  }

  /** Bytes that end the connection. */
  async rawLast(what: string, bytes: Buffer): Promise<void> {
    await this.stage.last(`${this.connection.name}: ${what}`, this.connection, () => this.connection.write(bytes))
  }

  /** Bytes that may be anything. `op` says as what an answer with this xid is to be read. */
  async raw(what: string, bytes: Buffer, xid = 0, op = 0): Promise<void> {
    await this.stage.step(`${this.connection.name}: ${what}`, this.connection, () =>
      this.connection.send(xid, op, bytes)
    )
  }

  create(path: string | null, options: CreateOptions = {}): Promise<Reply | undefined> {
    const { op = Op.create, data = "", acl = OPEN, mode = Mode.persistent, ttlMs } = options
    const details = [
      opName(op),
      show(path),
      mode === 0 ? "" : `mode ${mode}`,
      ttlMs === undefined ? "" : `ttl ${ttlMs}`,
      acl === OPEN ? "" : `acl ${JSON.stringify(acl)}`,
      data === "" ? "" : `data ${show(data)}`
    ]
    return this.ask(details.filter((one) => one !== "").join(" "), op, createBody(path, data, acl, mode, ttlMs))
  }

  delete(path: string | null, version = -1): Promise<Reply | undefined> {
    return this.ask(`delete ${show(path)} version ${version}`, Op.delete, pathAndNumber(path, version))
  }

  deleteContainer(path: string | null): Promise<Reply | undefined> {
    return this.ask(`deleteContainer ${show(path)}`, Op.deleteContainer, pathOnly(path))
  }

  set(path: string | null, data: Data, version = -1): Promise<Reply | undefined> {
    return this.ask(
      `setData ${show(path)} ${show(data)} version ${version}`,
      Op.setData,
      setDataBody(path, data, version)
    )
  }

  get(path: string | null, watch = false): Promise<Reply | undefined> {
    return this.read(Op.getData, path, watch)
  }

  exists(path: string | null, watch = false): Promise<Reply | undefined> {
    return this.read(Op.exists, path, watch)
  }

  children(path: string | null, watch = false): Promise<Reply | undefined> {
    return this.read(Op.getChildren, path, watch)
  }

  children2(path: string | null, watch = false): Promise<Reply | undefined> {
    return this.read(Op.getChildren2, path, watch)
  }

  read(op: number, path: string | null, watch: boolean): Promise<Reply | undefined> {
    return this.ask(`${opName(op)} ${show(path)}${watch ? " with a watch" : ""}`, op, pathAndWatch(path, watch))
  }

  /** getACL, getAllChildrenNumber, getEphemerals and sync. */
  about(op: number, path: string | null): Promise<Reply | undefined> {
    return this.ask(`${opName(op)} ${show(path)}`, op, pathOnly(path))
  }

  setAcl(path: string | null, acl: ReadonlyArray<Acl> | null, version = -1): Promise<Reply | undefined> {
    const what = `setACL ${show(path)} ${JSON.stringify(acl)} version ${version}`
    return this.ask(what, Op.setACL, setAclBody(path, acl, version))
  }

  multi(what: string, parts: ReadonlyArray<Part>, op: number = Op.multi): Promise<Reply | undefined> {
    return this.ask(`${opName(op)}: ${what}`, op, multiBody(parts))
  }

  /** addWatch with a mode; checkWatches and removeWatches with a watcher's type. */
  watches(op: number, path: string | null, kind: number): Promise<Reply | undefined> {
    return this.ask(`${opName(op)} ${show(path)} ${kind}`, op, pathAndNumber(path, kind))
  }

  setWatches(what: string, since: number, watched: Watched): Promise<Reply | undefined> {
    return this.ask(`setWatches: ${what}`, Op.setWatches, setWatchesBody(since, watched), SET_WATCHES_XID)
  }

  setWatches2(what: string, since: number, watched: Watched): Promise<Reply | undefined> {
    return this.ask(`setWatches2: ${what}`, Op.setWatches2, setWatches2Body(since, watched), SET_WATCHES_XID)
  }

  auth(scheme: string | null, proof: Data): Promise<Reply | undefined> {
    return this.ask(`auth ${show(scheme)} ${show(proof)}`, Op.auth, authBody(scheme, proof), AUTH_XID)
  }

  /** An auth packet that is refused. */
  authLast(scheme: string | null, proof: Data): Promise<void> {
    return this.askLast(`auth ${show(scheme)} ${show(proof)}`, Op.auth, authBody(scheme, proof), AUTH_XID)
  }

  whoAmI(): Promise<Reply | undefined> {
    return this.ask("whoAmI", Op.whoAmI, nothing)
  }

  closeSession(): Promise<void> {
    return this.askLast("closeSession", Op.close, nothing)
  }

  /** The connection goes; the session stays. */
  async drop(): Promise<void> {
    await this.connection.drop()
    this.connection.take()
  }
}

const LONG = 60

const show = (value: Data): string => {
  if (value === null) return "null"
  const text = JSON.stringify(typeof value === "string" ? value : `0x${value.subarray(0, LONG).toString("hex")}`)
  return text.length <= LONG ? text : `${text.slice(0, LONG)}… (${value.length})`
}
