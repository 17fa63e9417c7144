/** Where connections stop first if proxies are trusted: those of a proxy begin with a header that says whose they are. */
import type { Socket } from "node:net"
import { plainAddress } from "../auth/address.ts"
import { type Origin, parseHeader } from "./header.ts"
import { Proxies } from "./Proxies.ts"

/** How long a proxy may take for its header; it sends it with the connection's first bytes. */
const HEADER_MS = 5000

export interface Guests {
  /** Gets each connection once it is known whose it is; nothing behind the header has been read. */
  readonly arrive: (socket: Socket) => void
  /** Hears of a proxy's connections that did not begin as they have to; they are closed. */
  readonly refuse: (reason: string) => void
  /** Hears of proxies' names that cannot be resolved. */
  readonly warn: (message: string) => void
}

export class Porch {
  private readonly proxies: Proxies
  private readonly guests: Guests
  /** By the connection's own ends; TLS or not, these stay what they are. */
  private readonly origins = new Map<string, Origin>()

  constructor(trusted: ReadonlyArray<string>, guests: Guests) {
    this.proxies = new Proxies(trusted, guests.warn)
    this.guests = guests
  }

  /** A connection that nothing has been read from. */
  take(socket: Socket): void {
    this.proxies.ask(plainAddress(socket.remoteAddress), (isProxy) => {
      if (socket.destroyed) return
      if (isProxy) this.read(socket)
      else this.guests.arrive(socket)
    })
  }

  /** Where a connection really comes from; undefined: from where its socket says. */
  originOf(socket: Socket): Origin | undefined {
    return this.origins.get(keyOf(socket))
  }

  private read(socket: Socket): void {
    const from = `${plainAddress(socket.remoteAddress)}:${socket.remotePort}`
    let read: Buffer = Buffer.alloc(0)
    const refuse = (reason: string): void => {
      leave()
      socket.destroy()
      this.guests.refuse(`${from}: ${reason}`)
    }
    const take = (chunk: Buffer): void => {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk])
      const parsed = parseHeader(read)
      if (parsed._tag === "Malformed") refuse(parsed.reason)
      else if (parsed._tag === "Header") {
        leave()
        this.known(socket, parsed.origin, read.subarray(parsed.size))
      }
    }
    const end = (): void => refuse("it ends within its PROXY header")
    const timer = setTimeout(() => refuse(`no PROXY header within ${HEADER_MS} ms`), HEADER_MS)
    const leave = (): void => {
      clearTimeout(timer)
      socket.off("data", take).off("end", end).off("close", leave)
    }
    socket.on("data", take).once("end", end).once("close", leave)
  }

  /** Whoever reads next begins behind the header. */
  private known(socket: Socket, origin: Origin | undefined, rest: Buffer): void {
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    if (origin !== undefined) {
      const key = keyOf(socket)
      this.origins.set(key, { ...origin, address: plainAddress(origin.address) })
      socket.once("close", () => this.origins.delete(key))
    }
    this.guests.arrive(socket)
  }
}

const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`
