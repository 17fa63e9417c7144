/**
 * Java's own key store, as `sun.security.provider.JavaKeyStore` writes it: big-endian, a list of entries, and at the end a
 * SHA-1 of it all that only who knows the password can make.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { type KeyEntry, type KeyStore, KeyStoreError } from "./store.ts"

const MAGIC = 0xfeedfeed
const KEY = 1
const TRUSTED = 2
const DIGEST_BYTES = 20
/** What Java mixes into the digest, so that it is not a mere SHA-1 of the password and the store. */
const WHITENER = "Mighty Aphrodite"
/** 1.3.6.1.4.1.42.2.17.1.1: keys are protected by Sun's own way, not by one of PKCS #5. */
const SUN_PROTECTION = "2b060104012a02110101"

export const isJks = (bytes: Uint8Array): boolean => bytes.length > 4 && viewOf(bytes).getUint32(0) === MAGIC

/** Throws KeyStoreError unless the store is whole and `password` is its password, and that of its keys. */
export const readJks = (bytes: Uint8Array, password: string): KeyStore => {
  const body = bytes.subarray(0, bytes.length - DIGEST_BYTES)
  const secret = utf16(password)
  const expected = sha1(secret, Buffer.from(WHITENER, "utf8"), body)
  if (bytes.length < 12 + DIGEST_BYTES || !timingSafeEqual(expected, bytes.subarray(-DIGEST_BYTES))) {
    throw new KeyStoreError("the password is wrong, or the file is damaged", true)
  }
  const reader = new Reader(body)
  reader.int()
  const version = reader.int()
  if (version !== 1 && version !== 2) throw new KeyStoreError(`version ${version} of JKS is not known`)
  const keys: Array<KeyEntry> = []
  const trusted: Array<Uint8Array> = []
  for (let left = reader.int(); left > 0; left--) {
    const tag = reader.int()
    const alias = reader.text()
    reader.skip(8) // When it was made.
    if (tag === TRUSTED) trusted.push(certificate(reader, version))
    else if (tag === KEY) {
      const sealed = reader.bytes(reader.int())
      const chain = Array.from({ length: reader.int() }, () => certificate(reader, version))
      keys.push({ alias, key: unseal(sealed, secret, alias), chain })
    } else throw new KeyStoreError(`its entry ${alias} is of an unknown kind, ${tag}`)
  }
  return { keys, trusted }
}

/** Since version 2 a certificate's type is written before it. */
const certificate = (reader: Reader, version: number): Uint8Array => {
  const type = version === 1 ? "X.509" : reader.text()
  if (type !== "X.509") throw new KeyStoreError(`it holds a certificate of type ${type}: X.509 is read`)
  return reader.bytes(reader.int())
}

/**
 * EncryptedPrivateKeyInfo → the key in it. What is encrypted is `salt, key xor stream, SHA-1(password, key)`; a block of the
 * stream is the SHA-1 of the password and the block before, the first one that of the password and the salt.
 */
const unseal = (sealed: Uint8Array, secret: Uint8Array, alias: string): Uint8Array => {
  const info = element(sealed, 0)
  const algorithm = element(sealed, info.from)
  const protection = element(sealed, algorithm.from)
  if (Buffer.from(sealed.subarray(protection.from, protection.to)).toString("hex") !== SUN_PROTECTION) {
    throw new KeyStoreError(`the key ${alias} is protected in an unknown way`)
  }
  const { from, to } = element(sealed, algorithm.to)
  const data = sealed.subarray(from, to)
  const key = new Uint8Array(Math.max(0, data.length - 2 * DIGEST_BYTES))
  let block: Uint8Array = data.subarray(0, DIGEST_BYTES)
  for (let at = 0; at < key.length; at++) {
    if (at % DIGEST_BYTES === 0) block = sha1(secret, block)
    key[at] = data[DIGEST_BYTES + at]! ^ block[at % DIGEST_BYTES]!
  }
  const check = data.subarray(DIGEST_BYTES + key.length)
  if (check.length !== DIGEST_BYTES || !timingSafeEqual(sha1(secret, key), check)) {
    throw new KeyStoreError(`the key ${alias} has another password than the store`, true)
  }
  return key
}

/** Where the content of the DER element at `at` begins and ends. */
const element = (der: Uint8Array, at: number): { readonly from: number; readonly to: number } => {
  const short = der[at + 1] ?? 0
  const count = short & 0x7f
  let length = short
  let from = at + 2
  if (short > 0x7f) {
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + (der[from + i] ?? 0)
    from += count
  }
  if (from + length > der.length) throw new KeyStoreError("a key in it is cut short")
  return { from, to: from + length }
}

class Reader {
  private readonly data: Uint8Array
  private readonly view: DataView
  private at = 0

  constructor(data: Uint8Array) {
    this.data = data
    this.view = viewOf(data)
  }

  int(): number {
    return this.view.getUint32(this.take(4))
  }

  /** Java's UTF: its length in bytes, then UTF-8 (an alias with characters beyond U+FFFF looks odd, and is only shown). */
  text(): string {
    return Buffer.from(this.bytes(this.view.getUint16(this.take(2)))).toString("utf8")
  }

  bytes(length: number): Uint8Array {
    const from = this.take(length)
    return this.data.subarray(from, from + length)
  }

  skip(length: number): void {
    this.take(length)
  }

  private take(length: number): number {
    const from = this.at
    if (from + length > this.data.length) throw new KeyStoreError("it is cut short")
    this.at = from + length
    return from
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A Java char is two bytes, the high one first. */
const utf16 = (text: string): Uint8Array => Buffer.from(text, "utf16le").swap16()

const sha1 = (...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const hash = createHash("sha1")
  for (const part of parts) hash.update(part)
  return hash.digest()
}
