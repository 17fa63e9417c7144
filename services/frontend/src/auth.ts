import { createHash } from "node:crypto"
import type { Identity } from "@zkmesh/messages"
import { type Id, JuteError, JuteReader, readAuthRequest } from "@zkmesh/protocol"

/** An IPv4 address that came by an IPv6 socket is still an IPv4 address. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? "" : address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address

/** `user:` and the base64 SHA-1 of `user:password`, as ACLs hold it. */
const digestId = (credentials: Uint8Array): string => {
  const text = Buffer.from(credentials.buffer, credentials.byteOffset, credentials.length).toString("utf8")
  const hash = createHash("sha1").update(text, "utf8").digest("base64")
  return `${text.split(":", 1)[0]}:${hash}`
}

/**
 * Who the connection is after an auth packet (the body of the request); undefined if it proves nothing, which ends the
 * connection. The digest scheme always succeeds: it only adds an id.
 */
export const authenticate = (
  identity: Identity,
  superDigest: string | undefined,
  buffer: Uint8Array,
  start: number,
  end: number
): Identity | undefined => {
  let packet: ReturnType<typeof readAuthRequest>
  try {
    packet = readAuthRequest(new JuteReader(buffer, start, end))
  } catch (error) {
    if (error instanceof JuteError) return undefined
    throw error
  }
  if (packet.scheme === "ip") return identity
  if (packet.scheme !== "digest" || packet.auth === null) return undefined
  const id = digestId(packet.auth)
  const proved: Array<Id> = [{ scheme: "digest", id }]
  if (id === superDigest) proved.push({ scheme: "super", id: "" })
  const known = (one: Id) => identity.some((other) => other.scheme === one.scheme && other.id === one.id)
  const added = proved.filter((one) => !known(one))
  return added.length === 0 ? identity : [...identity, ...added]
}
