import { Data, type Effect } from "effect"

/** What proves a server, and whom it trusts: as `node:tls` takes it. */
export interface TlsMaterial {
  /** PEM texts: the certificate chain and its key, or several such pairs, with different kinds of keys. */
  readonly cert?: string | ReadonlyArray<string> | undefined
  readonly key?: string | ReadonlyArray<string> | undefined
  /** Of the key. */
  readonly passphrase?: string | undefined
  /** PEM text: who may sign clients' certificates. */
  readonly ca?: string | undefined
  /** PEM text: which of these have been revoked. */
  readonly crl?: string | undefined
}

/** Certificates could not be read, or are not usable. */
export class TlsError extends Data.TaggedError("TlsError")<{ readonly message: string }> {}

/** Where certificates come from, if they may change while clients are served. */
export interface TlsSource {
  readonly read: Effect.Effect<TlsMaterial, TlsError>
  /** Is another text whenever `read` may give something else. */
  readonly stamp: Effect.Effect<string, TlsError>
  /** How often the stamp is looked at. */
  readonly everyMs: number
}

export interface FrontendTls extends TlsMaterial {
  /** Whether clients have to prove who they are: `need` turns away those without a certificate that `ca` has signed. */
  readonly clientAuth: "none" | "want" | "need"
  /** A client's certificate has to name its address, or a name that this address has; undefined: any name will do. */
  readonly verifyHost?: { readonly reverseDns: boolean } | undefined
  /** True: clients without TLS come in by the same port. */
  readonly unified?: boolean | undefined
  /** Read when the frontend starts, and again when it has changed; connections that are open stay as they are. */
  readonly source?: TlsSource | undefined
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3" | undefined
  /** OpenSSL's list, of suites of all versions. */
  readonly ciphers?: string | undefined
  /** Handshakes under way at once, beyond which new connections are closed; undefined: no limit. */
  readonly maxHandshakes?: number | undefined
  /** On a unified port: how long a client may take for its first byte. */
  readonly detectionTimeoutMs?: number | undefined
  /** The subject of a client's certificate that may do everything. */
  readonly superUser?: string | undefined
}
