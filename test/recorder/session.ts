import { connect, type Socket } from "node:net"
import { Op, Reader, type Stat, Writer } from "./wire.ts"

/** The connection went before the reply came: whether the request was carried out is not known. */
export class ConnectionLost extends Error {}
/** The ensemble knows the session no more. */
export class SessionExpired extends Error {}

export interface Reply {
  readonly zxid: number
  readonly error: number
  readonly body: Reader
}

export interface WatchEvent {
  readonly type: number
  readonly path: string
  readonly zxid: number
}

interface Pending {
  readonly xid: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export interface SessionOptions {
  readonly ports: ReadonlyArray<number>
  readonly timeoutMs: number
  readonly onEvent?: (event: WatchEvent) => void
  readonly onDisconnect?: () => void
}

const CONNECT_TIMEOUT_MS = 1000
const RETRY_MS = 20

/**
 * A client session that goes from server to server as real clients do, and keeps a record of every zxid that it sees.
 * Requests are pipelined. A request in flight when the connection goes is rejected, never repeated.
 */
export class Session {
  id = 0n
  /** The greatest zxid seen, and what was wrong with those that came after it. */
  lastZxid = 0
  readonly violations: Array<string> = []
  connections = 0
  private readonly options: SessionOptions
  private password: Buffer = Buffer.alloc(16)
  private socket: Socket | undefined
  /** What is on its way, the oldest at `answered`. */
  private pending: Array<Pending> = []
  private answered = 0
  private nextXid = 1
  private server: number
  private ended: Error | undefined
  private ping: NodeJS.Timeout | undefined
  private readonly waiting = new Set<{ resolve: () => void; reject: (error: Error) => void }>()

  private constructor(options: SessionOptions, first: number) {
    this.options = options
    this.server = first
  }

  /** Opens a session, at the first-th server if that one serves. */
  static async open(options: SessionOptions, first = 0): Promise<Session> {
    const session = new Session(options, first)
    await session.reconnect()
    return session
  }

  /** The port that it is connected to. */
  get port(): number {
    return this.options.ports[this.server % this.options.ports.length]!
  }

  get connected(): boolean {
    return this.socket !== undefined
  }

  /** Resolves at once while connected, else with the next connection; fails when the session has ended. */
  async ready(): Promise<void> {
    if (this.socket !== undefined) return
    if (this.ended !== undefined) throw this.ended
    return new Promise((resolve, reject) => this.waiting.add({ resolve, reject }))
  }

  request(op: number, body: (writer: Writer) => Writer, xid = this.nextXid++): Promise<Reply> {
    const { socket } = this
    if (socket === undefined) return Promise.reject(this.ended ?? new ConnectionLost("not connected"))
    return new Promise((resolve, reject) => {
      this.pending.push({ xid, resolve, reject })
      socket.write(body(new Writer().int(xid).int(op)).frame())
    })
  }

  create(path: string, data: string, flags = 0): Promise<Reply> {
    return this.request(Op.create, (w) => w.text(path).buffer(Buffer.from(data)).openAcl().int(flags))
  }

  /** As `create`; the reply tells the Stat as well. */
  create2(path: string, data: string, flags = 0): Promise<Reply> {
    return this.request(Op.create2, (w) => w.text(path).buffer(Buffer.from(data)).openAcl().int(flags))
  }

  set(path: string, data: string, version = -1): Promise<Reply> {
    return this.request(Op.setData, (w) => w.text(path).buffer(Buffer.from(data)).int(version))
  }

  get(path: string, watch = false): Promise<Reply> {
    return this.request(Op.getData, (w) => w.text(path).bool(watch))
  }

  exists(path: string, watch = false): Promise<Reply> {
    return this.request(Op.exists, (w) => w.text(path).bool(watch))
  }

  children(path: string): Promise<Reply> {
    return this.request(Op.getChildren2, (w) => w.text(path).bool(false))
  }

  delete(path: string): Promise<Reply> {
    return this.request(Op.delete, (w) => w.text(path).int(-1))
  }

  sync(path: string): Promise<Reply> {
    return this.request(Op.sync, (w) => w.text(path))
  }

  /** The watches that the test keeps are set again by the test: what a reconnect does with them is visible there. */
  setWatches(data: ReadonlyArray<string>, relativeZxid: number): Promise<Reply> {
    return this.request(Op.setWatches, (w) => w.long(BigInt(relativeZxid)).texts(data).texts([]).texts([]), -8)
  }

  /** Ends the session as a client does. */
  async close(): Promise<void> {
    if (this.socket !== undefined && this.ended === undefined) {
      await this.request(Op.close, (w) => w).catch(() => undefined)
    }
    this.abandon()
  }

  /** As if the client had died: the connection goes, the session is left to expire. */
  abandon(): void {
    this.ended = new Error("the client has gone")
    this.socket?.destroy()
    this.lose(this.ended)
  }

  /** Cuts the connection; the session goes on elsewhere. */
  cut(): void {
    this.socket?.destroy()
  }

  private async reconnect(): Promise<void> {
    while (this.ended === undefined) {
      try {
        await this.dial(this.options.ports[this.server % this.options.ports.length]!)
        this.connections++
        for (const one of this.waiting) one.resolve()
        this.waiting.clear()
        return
      } catch (error) {
        if (error instanceof SessionExpired) {
          this.ended = error
          for (const one of this.waiting) one.reject(error)
          this.waiting.clear()
          throw error
        }
        this.server++
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  private dial(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true })
      const timer = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS)
      let greeted = false
      let left: Buffer = Buffer.alloc(0)
      socket.once("connect", () => {
        const hello = new Writer().int(0).long(BigInt(this.lastZxid)).int(this.options.timeoutMs)
        socket.write(hello.long(this.id).buffer(this.password).bool(false).frame())
      })
      socket.on("data", (chunk: Buffer) => {
        left = left.length === 0 ? chunk : Buffer.concat([left, chunk])
        while (left.length >= 4 && left.length >= 4 + left.readInt32BE(0)) {
          const frame = left.subarray(4, 4 + left.readInt32BE(0))
          left = left.subarray(4 + frame.length)
          if (greeted) this.take(frame)
          else {
            greeted = true
            clearTimeout(timer)
            try {
              this.welcome(frame, socket)
              resolve()
            } catch (error) {
              socket.destroy()
              reject(error)
            }
          }
        }
      })
      // A refused or reset connection ends with "close", which is where it is dealt with.
      socket.on("error", () => undefined)
      socket.on("close", () => {
        clearTimeout(timer)
        if (!greeted) return reject(new ConnectionLost(`no answer at ${port}`))
        if (this.socket === socket) this.lose(new ConnectionLost(`connection to ${port} lost`))
      })
    })
  }

  private welcome(frame: Buffer, socket: Socket): void {
    const reader = new Reader(frame)
    reader.int()
    const timeoutMs = reader.int()
    const id = reader.long()
    if (timeoutMs <= 0) throw new SessionExpired(`session 0x${this.id.toString(16)} has expired`)
    if (this.id !== 0n && id !== this.id) this.violations.push(`session ${this.id} became ${id}`)
    this.id = id
    this.password = Buffer.from(reader.buffer())
    this.socket = socket
    this.ping = setInterval(() => {
      this.request(Op.ping, (w) => w, -2).catch(() => undefined)
    }, timeoutMs / 3)
    this.ping.unref()
  }

  private lose(error: Error): void {
    clearInterval(this.ping)
    this.socket = undefined
    const lost = this.pending.slice(this.answered)
    this.pending = []
    this.answered = 0
    for (const one of lost) one.reject(error)
    if (this.ended !== undefined) {
      for (const one of this.waiting) one.reject(this.ended)
      this.waiting.clear()
      return
    }
    this.options.onDisconnect?.()
    this.server++
    // An expiry is told to whoever waits for the session or uses it.
    this.reconnect().catch(() => undefined)
  }

  private oldest(): Pending | undefined {
    const next = this.pending[this.answered++]
    if (this.answered >= this.pending.length || this.answered === 1000) {
      this.pending.splice(0, this.answered)
      this.answered = 0
    }
    return next
  }

  private take(frame: Buffer): void {
    const reader = new Reader(frame)
    const xid = reader.int()
    const zxid = reader.exact()
    const error = reader.int()
    if (zxid > 0) {
      if (zxid < this.lastZxid) this.violations.push(`zxid went back from ${hex(this.lastZxid)} to ${hex(zxid)}`)
      this.lastZxid = Math.max(this.lastZxid, zxid)
    }
    if (xid === -1) {
      const type = reader.int()
      reader.int()
      this.options.onEvent?.({ type, path: reader.text(), zxid })
      return
    }
    const next = this.oldest()
    if (next === undefined || next.xid !== xid) {
      this.violations.push(`a reply to ${xid} came where ${next?.xid} was due`)
      this.cut()
      return
    }
    next.resolve({ zxid, error, body: reader })
  }
}

/** The value and the stat of a getData. */
export function dataOf(reply: Reply): { readonly data: string; readonly stat: Stat } {
  if (reply.error !== 0) throw new Error(`getData failed with ${reply.error}`)
  return { data: reply.body.buffer().toString(), stat: reply.body.stat() }
}

const hex = (zxid: number): string => `0x${zxid.toString(16)}`
