import { connect, createServer, type Server, type Socket } from "node:net"

/** What a wire does to the bytes that pass: nothing, swallow those of one direction, or of both. */
export type Cut = "none" | "to" | "from" | "both"

/**
 * A TCP connection's wire that can be cut. Cut, it swallows what is sent and keeps the sockets open, as a network does that
 * loses packets: neither end is told.
 */
export class Wire {
  readonly port: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private cut: Cut = "none"

  private constructor(server: Server, port: number) {
    this.server = server
    this.port = port
  }

  /** A new wire to a port of this machine. */
  static open(to: number): Promise<Wire> {
    const server = createServer()
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(0, "127.0.0.1", () => {
        const wire = new Wire(server, (server.address() as { port: number }).port)
        server.on("connection", (socket) => wire.join(socket, to))
        resolve(wire)
      })
    })
  }

  private join(near: Socket, to: number): void {
    const far = connect({ port: to, host: "127.0.0.1", noDelay: true })
    near.setNoDelay(true)
    const ends = [near, far]
    for (const [from, other, direction] of [
      [near, far, "to"],
      [far, near, "from"]
    ] as const) {
      this.sockets.add(from)
      from.on("data", (bytes) => {
        if (this.cut !== "both" && this.cut !== direction) other.write(bytes)
      })
      // An end that fails or closes takes the other one along; across a cut nobody hears of it.
      from.on("error", () => undefined)
      from.on("close", () => {
        this.sockets.delete(from)
        if (this.cut === "none") for (const end of ends) end.destroy()
      })
    }
  }

  set(cut: Cut): void {
    const wasCut = this.cut !== "none"
    this.cut = cut
    // What was swallowed is gone, so the streams are broken: the ends find that out now and start again.
    if (wasCut && cut === "none") for (const socket of this.sockets) socket.destroy()
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
  }
}
