import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { Reader, Writer } from "../recorder/wire.ts"
import { type Received, read } from "./received.ts"
import { frame, nothing, Op, PING } from "./requests.ts"

const PING_XID = -2
const PATIENCE_MS = 20_000

export interface Handshake {
  readonly lastZxidSeen?: bigint
  readonly timeoutMs?: number
  readonly sessionId?: bigint
  readonly password?: Buffer | null
  /** Left out if undefined. */
  readonly readOnly?: boolean | undefined
  /** Bytes after the record. */
  readonly more?: Buffer
}

export interface Welcome {
  readonly protocolVersion: number
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
  readonly readOnly: boolean | undefined
  readonly more: number
}

/** One TCP connection, that sends what it is told to and keeps everything that it hears, in order. */
export class Connection {
  readonly name: string
  welcome: Welcome | undefined
  isClosed = false
  private readonly socket: Socket
  private pending: Buffer = Buffer.alloc(0)
  private heard: Array<Received> = []
  /** Requests that have no answer yet. */
  private asked: Array<{ readonly xid: number; readonly op: number; readonly isFence: boolean }> = []
  private fences = 0
  private readonly waiting = new Set<() => void>()
  private isGreeted = false

  private constructor(name: string, socket: Socket) {
    this.name = name
    this.socket = socket
    socket.on("data", (chunk: Buffer) => this.data(chunk))
    // A reset is a way to close.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      this.isClosed = true
      this.heard.push({ kind: "closed" })
      this.wake()
    })
  }

  static async open(name: string, port: number): Promise<Connection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    await once(socket, "connect")
    return new Connection(name, socket)
  }

  /** Says hello; returns the answer, or undefined if there is none but the end of the connection. */
  async greet(hello: Handshake = {}): Promise<Welcome | undefined> {
    const writer = new Writer()
      .int(0)
      .long(hello.lastZxidSeen ?? 0n)
      .int(hello.timeoutMs ?? 30_000)
      .long(hello.sessionId ?? 0n)
    if (hello.password === null) writer.int(-1)
    else writer.buffer(hello.password ?? Buffer.alloc(16))
    const whole = "readOnly" in hello ? hello.readOnly : false
    if (whole !== undefined) writer.bool(whole)
    const plain = writer.frame()
    const bytes = hello.more === undefined ? plain : Buffer.concat([plain, hello.more])
    if (hello.more !== undefined) bytes.writeInt32BE(bytes.length - 4)
    this.write(bytes)
    await this.until(() => this.isGreeted || this.isClosed, "an answer to the ConnectRequest")
    return this.welcome
  }

  write(bytes: Buffer): void {
    if (!this.isClosed) this.socket.write(bytes)
  }

  /** Sends a request of which the answer is expected in its turn. */
  send(xid: number, op: number, bytes: Buffer): void {
    this.expect(xid, op)
    this.write(bytes)
  }

  /** An answer with this xid is to be read as one to this operation. */
  expect(xid: number, op: number): void {
    this.asked.push({ xid, op, isFence: false })
  }

  /** Sends a ping, and returns when it has come back, or cannot any more: then all that came before it has come too. */
  async fence(): Promise<void> {
    if (this.isClosed) return
    const number = this.fences + this.asked.filter((one) => one.isFence).length + 1
    this.asked.push({ xid: PING_XID, op: Op.ping, isFence: true })
    this.write(PING)
    await this.until(() => this.fences >= number || this.isClosed, "the answer to a ping")
  }

  /** What has been heard since the last call. */
  take(): ReadonlyArray<Received> {
    const { heard } = this
    this.heard = []
    return heard
  }

  /** Resolves once as many things of this kind have been heard since the last `take`. */
  async hear(kind: Received["kind"], count = 1): Promise<void> {
    await this.until(() => this.heard.filter((one) => one.kind === kind).length >= count, `${count} ${kind}`)
  }

  /** The connection goes, without a word about the session. */
  async drop(): Promise<void> {
    this.socket.destroy()
    await this.until(() => this.isClosed, "its own end")
  }

  /** Ends the session as clients do. */
  async close(): Promise<void> {
    this.send(0x7fff_ffff, Op.close, frame(0x7fff_ffff, Op.close, nothing))
    await this.until(() => this.isClosed, "the end of the connection")
  }

  private async until(done: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!done()) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`${this.name} waits for ${what}`)
      await new Promise<void>((resolve) => {
        const go = () => {
          clearTimeout(timer)
          this.waiting.delete(go)
          resolve()
        }
        const timer = setTimeout(go, left)
        this.waiting.add(go)
      })
    }
  }

  private wake(): void {
    for (const go of [...this.waiting]) go()
  }

  private data(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    while (this.pending.length >= 4) {
      const length = this.pending.readInt32BE(0)
      if (this.pending.length < 4 + length) break
      const body = this.pending.subarray(4, 4 + length)
      this.pending = this.pending.subarray(4 + length)
      if (!this.isGreeted) this.greeted(body)
      else this.answered(body)
    }
    this.wake()
  }

  private greeted(body: Buffer): void {
    const reader = new Reader(body)
    const [protocolVersion, timeoutMs, sessionId] = [reader.int(), reader.int(), reader.long()]
    const password = reader.buffer()
    const rest = reader.rest()
    const readOnly = rest.length === 0 ? undefined : rest[0] !== 0
    this.isGreeted = true
    this.welcome = { protocolVersion, timeoutMs, sessionId, password, readOnly, more: Math.max(0, rest.length - 1) }
  }

  private answered(body: Buffer): void {
    let isFence = false
    const received = read(body, (xid) => {
      const at = this.asked.findIndex((one) => one.xid === xid)
      if (at < 0) return undefined
      const [found] = this.asked.splice(at, 1)
      isFence = found!.isFence
      return found!.op
    })
    if (isFence) this.fences++
    else this.heard.push(received)
  }
}
