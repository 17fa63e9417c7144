/** The listening socket: plain, TLS, or both by one port. What comes through any of them is a client like any other. */
import { createServer, type Server, type Socket } from "node:net"
import { plainAddress } from "../auth/address.ts"
import type { Origin } from "../proxied/header.ts"
import { Porch } from "../proxied/Porch.ts"
import { type Arrivals, Entrance } from "./Entrance.ts"
import type { FrontendTls, TlsMaterial } from "./options.ts"

export interface DoorOptions {
  readonly tls: FrontendTls | undefined
  readonly handshakeTimeoutMs: number
  readonly keepAlive: boolean
  /** Whose connections begin with a PROXY header: addresses, networks, names. */
  readonly proxies: ReadonlyArray<string>
}

export interface Visitors extends Arrivals {
  /** Asked about every connection as it comes, before a byte of it but a proxy's header has been read. */
  readonly admit: (socket: Socket) => boolean
  /** Hears of proxies whose connections do not begin as they have to. */
  readonly refuseProxy: (reason: string) => void
  readonly warn: (message: string) => void
}

const NO_HANDSHAKES = { pending: 0, failed: 0, exceeded: 0 }

export interface Place {
  readonly host: string
  readonly port: number
  readonly backlog: number
}

export class Door {
  /** Another one after a move. */
  server: Server
  private readonly keepAlive: boolean
  private readonly entrance: Entrance | undefined
  private readonly porch: Porch | undefined
  private readonly visitors: Visitors

  constructor({ tls, handshakeTimeoutMs, keepAlive, proxies }: DoorOptions, visitors: Visitors) {
    this.visitors = visitors
    this.keepAlive = keepAlive
    const addressOf = (socket: Socket) => this.originOf(socket).address
    this.entrance = tls && new Entrance(tls, handshakeTimeoutMs, { ...visitors, addressOf })
    const guests = {
      arrive: (socket: Socket) => this.arrive(socket),
      refuse: visitors.refuseProxy,
      warn: visitors.warn
    }
    this.porch = proxies.length === 0 ? undefined : new Porch(proxies, guests)
    this.server = this.makeServer()
  }

  private makeServer(): Server {
    // Half-open: a client that has said its last word may still wait for the answer.
    return createServer({ noDelay: true, keepAlive: this.keepAlive, allowHalfOpen: true }, (socket) => {
      // A socket that fails has 'close' after 'error': there is nothing more to know from it.
      socket.on("error", () => {})
      if (this.porch === undefined) this.arrive(socket)
      else this.porch.take(socket)
    })
  }

  /** Listens elsewhere, and where it did no more; those who have come in stay. Rejects, and stays, if it cannot. */
  move(place: Place): Promise<void> {
    const next = this.makeServer()
    return new Promise((resolve, reject) => {
      next.once("error", reject)
      next.listen(place, () => {
        next.off("error", reject)
        this.server.close()
        this.server = next
        resolve()
      })
    })
  }

  private arrive(socket: Socket): void {
    if (!this.visitors.admit(socket)) socket.destroy()
    else if (this.entrance !== undefined) this.entrance.take(socket)
    else {
      this.visitors.enter(socket)
      // Who has read a header from it has paused it.
      if (socket.isPaused()) socket.resume()
    }
  }

  /** Where a client comes from: as a proxy that is trusted says, else as its socket does. */
  originOf(socket: Socket): Origin {
    const own = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 }
    return this.porch?.originOf(socket) ?? own
  }

  /** Connections in their handshake; how many failed in it; how many were turned away because of too many others. */
  get handshakeCounts(): { readonly pending: number; readonly failed: number; readonly exceeded: number } {
    return this.entrance?.handshakeCounts ?? NO_HANDSHAKES
  }

  /** Shows other certificates, and trusts others, from the next handshake on. Throws if they are not usable. */
  renew(material: TlsMaterial): void {
    this.entrance?.renew(material)
  }
}
