/** Java's key stores and trust stores, JKS and PKCS #12, as PEM texts that OpenSSL takes. */
import { createPrivateKey } from "node:crypto"
import { isJks, readJks } from "./jks.ts"
import { type KeyStore, KeyStoreError, pem } from "./store.ts"
import { readPkcs12Aside } from "./thread.ts"

export { type KeyEntry, type KeyStore, KeyStoreError, pem } from "./store.ts"

/** JCEKS: as JKS, with ciphers of its own for keys. */
const JCEKS = 0xcececece

/**
 * Reads a store in either form, by its first bytes: like Java, which takes one for the other since keytool writes PKCS #12
 * whatever the file is called. Throws KeyStoreError.
 */
export const readKeyStore = async (bytes: Uint8Array, password: string): Promise<KeyStore> => {
  if (isJks(bytes)) return readJks(bytes, password)
  if (bytes.length > 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === JCEKS) {
    throw new KeyStoreError("it is a JCEKS store, which is not read here; keytool -importkeystore converts it")
  }
  return readPkcs12Aside({ bytes, password })
}

/** Certificate chains and their keys, pairwise, as `node:tls` takes them: the first of each kind of key that is there. */
export const identities = ({
  keys
}: KeyStore): { readonly cert: ReadonlyArray<string>; readonly key: ReadonlyArray<string> } => {
  const cert: Array<string> = []
  const key: Array<string> = []
  const kinds = new Set<string | undefined>()
  for (const entry of keys) {
    const own = createPrivateKey({ key: Buffer.from(entry.key), format: "der", type: "pkcs8" })
    if (kinds.has(own.asymmetricKeyType)) continue
    kinds.add(own.asymmetricKeyType)
    key.push(pem("PRIVATE KEY", entry.key))
    cert.push(entry.chain.map((one) => pem("CERTIFICATE", one)).join(""))
  }
  return { cert, key }
}

/** Whom a trust store trusts, as Java has it: its trusted certificates, and the own one of each key in it. */
export const anchors = ({ keys, trusted }: KeyStore): string =>
  [...trusted, ...keys.flatMap(({ chain }) => chain.slice(0, 1))].map((one) => pem("CERTIFICATE", one)).join("")
