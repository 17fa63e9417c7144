import { createHash, randomBytes } from "node:crypto"
import type { Identity } from "@zkmesh/messages"
import { type Id, JuteError, JuteReader, readAuthRequest } from "@zkmesh/protocol"
import type { Authentication } from "./options.ts"

/** `user:` and the base64 hash of `user:password`, as ACLs hold it. */
const digestId = (credentials: Uint8Array, algorithm: string): string => {
  const text = Buffer.from(credentials.buffer, credentials.byteOffset, credentials.length).toString("utf8")
  const hash = createHash(algorithm).update(text, "utf8").digest("base64")
  return `${text.split(":", 1)[0]}:${hash}`
}

/** The identity with these ids; the same object if it has them already. */
export const withIds = (identity: Identity, proved: ReadonlyArray<Id>): Identity => {
  const known = (one: Id) => identity.some((other) => other.scheme === one.scheme && other.id === one.id)
  const added = proved.filter((one) => !known(one))
  return added.length === 0 ? identity : [...identity, ...added]
}

/** An auth packet that is none: ZooKeeper hangs up without a word. */
export const MALFORMED = "malformed"

/**
 * Who the connection is after an auth packet (the body of the request); undefined if it proves nothing, which ends the
 * connection. The digest scheme always succeeds: it only adds an id.
 */
export const authenticate = (
  identity: Identity,
  options: Authentication,
  buffer: Uint8Array,
  start: number,
  end: number
): Identity | typeof MALFORMED | undefined => {
  let packet: ReturnType<typeof readAuthRequest>
  try {
    packet = readAuthRequest(new JuteReader(buffer, start, end))
  } catch (error) {
    if (error instanceof JuteError) return MALFORMED
    throw error
  }
  return prove(identity, options, packet.scheme ?? "", packet.auth)
}

/** What proves that a client is this process itself; nobody else can know it. */
let house: Buffer | undefined

/** For a client of this process's own, which may do everything: the auth of the digest scheme. */
export const houseCredentials = (): Uint8Array => {
  house ??= Buffer.from(`zkmesh:${randomBytes(32).toString("hex")}`)
  return house
}

/** The same for what has been taken apart already: the scheme, and what it wants to see. */
export const prove = (
  identity: Identity,
  { digest, superDigest }: Authentication,
  scheme: string,
  auth: Uint8Array | null
): Identity | undefined => {
  if (scheme === "ip") return identity
  // The certificate was seen when the connection came.
  if (scheme === "x509") return identity.some((one) => one.scheme === "x509") ? identity : undefined
  const isHouse = house !== undefined && scheme === "digest" && auth !== null && house.equals(auth)
  if (isHouse) return withIds(identity, [{ scheme: "super", id: "" }])
  if (scheme !== "digest" || !digest.isEnabled || auth === null) return undefined
  const id = digestId(auth, digest.algorithm)
  const proved: Array<Id> = [{ scheme: "digest", id }]
  if (id === superDigest) proved.push({ scheme: "super", id: "" })
  return withIds(identity, proved)
}
