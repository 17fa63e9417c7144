import net from "node:net"
import tls from "node:tls"
import {
  FrameSplitter,
  JuteReader,
  type JuteWriter,
  type ReceivedConnectResponse,
  readConnectResponse
} from "@zkmesh/protocol"
import type { Endpoint } from "./connectString.ts"

export interface ConnectionOptions {
  readonly tls: tls.ConnectionOptions | undefined
  /** Until the socket is open. */
  readonly connectTimeoutMs: number
  /** Silence of the server that means it is gone; after the handshake it follows from the negotiated timeout. */
  readonly readTimeoutMs: number
  readonly maxFrameBytes: number
}

export interface ConnectionEvents {
  /** The socket is open: what it returns is sent as the first frame. */
  readonly onOpen: () => Uint8Array
  readonly onHandshake: (response: ReceivedConnectResponse) => void
  readonly onFrame: (reader: JuteReader) => void
  /** Nothing has been sent for so long that the server should hear from us. */
  readonly onIdle: () => void
  /** Once, after which nothing else comes. */
  readonly onClose: (reason: Error) => void
}

/** One socket to one server, from dialling to its end: frames, deadlines, and nothing about sessions. */
export class Connection {
  readonly endpoint: Endpoint
  private readonly socket: net.Socket
  private readonly events: ConnectionEvents
  private readonly splitter: FrameSplitter
  private readonly reader = new JuteReader(new Uint8Array())
  private readTimeoutMs: number
  private timer: NodeJS.Timeout | undefined
  private lastHeard = 0
  private lastSent = 0
  private established = false
  private flushing = false
  private closed = false

  constructor(endpoint: Endpoint, options: ConnectionOptions, events: ConnectionEvents) {
    this.endpoint = endpoint
    this.events = events
    this.readTimeoutMs = options.readTimeoutMs
    this.splitter = new FrameSplitter(options.maxFrameBytes)
    const { host, port } = endpoint
    this.socket =
      options.tls === undefined
        ? net.connect({ host, port, noDelay: true })
        : tls.connect({ host, port, servername: net.isIP(host) === 0 ? host : "", ...options.tls }).setNoDelay(true)
    this.timer = setTimeout(
      () => this.close(new Error(`no connection within ${options.connectTimeoutMs} ms`)),
      options.connectTimeoutMs
    )
    this.socket.once(options.tls === undefined ? "connect" : "secureConnect", () => this.onOpen())
    this.socket.on("data", (chunk) => this.onData(chunk))
    this.socket.on("error", (error) => this.close(error))
    this.socket.once("close", () => this.close(new Error("the server closed the connection")))
  }

  private onOpen(): void {
    if (this.closed) return
    this.lastHeard = this.lastSent = performance.now()
    this.socket.write(this.events.onOpen())
    this.watchClock()
  }

  private onData(chunk: Buffer): void {
    this.lastHeard = performance.now()
    this.splitter.push(chunk)
    while (!this.closed) {
      const result = this.splitter.next()
      if (result === "more") return
      if (result === "badLength") {
        this.close(new Error(`the server sent a frame of ${this.splitter.length} bytes`))
        return
      }
      const { buffer, start, end } = this.splitter
      try {
        this.onFrame(this.reader.reset(buffer, start, end))
      } catch (error) {
        this.close(new Error("the server sent a frame that makes no sense", { cause: error }))
      }
    }
  }

  private onFrame(reader: JuteReader): void {
    if (this.established) {
      this.events.onFrame(reader)
      return
    }
    this.established = true
    const response = readConnectResponse(reader)
    if (response.timeoutMs > 0) {
      this.readTimeoutMs = (response.timeoutMs * 2) / 3
      this.watchClock()
    }
    this.events.onHandshake(response)
  }

  /** Sleeps until the next deadline there is: the server's silence, or ours. */
  private watchClock(): void {
    clearTimeout(this.timer)
    if (this.closed) return
    const now = performance.now()
    const silentFor = now - this.lastHeard
    if (silentFor >= this.readTimeoutMs) {
      this.close(new Error(`the server was silent for ${Math.round(silentFor)} ms`))
      return
    }
    // Half of the read timeout, and a second less for a ping's way there and back where there is room for that.
    const pingAfter = Math.min(this.readTimeoutMs / 2 - (this.readTimeoutMs > 4000 ? 1000 : 0), 10_000)
    if (this.established && now - this.lastSent >= pingAfter) {
      this.lastSent = now
      this.events.onIdle()
    }
    const deadline = this.lastHeard + this.readTimeoutMs
    const next = this.established ? Math.min(deadline, this.lastSent + pingAfter) : deadline
    this.timer = setTimeout(() => this.watchClock(), Math.max(1, next - now))
  }

  /** Sends what the writer holds, once for all that is written before the event loop turns. */
  flushSoon(writer: JuteWriter): void {
    if (this.flushing || this.closed) return
    this.flushing = true
    queueMicrotask(() => {
      this.flushing = false
      if (this.closed || writer.length === 0) return
      this.lastSent = performance.now()
      this.socket.write(writer.take())
    })
  }

  close(reason: Error): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.timer)
    this.socket.destroy()
    this.events.onClose(reason)
  }
}
