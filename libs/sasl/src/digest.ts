import { createHash } from "node:crypto"

/** What both ends hash (RFC 2831, section 2.1.2.1). */
export interface Secrets {
  readonly username: string
  readonly realm: string
  readonly password: string
  readonly nonce: string
  readonly cnonce: string
  /** The nonce count, eight hexadecimal digits. */
  readonly nc: string
  readonly digestUri: string
  readonly authzid: string | undefined
}

const md5 = (...parts: ReadonlyArray<Uint8Array | string>): Buffer => {
  const hash = createHash("md5")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** A text of Latin-1 characters alone is hashed as such, anything else as UTF-8. */
const encoded = (text: string): Buffer => {
  const latin1 = Buffer.from(text, "latin1")
  return latin1.toString("latin1") === text ? latin1 : Buffer.from(text, "utf8")
}

/** The client's `response`, or the server's `rspauth`: the two differ in a word. Hexadecimal. */
export const digest = (secrets: Secrets, side: "client" | "server"): string => {
  const { username, realm, password, nonce, cnonce, nc, digestUri, authzid } = secrets
  const user = md5(encoded(username), ":", encoded(realm), ":", encoded(password))
  const a1 = md5(user, `:${nonce}:${cnonce}`, ...(authzid === undefined ? [] : [`:${authzid}`])).toString("hex")
  const a2 = md5(`${side === "client" ? "AUTHENTICATE" : ""}:${digestUri}`).toString("hex")
  return md5(`${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}`).toString("hex")
}
