/** What a key store holds, whatever its form. */

export interface KeyEntry {
  readonly alias: string
  /** PKCS #8, DER. */
  readonly key: Uint8Array
  /** X.509, DER: the key's own certificate first, then whoever signed it. */
  readonly chain: ReadonlyArray<Uint8Array>
}

export interface KeyStore {
  readonly keys: ReadonlyArray<KeyEntry>
  /** X.509, DER. */
  readonly trusted: ReadonlyArray<Uint8Array>
}

/** A store cannot be read; the message says why, without the store's name. */
export class KeyStoreError extends Error {
  override readonly name = "KeyStoreError"
  /** True: the password is what is wrong, as far as can be told. */
  readonly isPassword: boolean

  constructor(message: string, isPassword = false) {
    super(message)
    this.isPassword = isPassword
  }
}

const LINE = 64

/** DER as PEM: what OpenSSL reads. */
export const pem = (label: "CERTIFICATE" | "PRIVATE KEY", der: Uint8Array): string => {
  const text = Buffer.from(der).toString("base64")
  const lines = [`-----BEGIN ${label}-----`]
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE))
  lines.push(`-----END ${label}-----`, "")
  return lines.join("\n")
}
