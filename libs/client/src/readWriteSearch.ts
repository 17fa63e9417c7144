import net from "node:net"
import tls from "node:tls"
import type { Endpoint } from "./connectString.ts"

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 60_000
/** A server that has not said by then what it is counts as none. */
const PATIENCE_MS = 1000

/**
 * While a client is content with a server that takes no writes, looks for one that does, as ZooKeeper's clients do: it
 * asks one server after another, less and less often.
 */
export class ReadWriteSearch {
  private readonly servers: ReadonlyArray<Endpoint>
  private readonly tls: tls.ConnectionOptions | undefined
  private readonly found: (index: number) => void
  private next: number
  private pauseMs = FIRST_PAUSE_MS
  private timer: NodeJS.Timeout | undefined
  private socket: net.Socket | undefined
  private stopped = false

  /** Begins at the server with the index `first`; `found` hears the index of one that takes writes, once. */
  constructor(
    servers: ReadonlyArray<Endpoint>,
    first: number,
    tlsOptions: tls.ConnectionOptions | undefined,
    found: (index: number) => void
  ) {
    this.servers = servers
    this.next = first
    this.tls = tlsOptions
    this.found = found
    this.later()
  }

  private later(): void {
    this.timer = setTimeout(() => this.ask(this.next++ % this.servers.length), this.pauseMs)
    this.pauseMs = Math.min(2 * this.pauseMs, MAX_PAUSE_MS)
  }

  private ask(index: number): void {
    const { host, port } = this.servers[index]!
    const greet = (): void => void socket.write("isro")
    const socket: net.Socket =
      this.tls === undefined
        ? net.connect({ host, port }, greet)
        : tls.connect({ host, port, servername: net.isIP(host) === 0 ? host : "", ...this.tls }, greet)
    this.socket = socket
    let answer = ""
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1")
    })
    // Nobody there is as good as a server without writes; "close" follows.
    socket.on("error", () => socket.destroy())
    socket.once("close", () => {
      if (this.stopped) return
      if (answer !== "rw") {
        this.later()
        return
      }
      this.stop()
      this.found(index)
    })
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.socket?.destroy()
  }
}
