/** The listening socket: plain, TLS, or both by one port. What comes through any of them is a client like any other. */
import { createServer, type Server, type Socket } from "node:net"
import {
  createSecureContext,
  createServer as createTlsServer,
  type TlsOptions,
  type Server as TlsServer
} from "node:tls"
import type { FrontendTls, TlsMaterial } from "./options.ts"

export interface DoorOptions {
  readonly tls: FrontendTls | undefined
  readonly handshakeTimeoutMs: number
  readonly keepAlive: boolean
}

export interface Visitors {
  /** Asked about every connection as it comes, before a byte of it has been read. */
  readonly admit: (socket: Socket) => boolean
  /** Gets every client, once its handshake is done. */
  readonly enter: (socket: Socket) => void
  /** Hears of those that did not get so far. */
  readonly refuse: (reason: string) => void
}

/** The first byte of a TLS record that begins a handshake; no frame and no four-letter word begins with it. */
const HANDSHAKE = 0x16
const DETECTION_MS = 5000
// Half-open: a client that has said its last word may still wait for the answer.
const HALF_OPEN = { allowHalfOpen: true }

export class Door {
  readonly server: Server
  private readonly options: DoorOptions
  private readonly visitors: Visitors
  private readonly secure: TlsServer | undefined
  private handshakes = 0
  private failures = 0
  private exceeded = 0

  constructor(options: DoorOptions, visitors: Visitors) {
    const { tls, keepAlive } = options
    this.options = options
    this.visitors = visitors
    this.secure = tls && this.makeSecure(tls)
    this.server = createServer({ noDelay: true, keepAlive, ...HALF_OPEN }, (socket) => {
      // A socket that fails has 'close' after 'error': there is nothing more to know from it.
      socket.on("error", () => {})
      if (!visitors.admit(socket)) socket.destroy()
      else if (this.secure === undefined) visitors.enter(socket)
      else if (tls?.unified === true) this.sniff(socket)
      else this.handshake(socket)
    })
  }

  /** Connections in their handshake; how many failed in it; how many were turned away because of too many others. */
  get handshakeCounts(): { readonly pending: number; readonly failed: number; readonly exceeded: number } {
    return { pending: this.handshakes, failed: this.failures, exceeded: this.exceeded }
  }

  /** Shows other certificates, and trusts others, from the next handshake on. Throws if they are not usable. */
  renew(material: TlsMaterial): void {
    const { tls } = this.options
    if (tls === undefined || this.secure === undefined) return
    const context = contextOf(tls, material)
    // This one throws before anything has changed.
    createSecureContext(context)
    this.secure.setSecureContext(context)
  }

  private makeSecure(tls: FrontendTls): TlsServer {
    const { clientAuth } = tls
    const { enter, refuse } = this.visitors
    const server = createTlsServer(
      {
        ...contextOf(tls, tls),
        ...HALF_OPEN,
        handshakeTimeout: this.options.handshakeTimeoutMs,
        requestCert: clientAuth !== "none",
        rejectUnauthorized: clientAuth === "need"
      },
      (socket) => {
        this.handshakes--
        socket.on("error", () => {})
        // Asked for but not needed: none at all is fine, a wrong one is not.
        if (clientAuth === "want" && socket.getPeerX509Certificate() !== undefined && !socket.authorized) {
          this.failures++
          refuse(`${socket.remoteAddress}: ${socket.authorizationError}`)
          socket.destroy()
        } else enter(socket)
      }
    )
    server.on("tlsClientError", (error, socket) => {
      this.handshakes--
      this.failures++
      refuse(`${socket.remoteAddress}: ${error.message}`)
      socket.destroy()
    })
    return server
  }

  private handshake(socket: Socket): void {
    const { maxHandshakes } = this.options.tls!
    if (maxHandshakes !== undefined && this.handshakes >= maxHandshakes) {
      this.exceeded++
      this.visitors.refuse(`${socket.remoteAddress}: ${this.handshakes} handshakes are under way`)
      socket.destroy()
      return
    }
    this.handshakes++
    this.secure!.emit("connection", socket)
  }

  /** By its first byte, what the client speaks. */
  private sniff(socket: Socket): void {
    const give = (): void => void socket.destroy()
    const timer = setTimeout(give, this.options.tls!.detectionTimeoutMs ?? DETECTION_MS)
    socket.once("end", give)
    socket.once("close", () => clearTimeout(timer))
    socket.once("data", (chunk: Buffer) => {
      clearTimeout(timer)
      socket.off("end", give)
      socket.pause()
      // Whoever reads next begins with it.
      socket.unshift(chunk)
      if (chunk[0] === HANDSHAKE) this.handshake(socket)
      else {
        this.visitors.enter(socket)
        socket.resume()
      }
    })
  }
}

const contextOf = (tls: FrontendTls, { cert, key, pfx, passphrase, ca, crl }: TlsMaterial): TlsOptions => ({
  ...(cert === undefined ? {} : { cert }),
  ...(key === undefined ? {} : { key }),
  ...(pfx === undefined ? {} : { pfx: Buffer.from(pfx) }),
  ...(passphrase === undefined ? {} : { passphrase }),
  ...(ca === undefined ? {} : { ca }),
  ...(crl === undefined ? {} : { crl }),
  ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers, honorCipherOrder: true }),
  minVersion: tls.minVersion ?? "TLSv1.2",
  ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion })
})
