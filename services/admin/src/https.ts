/** HTTPS at a port for HTTP: alone, or beside it, told apart by the first byte. */
import type { Server } from "node:http"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { toIncomingMessage } from "@effect/platform-node/NodeHttpServerRequest"
import type { Identity } from "@zkmesh/messages"
import { certificateIds, Entrance, type FrontendTls, readCertificates, renewing } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type * as Scope from "effect/Scope"

const HANDSHAKE_MS = 10_000

/**
 * Has every connection of `server` go through TLS first, as `tls` says; its certificates are renewed while the scope is
 * open. What is unusable about them is the error's message.
 */
export const secured = (
  server: Server,
  tls: FrontendTls
): Effect.Effect<void, { readonly message: string }, Scope.Scope> =>
  Effect.gen(function* () {
    const certificates = (yield* readCertificates(tls))!
    const speakHttp = server.listeners("connection")
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const entrance = yield* Effect.try({
      try: () =>
        new Entrance(certificates.tls, HANDSHAKE_MS, {
          enter: (socket) => {
            for (const listener of speakHttp) Reflect.apply(listener, server, [socket])
          },
          refuse: (reason) => void fork(Effect.logWarning(`the admin server turned away a client: ${reason}`))
        }),
      catch: (cause) => ({ message: cause instanceof Error ? cause.message : String(cause) })
    })
    server.removeAllListeners("connection")
    server.on("connection", (socket: Socket) => {
      // A socket that fails has 'close' after 'error': there is nothing more to know from it.
      socket.on("error", () => {})
      entrance.take(socket)
    })
    yield* Effect.forkScoped(renewing(certificates, (material) => entrance.renew(material)))
  })

const socketOf = (request: HttpServerRequest): Socket => toIncomingMessage(request).socket as Socket

/** Whether nobody between can have read it. */
export const isSecure = (request: HttpServerRequest): boolean => socketOf(request) instanceof TLSSocket

/** Whom the certificate that a request has come by proves its sender to be. */
export const provedByCertificate = (request: HttpServerRequest, superUser: string | undefined): Identity =>
  certificateIds(socketOf(request), superUser)
