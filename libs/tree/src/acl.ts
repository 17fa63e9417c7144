/** Access control: who may do what to a znode, and which lists of rules a client may give one. */
import type { Identity } from "@zkmesh/messages"
import { type Acl, ErrorCode, JuteWriter, Perms, type RequestedAcl, writeAcls } from "@zkmesh/protocol"
import { ipMatches, parseIpRange } from "./ip.ts"

export type AclList = ReadonlyArray<Acl>

/** What nearly every znode has: everything is open to everyone. */
export const OPEN_ACL: AclList = [{ perms: Perms.ALL, id: { scheme: "world", id: "anyone" } }]
export const READ_ONLY_ACL: AclList = [{ perms: Perms.READ, id: { scheme: "world", id: "anyone" } }]

/** True if the list says what the open one does. */
const saysOpen = (list: AclList): boolean => {
  const [only] = list
  if (list.length !== 1 || only === undefined) return false
  return only.perms === Perms.ALL && only.id.scheme === "world" && only.id.id === "anyone"
}

/** A list as a jute vector. */
export const encodeAcl = (acl: AclList): Uint8Array => {
  const writer = new JuteWriter(64)
  writeAcls(writer, acl)
  return writer.take()
}

export const OPEN_ACL_BYTES = encodeAcl(OPEN_ACL)

const idMatches = (scheme: string, proved: string, wanted: string): boolean =>
  scheme === "ip" ? ipMatches(proved, wanted) : proved === wanted

/** True if `identity` has any of the permissions in the mask `wanted`. An empty list allows all, as in ZooKeeper. */
export const isAllowed = (acl: AclList, wanted: number, identity: Identity): boolean => {
  if (acl === OPEN_ACL || acl.length === 0) return true
  for (const id of identity) if (id.scheme === "super") return true
  for (const { perms, id } of acl) {
    if ((perms & wanted) === 0) continue
    if (id.scheme === "world" && id.id === "anyone") return true
    for (const proved of identity) {
      if (proved.scheme === id.scheme && idMatches(id.scheme, proved.id, id.id)) return true
    }
  }
  return false
}

/** `user:hash`: two parts once trailing empty ones are dropped. */
const isDigestId = (id: string): boolean => {
  const parts = id.split(":")
  while (parts.length > 0 && parts[parts.length - 1] === "") parts.pop()
  return parts.length === 2
}

/** `primary[/host]@realm`, or anything without an `@`. */
const isSaslId = (id: string): boolean => {
  const parts = id.split("@")
  if (parts.length === 1) return id !== ""
  return parts.length === 2 && parts[0] !== "" && parts[1] !== "" && parts[0]!.split("/").length <= 2
}

/** A distinguished name, in outline: `key=value` pairs. */
const isDistinguishedName = (id: string): boolean => /^\s*[A-Za-z0-9.]+\s*=/.test(id)

/** The schemes of which it is up to the configuration whether there are any. */
export type OptionalScheme = "x509" | "sasl"

const isValidId = (scheme: string, id: string): boolean => {
  switch (scheme) {
    case "world":
      return id === "anyone"
    case "ip":
      return parseIpRange(id) !== undefined
    case "digest":
      return isDigestId(id)
    case "sasl":
      return isSaslId(id)
    case "x509":
      return isDistinguishedName(id)
    default:
      return false
  }
}

/** An ip is where somebody is and super what somebody may: neither is who somebody is. */
const authenticates = (scheme: string): boolean => scheme !== "ip" && scheme !== "super"

/** Null where its scheme would look at it: an exception in ZooKeeper, which is malformed to it. */
const isMalformed = ({ scheme, id }: RequestedAcl["id"], absent: ReadonlySet<string>): boolean =>
  id === null && scheme !== null && PROVIDED.has(scheme) && !absent.has(scheme)
const PROVIDED: ReadonlySet<string> = new Set(["world", "ip", "digest", "x509", "sasl"])
const NONE_ABSENT: ReadonlySet<OptionalScheme> = new Set()

/**
 * The list as it is stored: without duplicates, `auth` replaced by the ids that the connection has proved. The error if
 * the list is not one to be stored: INVALIDACL, or MARSHALLINGERROR. Nothing can be said by the schemes in `absent`.
 */
export const fixAcl = (
  requested: ReadonlyArray<RequestedAcl> | null,
  identity: Identity,
  absent: ReadonlySet<OptionalScheme> = NONE_ABSENT
): AclList | ErrorCode => {
  if (requested === null || requested.length === 0) return ErrorCode.INVALIDACL
  const fixed: Array<Acl> = []
  const add = (acl: Acl): void => {
    const known = fixed.some((f) => f.perms === acl.perms && f.id.scheme === acl.id.scheme && f.id.id === acl.id.id)
    if (!known) fixed.push(acl)
  }
  for (const { perms, id } of requested) {
    if (id.scheme === "auth") {
      const proved = identity.filter((one) => authenticates(one.scheme))
      if (proved.length === 0) return ErrorCode.INVALIDACL
      for (const one of proved) add({ perms, id: one })
      continue
    }
    const { scheme, id: name } = id
    if (isMalformed(id, absent)) return ErrorCode.MARSHALLINGERROR
    if (scheme === null || name === null || (absent as ReadonlySet<string>).has(scheme) || !isValidId(scheme, name)) {
      return ErrorCode.INVALIDACL
    }
    add({ perms, id: { scheme, id: name } })
  }
  return fixed
}

/** What getACL shows to somebody without ADMIN: digest ids without their hash. */
export const maskAcl = (acl: AclList): AclList =>
  acl.map((one) => {
    const colon = one.id.scheme === "digest" ? one.id.id.indexOf(":") : -1
    return colon < 0 ? one : { perms: one.perms, id: { scheme: "digest", id: `${one.id.id.slice(0, colon)}:x` } }
  })

/**
 * Every list that some znode has, once. A znode's row holds the list's number; 0 is the open list, for ever there.
 */
export class AclTable {
  private readonly ids = new Map<string, number>()
  private readonly entries: Array<{ readonly key: string; readonly list: AclList; uses: number }> = []
  private readonly free: Array<number> = []

  constructor() {
    this.retain(OPEN_ACL_BYTES, 0, OPEN_ACL_BYTES.length, () => OPEN_ACL)
  }

  /** The number of the list that `bytes[start, end)` encodes, with one use more; `decode` is called if it is new. */
  retain(bytes: Uint8Array, start: number, end: number, decode: () => AclList): number {
    if (this.entries.length > 0 && isOpen(bytes, start, end)) return 0
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1")
    const known = this.ids.get(key)
    if (known !== undefined) {
      this.entries[known]!.uses++
      return known
    }
    const id = this.free.pop() ?? this.entries.length
    this.entries[id] = { key, list: decode(), uses: 1 }
    this.ids.set(key, id)
    return id
  }

  /** As `retain`, for a list that has been decoded. */
  intern(list: AclList): number {
    if (saysOpen(list)) return 0
    const bytes = encodeAcl(list)
    return this.retain(bytes, 0, bytes.length, () => list)
  }

  release(id: number): void {
    if (id === 0) return
    const entry = this.entries[id]!
    if (--entry.uses > 0) return
    this.ids.delete(entry.key)
    this.free.push(id)
  }

  /** The same array for the same number: `OPEN_ACL` can be told by reference. */
  list(id: number): AclList {
    return this.entries[id]!.list
  }

  get size(): number {
    return this.ids.size
  }
}

/** True if the bytes are the open list's. */
export const isOpen = (bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start !== OPEN_ACL_BYTES.length) return false
  for (let i = 0; i < OPEN_ACL_BYTES.length; i++) if (bytes[start + i] !== OPEN_ACL_BYTES[i]) return false
  return true
}
