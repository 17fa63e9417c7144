/** The listening socket, plain or TLS: what comes through either is a client like any other. */
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, TLSSocket } from "node:tls"
import type { Id } from "@zkmesh/protocol"

export interface FrontendTls {
  /** PEM texts: the certificate chain and its key. */
  readonly cert: string
  readonly key: string
  /** PEM text: who may sign clients' certificates. */
  readonly ca?: string | undefined
  /** Whether clients have to prove who they are: `need` turns away those without a certificate that `ca` has signed. */
  readonly clientAuth: "none" | "want" | "need"
}

interface DoorOptions {
  readonly tls: FrontendTls | undefined
  readonly handshakeTimeoutMs: number
  readonly keepAlive: boolean
}

/** `enter` gets every client, once its handshake is done; `refuse` hears of those that did not get so far. */
export const makeDoor = (
  { tls, handshakeTimeoutMs, keepAlive }: DoorOptions,
  enter: (socket: Socket) => void,
  refuse: (reason: string) => void
): Server => {
  // Half-open: a client that has said its last word may still wait for the answer.
  const common = { noDelay: true, keepAlive, allowHalfOpen: true }
  if (tls === undefined) return createServer(common, enter)
  const { cert, key, ca, clientAuth } = tls
  const server = createTlsServer(
    {
      ...common,
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      minVersion: "TLSv1.2",
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: clientAuth !== "none",
      rejectUnauthorized: clientAuth === "need"
    },
    (socket) => {
      // Asked for but not needed: none at all is fine, a wrong one is not.
      if (clientAuth === "want" && socket.getPeerX509Certificate() !== undefined && !socket.authorized) {
        refuse(`${socket.remoteAddress}: ${socket.authorizationError}`)
        socket.destroy()
      } else enter(socket)
    }
  )
  server.on("tlsClientError", (error, socket) => {
    refuse(`${socket.remoteAddress}: ${error.message}`)
    socket.destroy()
  })
  return server
}

/**
 * A subject as RFC 2253 writes it, from what Node prints: one `key=value` per line, already escaped, the most general
 * first.
 */
const distinguishedName = (subject: string): string => subject.split("\n").reverse().join(",")

/** Whom a client's certificate proves it to be; undefined without one. */
export const certificateId = (socket: Socket): Id | undefined => {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? undefined : { scheme: "x509", id: distinguishedName(certificate.subject) }
}
