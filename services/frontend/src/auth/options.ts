/** How clients prove who they are, beyond their certificates. */

/** Names and passwords for SASL's DIGEST-MD5. */
export interface SaslUsers {
  readonly passwords: ReadonlyMap<string, string>
  /** Users that may do everything. */
  readonly superUsers: ReadonlySet<string>
}

export interface Authentication {
  readonly digest: {
    /** False: the scheme is none of those that are known. */
    readonly isEnabled: boolean
    /** Node's name of the hash, such as sha1. */
    readonly algorithm: string
  }
  /** `super:<base64 hash of "super:password">`: who proves this may do everything. */
  readonly superDigest: string | undefined
  /** undefined: an exchange is answered with a null token, and proves nothing. */
  readonly sasl: SaslUsers | undefined
  /** Whether a connection whose SASL exchange has failed may go on, as nobody. */
  readonly allowsFailedSasl: boolean
  /** Requests are only taken from connections that have proved an id of one of these schemes; empty: from all. */
  readonly required: ReadonlyArray<string>
}

export const DEFAULT_AUTHENTICATION: Authentication = {
  digest: { isEnabled: true, algorithm: "sha1" },
  superDigest: undefined,
  sasl: undefined,
  allowsFailedSasl: false,
  required: []
}
