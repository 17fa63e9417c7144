/** How the NATS client talks to its socket, with less ado for each message. */
import type { Socket } from "node:net"
import {
  type ConnectionOptions,
  errors,
  hasWsProtocol,
  type NatsConnection,
  NatsConnectionImpl,
  setTransportFactory
} from "@nats-io/transport-node"
import { NodeTransport, nodeResolveHost } from "@nats-io/transport-node/lib/node_transport.js"
import { eagerSocket } from "@zkmesh/socket"

type Received = IteratorResult<Uint8Array, undefined>

/**
 * The library's own transport, but for three things that a lone write waits for twice or thrice: it reads from an eager
 * socket, hands a chunk over by one promise instead of a generator's four, and sends without a promise that nobody looks
 * at. Together they take a quarter off what a message costs a process.
 */
class LeanTransport extends NodeTransport {
  private wanted: ((received: Received) => void) | undefined

  override dial({ hostname, port }: { readonly hostname: string; readonly port: number }): Promise<Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    const socket = eagerSocket()
    let cause: Error | undefined
    socket.on("error", (error) => {
      cause = error
    })
    socket.on("close", () => reject(cause))
    socket.setNoDelay(true)
    socket.connect(port, hostname, () => {
      socket.removeAllListeners()
      resolve(socket)
    })
    return promise
  }

  override setupHandlers(): void {
    super.setupHandlers()
    this.socket.removeAllListeners("data")
    this.socket.on("data", (chunk) => {
      const { wanted } = this
      if (wanted === undefined) {
        this.yields.push(chunk)
        return
      }
      this.wanted = undefined
      wanted({ value: chunk, done: false })
    })
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return { next: this.next, [Symbol.asyncIterator]: () => this[Symbol.asyncIterator]() }
  }

  private readonly next = (): Promise<Received> =>
    new Promise((resolve) => {
      const chunk = this.yields.shift()
      if (chunk !== undefined) resolve({ value: chunk, done: false })
      else if (this.done) resolve({ value: undefined, done: true })
      else this.wanted = resolve
    })

  /** What cannot be written is noticed by the reader, or by a ping without an answer. */
  override send(frame: Uint8Array): void {
    if (!this.isClosed && this.socket !== undefined) this.socket.write(frame)
  }
}

/** The library's `connect` over such a transport. */
export const connect = (options: ConnectionOptions): Promise<NatsConnection> => {
  if (hasWsProtocol(options)) {
    return Promise.reject(errors.InvalidArgumentError.format("servers", "must not be those of WebSockets"))
  }
  setTransportFactory({ factory: () => new LeanTransport(), dnsResolveFn: nodeResolveHost })
  return NatsConnectionImpl.connect(options)
}
