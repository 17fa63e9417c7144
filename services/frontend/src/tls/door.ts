/** The listening socket: plain, TLS, or both by one port. What comes through any of them is a client like any other. */
import { createServer, type Server, type Socket } from "node:net"
import { type Arrivals, Entrance } from "./Entrance.ts"
import type { FrontendTls, TlsMaterial } from "./options.ts"

export interface DoorOptions {
  readonly tls: FrontendTls | undefined
  readonly handshakeTimeoutMs: number
  readonly keepAlive: boolean
}

export interface Visitors extends Arrivals {
  /** Asked about every connection as it comes, before a byte of it has been read. */
  readonly admit: (socket: Socket) => boolean
}

const NO_HANDSHAKES = { pending: 0, failed: 0, exceeded: 0 }

export class Door {
  readonly server: Server
  private readonly entrance: Entrance | undefined

  constructor({ tls, handshakeTimeoutMs, keepAlive }: DoorOptions, visitors: Visitors) {
    this.entrance = tls && new Entrance(tls, handshakeTimeoutMs, visitors)
    // Half-open: a client that has said its last word may still wait for the answer.
    this.server = createServer({ noDelay: true, keepAlive, allowHalfOpen: true }, (socket) => {
      // A socket that fails has 'close' after 'error': there is nothing more to know from it.
      socket.on("error", () => {})
      if (!visitors.admit(socket)) socket.destroy()
      else if (this.entrance === undefined) visitors.enter(socket)
      else this.entrance.take(socket)
    })
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
