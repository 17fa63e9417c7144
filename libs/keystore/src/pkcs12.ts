/**
 * PKCS #12, with the ciphers that keytool and openssl have used over the years. OpenSSL alone would not do: it refuses those
 * of old stores, and what Java calls a trusted certificate means nothing to it.
 */
import { X509Certificate } from "node:crypto"
import forge from "node-forge"
import { type KeyEntry, type KeyStore, KeyStoreError } from "./store.ts"

/** Java's mark on a certificate that is trusted, and not merely part of a key's chain. */
const TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
// Attributes whose names are not known are dropped when a bag is read.
forge.pki.oids[TRUSTED_KEY_USAGE] = "trustedKeyUsage"

interface Attributes {
  readonly friendlyName?: ReadonlyArray<string>
  readonly localKeyId?: ReadonlyArray<string>
  readonly trustedKeyUsage?: ReadonlyArray<string>
}

/** Throws KeyStoreError. A store without a password has no MAC and nothing encrypted in it. */
export const readPkcs12 = (bytes: Uint8Array, password: string): KeyStore => {
  try {
    return entries(open(bytes, password))
  } catch (error) {
    if (error instanceof KeyStoreError) throw error
    throw new KeyStoreError(`an entry in it cannot be read: ${messageOf(error)}`)
  }
}

const entries = ({ safeContents }: forge.pkcs12.Pkcs12Pfx): KeyStore => {
  const bags = safeContents.flatMap((safe) => safe.safeBags)
  const certificates = bags.filter((bag) => bag.type === forge.pki.oids["certBag"]).map(certificateOf)
  const keys: Array<KeyEntry> = []
  for (const bag of bags) {
    const key = keyOf(bag)
    if (key === undefined) continue
    const { friendlyName, localKeyId } = bag.attributes as Attributes
    const own = certificates.find((one) => localKeyId !== undefined && one.localKeyId === localKeyId[0])
    if (own !== undefined) keys.push({ alias: friendlyName?.[0] ?? "", key, chain: chainFrom(own, certificates) })
  }
  const marked = certificates.filter((one) => one.isTrusted)
  // What openssl has written has no marks; without a key such a file can only be meant to be trusted.
  const trusted = marked.length === 0 && keys.length === 0 ? certificates : marked
  return { keys, trusted: trusted.map(({ der }) => der) }
}

const open = (bytes: Uint8Array, password: string): forge.pkcs12.Pkcs12Pfx => {
  let content: forge.asn1.Asn1
  try {
    content = forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(bytes).toString("latin1")))
  } catch (error) {
    throw new KeyStoreError(`it is neither JKS nor PKCS #12 (${messageOf(error)})`)
  }
  try {
    return forge.pkcs12.pkcs12FromAsn1(content, false, password)
  } catch (error) {
    const message = messageOf(error)
    const isPassword = /password\?/i.test(message)
    throw new KeyStoreError(isPassword ? "the password is wrong, or the file is damaged" : message, isPassword)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Certificate {
  readonly der: Uint8Array
  readonly x509: X509Certificate
  readonly localKeyId: string | undefined
  readonly isTrusted: boolean
}

const certificateOf = (bag: forge.pkcs12.Bag): Certificate => {
  // Those with other than RSA keys are left as they are by the library.
  const der = derOf(bag.cert ? forge.pki.certificateToAsn1(bag.cert) : bag.asn1)
  const { localKeyId, trustedKeyUsage } = bag.attributes as Attributes
  return { der, x509: new X509Certificate(der), localKeyId: localKeyId?.[0], isTrusted: trustedKeyUsage !== undefined }
}

const keyOf = (bag: forge.pkcs12.Bag): Uint8Array | undefined => {
  const { keyBag, pkcs8ShroudedKeyBag } = forge.pki.oids
  if (bag.type !== keyBag && bag.type !== pkcs8ShroudedKeyBag) return undefined
  if (!bag.key) return derOf(bag.asn1)
  return derOf(forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(bag.key)))
}

/** The bags are not in order: a chain is found by who has signed whom. */
const chainFrom = (own: Certificate, all: ReadonlyArray<Certificate>): ReadonlyArray<Uint8Array> => {
  const chain = [own]
  for (let last = own; !last.x509.checkIssued(last.x509); ) {
    const issuer = all.find((one) => !chain.includes(one) && last.x509.checkIssued(one.x509))
    if (issuer === undefined) break
    chain.push(issuer)
    last = issuer
  }
  return chain.map(({ der }) => der)
}

const derOf = (asn1: forge.asn1.Asn1): Uint8Array => Buffer.from(forge.asn1.toDer(asn1).getBytes(), "latin1")
