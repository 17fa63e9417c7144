import type { Sid } from "@zkmesh/numbers"
import { Data } from "effect"
import { type Authentication, DEFAULT_AUTHENTICATION } from "./auth/options.ts"
import { DEFAULT_LIMITS, type Limits } from "./limits/options.ts"
import type { Own } from "./OwnPort.ts"
import type { Preference } from "./Peers.ts"
import type { FrontendTls } from "./tls/options.ts"

/** The client port could not be opened. */
export class FrontendError extends Data.TaggedError("FrontendError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface FrontendOptions extends Partial<Limits> {
  /** Unique among the frontends of the ensemble. */
  readonly name: string
  /** The peers to attach clients to: the first that serves. */
  readonly peers: ReadonlyArray<Sid>
  /** Who is preferred when the ensemble changes; without it, clients are sent to `peers` whatever becomes of them. */
  readonly preference?: Preference | undefined
  /** The server whose own port this is, which moves as the server's line says; undefined: it stays. */
  readonly own?: Own | undefined
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** The longest frame that a client may send (jute.maxbuffer). */
  readonly maxFrameBytes: number
  readonly fourLetterWords: "*" | ReadonlyArray<string>
  readonly authentication?: Authentication | undefined
  /** TLS for every client of this port; without it, none. A client's certificate adds an `x509` id. */
  readonly tls?: FrontendTls | undefined
  /** Proxies whose connections begin with a PROXY header (v1 or v2) that says whose they are: addresses, networks, names. */
  readonly proxies?: ReadonlyArray<string> | undefined
  /** What `conf` prints, in this order. */
  readonly configuration?: ReadonlyArray<readonly [key: string, value: string | number]> | undefined
  /** How long a connection may take to get its session. */
  readonly sessionlessTimeoutMs?: number | undefined
  /** Connections waiting to be accepted. */
  readonly backlog?: number | undefined
  /** Whether the system probes connections on which nothing comes. */
  readonly tcpKeepAlive?: boolean | undefined
  /** Silence after which the link to a peer's session service counts as broken. */
  readonly linkLimitMs?: number | undefined
}

type Optional = Exclude<keyof FrontendOptions, "name" | "peers" | "host" | "port" | "maxFrameBytes" | "fourLetterWords">
const DEFAULTS = {
  ...DEFAULT_LIMITS,
  authentication: DEFAULT_AUTHENTICATION,
  preference: undefined,
  own: undefined,
  tls: undefined,
  proxies: [],
  configuration: [],
  sessionlessTimeoutMs: 10_000,
  backlog: 511,
  tcpKeepAlive: false,
  linkLimitMs: 10_000
}
export type Settings = Omit<FrontendOptions, Optional> &
  Omit<typeof DEFAULTS, "preference" | "own" | "tls" | "proxies" | "configuration"> & {
    readonly preference: Preference | undefined
    readonly own: Own | undefined
    readonly tls: FrontendTls | undefined
    readonly proxies: ReadonlyArray<string>
    readonly configuration: NonNullable<FrontendOptions["configuration"]>
  }

/** The options with what was left out filled in. */
export const settingsOf = (options: FrontendOptions): Settings => {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...DEFAULTS, ...(Object.fromEntries(given) as unknown as FrontendOptions) } as Settings
}
