import { createServer } from "node:net"
import { ConfigError } from "@zkmesh/config"
import * as Effect from "effect/Effect"

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Fails for the first endpoint that nobody could listen on now; `hint` says what to do about it. */
export const checkPorts = (endpoints: ReadonlyArray<Endpoint>, hint: string): Effect.Effect<void, ConfigError> =>
  Effect.forEach(endpoints, (endpoint) => tryListen(endpoint, hint), { discard: true })

const tryListen = ({ host, port }: Endpoint, hint: string): Effect.Effect<void, ConfigError> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) => {
      resume(Effect.fail(new ConfigError({ key: "", reason: `${refusal(error, host, port)}${hint}` })))
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resume(Effect.void)))
  })

const refusal = (error: NodeJS.ErrnoException, host: string, port: number): string => {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is in use`
    case "EACCES":
      return `port ${port} on ${host} may only be opened by root`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is no address of this machine`
    default:
      return `port ${port} on ${host} cannot be opened: ${error.message}`
  }
}
