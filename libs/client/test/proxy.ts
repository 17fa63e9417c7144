import { once } from "node:events"
import net from "node:net"

/** A TCP proxy in front of a server: the network that can fail. */
export interface NetworkProxy {
  readonly address: string
  /** Connections that it holds. */
  readonly size: () => number
  /** Breaks every connection there is; new ones are welcome. */
  readonly cut: () => void
  /** From now on no byte passes, in either direction, and nobody is told. */
  readonly freeze: () => void
  /** Takes no new connections, or takes them again. */
  readonly refuse: (refused: boolean) => void
  readonly close: () => Promise<void>
}

export const startProxy = async (target: string): Promise<NetworkProxy> => {
  const [host, port] = target.split(":")
  const sockets = new Set<net.Socket>()
  let refused = false
  const keep = (socket: net.Socket): void => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    // The other half learns of it by its own close.
    socket.on("error", () => socket.destroy())
  }
  const server = net.createServer((client) => {
    if (refused) {
      client.resetAndDestroy()
      return
    }
    const upstream = net.connect({ host: host!, port: Number(port), noDelay: true })
    client.setNoDelay(true)
    keep(client)
    keep(upstream)
    client.pipe(upstream)
    upstream.pipe(client)
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => client.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    size: () => sockets.size / 2,
    cut,
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    refuse: (value) => {
      refused = value
    },
    close: async () => {
      cut()
      server.close()
      await once(server, "close")
    }
  }
}
