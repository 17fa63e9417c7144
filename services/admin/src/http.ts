/** An HTTP server under a scope. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { FrontendTls } from "@zkmesh/service-frontend"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import { toHttpEffect } from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { secured } from "./https.ts"

/** The port could not be opened. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  message: Schema.String
}) {}

export interface HttpEndpoint {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** How long a connection without a request stays open, ms. */
  readonly idleTimeoutMs?: number | undefined
  /** HTTPS, alone or beside HTTP; undefined: HTTP alone. */
  readonly tls?: FrontendTls | undefined
}

/** Serves `routes` until the scope closes. Returns the port that it listens at. */
export const serveHttp = (
  { host, port, idleTimeoutMs, tls }: HttpEndpoint,
  routes: Layer.Layer<never, never, HttpRouter.HttpRouter>
): Effect.Effect<number, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const node = createServer({ keepAliveTimeout: idleTimeoutMs ?? 30_000 })
    if (tls !== undefined) {
      yield* Effect.mapError(secured(node, tls), ({ message }) => new ListenError({ message }))
    }
    const http = yield* NodeHttpServer.make(() => node, { host, port, disablePreemptiveShutdown: true }).pipe(
      Effect.mapError(({ cause }) => new ListenError({ message: refusal(cause, host, port) }))
    )
    // A client that keeps its connection open must not keep the process from ending.
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    const app = yield* toHttpEffect(routes)
    yield* http.serve(app)
    return (node.address() as AddressInfo).port
  })

const refusal = (cause: unknown, host: string, port: number): string => {
  const { code, message } = cause as NodeJS.ErrnoException
  return code === "EADDRINUSE" ? `port ${port} on ${host} is in use` : `port ${port} on ${host}: ${message}`
}

/** As ZooKeeper's server writes JSON: indented, so that a person can read it. */
export const json = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(`${JSON.stringify(body, undefined, 2)}\n`, { status, contentType: "application/json" })
