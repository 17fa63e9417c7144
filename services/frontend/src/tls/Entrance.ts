/** What a new connection goes through before it is a client: it speaks TLS, or on a unified port may do without. */
import type { Socket } from "node:net"
import { createSecureContext, createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls"
import { isNamedBy } from "./hostnames.ts"
import type { FrontendTls, TlsMaterial } from "./options.ts"

export interface Arrivals {
  /** Gets every client, once its handshake is done. */
  readonly enter: (socket: Socket) => void
  /** Hears of those that did not get so far. */
  readonly refuse: (reason: string) => void
  /** Where it comes from, if that is not what its socket says. */
  readonly addressOf?: (socket: Socket) => string
}

/** The first byte of a TLS record that begins a handshake; no frame and no four-letter word begins with it. */
const HANDSHAKE = 0x16
const DETECTION_MS = 5000

export class Entrance {
  private readonly tls: FrontendTls
  private readonly arrivals: Arrivals
  private readonly secure: TlsServer
  private handshakes = 0
  private failures = 0
  private exceeded = 0

  /** Throws if the certificates are not usable. */
  constructor(tls: FrontendTls, handshakeTimeoutMs: number, arrivals: Arrivals) {
    this.tls = tls
    this.arrivals = arrivals
    this.secure = this.makeSecure(handshakeTimeoutMs)
  }

  /** A connection of which nothing has been read, or nothing that is still there to be read. */
  take(socket: Socket): void {
    if (this.tls.unified !== true) this.handshake(socket)
    else {
      this.sniff(socket)
      if (socket.isPaused()) socket.resume()
    }
  }

  /** Connections in their handshake; how many failed in it; how many were turned away because of too many others. */
  get handshakeCounts(): { readonly pending: number; readonly failed: number; readonly exceeded: number } {
    return { pending: this.handshakes, failed: this.failures, exceeded: this.exceeded }
  }

  /** Shows other certificates, and trusts others, from the next handshake on. Throws if they are not usable. */
  renew(material: TlsMaterial): void {
    const context = contextOf(this.tls, material)
    // This one throws before anything has changed.
    createSecureContext(context)
    this.secure.setSecureContext(context)
  }

  private makeSecure(handshakeTimeout: number): TlsServer {
    const { tls } = this
    const server = createServer(
      {
        ...contextOf(tls, tls),
        handshakeTimeout,
        requestCert: tls.clientAuth !== "none",
        rejectUnauthorized: tls.clientAuth === "need"
      },
      (socket) => this.shaken(socket)
    )
    server.on("tlsClientError", (error, socket) => {
      this.handshakes--
      this.fail(socket, error.message)
    })
    return server
  }

  /** Its handshake is done; whether it has proved enough is still to be seen. */
  private shaken(socket: TLSSocket): void {
    const { clientAuth, verifyHost } = this.tls
    this.handshakes--
    // A client that has said its last word may still wait for the answer.
    socket.allowHalfOpen = true
    socket.on("error", () => {})
    const certificate = socket.getPeerX509Certificate()
    // Asked for but not needed: none at all is fine, a wrong one is not.
    if (clientAuth === "want" && certificate !== undefined && !socket.authorized) {
      this.fail(socket, String(socket.authorizationError))
    } else if (verifyHost === undefined || certificate === undefined) this.arrivals.enter(socket)
    else {
      isNamedBy(certificate, this.addressOf(socket), verifyHost.reverseDns).then((isNamed) => {
        if (isNamed) this.arrivals.enter(socket)
        else this.fail(socket, "its certificate names another host")
      })
    }
  }

  private addressOf(socket: Socket): string {
    return this.arrivals.addressOf?.(socket) ?? socket.remoteAddress ?? ""
  }

  private fail(socket: Socket, reason: string): void {
    this.failures++
    this.arrivals.refuse(`${this.addressOf(socket)}: ${reason}`)
    socket.destroy()
  }

  private handshake(socket: Socket): void {
    const { maxHandshakes } = this.tls
    if (maxHandshakes !== undefined && this.handshakes >= maxHandshakes) {
      this.exceeded++
      this.arrivals.refuse(`${this.addressOf(socket)}: ${this.handshakes} handshakes are under way`)
      socket.destroy()
      return
    }
    this.handshakes++
    // Who hangs up in the middle of it has gone.
    socket.allowHalfOpen = false
    this.secure.emit("connection", socket)
  }

  /** By its first byte, what the client speaks. */
  private sniff(socket: Socket): void {
    const give = (): void => void socket.destroy()
    const timer = setTimeout(give, this.tls.detectionTimeoutMs ?? DETECTION_MS)
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
        this.arrivals.enter(socket)
        socket.resume()
      }
    })
  }
}

const contextOf = (tls: FrontendTls, { cert, key, passphrase, ca, crl }: TlsMaterial): TlsOptions => ({
  ...(cert === undefined ? {} : { cert: listed(cert) }),
  ...(key === undefined ? {} : { key: listed(key) }),
  ...(passphrase === undefined ? {} : { passphrase }),
  ...(ca === undefined ? {} : { ca }),
  ...(crl === undefined ? {} : { crl }),
  ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers, honorCipherOrder: true }),
  minVersion: tls.minVersion ?? "TLSv1.2",
  ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion })
})

const listed = (texts: string | ReadonlyArray<string>): string | Array<string> =>
  typeof texts === "string" ? texts : [...texts]
