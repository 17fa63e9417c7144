import type tls from "node:tls"
import type { SaslOptions } from "./login.ts"
import type { ClientState, SessionCredentials } from "./session.ts"

export interface ZkClientOptions {
  /** What is asked for; the server has the last word. 30 s if left out. */
  readonly sessionTimeoutMs?: number
  /** Content with a server that is cut off from its quorum. */
  readonly readOnly?: boolean
  /** Speaks TLS with these options. */
  readonly tls?: tls.ConnectionOptions
  /** Proves to be this user by SASL (DIGEST-MD5), on every connection before anything else. */
  readonly sasl?: SaslOptions
  /** The longest reply that is accepted; 64 MiB if left out. */
  readonly maxResponseBytes?: number
  /** Goes on with a session that exists, instead of a new one. */
  readonly session?: SessionCredentials
  /** Servers are tried in the order given, instead of from a random one on. */
  readonly inOrder?: boolean
}

export interface ZkClientEvents {
  /** Each new state, after the fact. */
  readonly state: [ClientState]
  /** A connection, or the attempt at one, has ended for this reason. */
  readonly disconnect: [Error]
}
