import { validatePath } from "@zkmesh/protocol"

export const DEFAULT_PORT = 2181

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface ConnectTarget {
  readonly servers: ReadonlyArray<Endpoint>
  /** "" or a path without a trailing slash. */
  readonly chroot: string
}

const parseServer = (text: string): Endpoint => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3])
  if (host === undefined || port < 1 || port > 65_535) throw new TypeError(`"${text}" is not host[:port]`)
  return { host, port }
}

/** `host:port,[v6]:port/chroot`; a port left out is 2181. A TypeError says what is wrong with it. */
export const parseConnectString = (text: string): ConnectTarget => {
  const slash = text.indexOf("/")
  const chroot = slash < 0 || slash === text.length - 1 ? "" : text.slice(slash)
  const problem = chroot === "" ? undefined : validatePath(chroot)
  if (problem !== undefined) throw new TypeError(`the chroot "${chroot}" is not a path: ${problem}`)
  return { servers: (slash < 0 ? text : text.slice(0, slash)).split(",").map(parseServer), chroot }
}

export const formatEndpoint = ({ host, port }: Endpoint): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** A client's paths are below its chroot on the server. */
export class Chroot {
  private readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  toServer(path: string): string {
    if (this.prefix === "") return path
    return path === "/" ? this.prefix : this.prefix + path
  }

  toClient(path: string): string {
    if (this.prefix === "") return path
    if (path === this.prefix) return "/"
    return path.startsWith(`${this.prefix}/`) ? path.slice(this.prefix.length) : path
  }
}
