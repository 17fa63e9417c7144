/** What a token is made of: `name=value` and `name="value"`, separated by commas (RFC 2831, section 7). */

/** The other end has said something that is not to be said. */
export class SaslError extends Error {
  override readonly name = "SaslError"
}

export type Directives = ReadonlyMap<string, string>

/** Longer tokens are nobody's: RFC 2831 allows 2048 bytes for a challenge and 4096 for a response. */
const MAX_BYTES = 4096
/** Those of which one side may send several. */
const MANY: ReadonlySet<string> = new Set(["realm", "auth-param"])

const ONE = /[\s,]*([!#$%&'*+\-.0-9A-Z^_`a-z|~]+)\s*=\s*(?:"((?:[^"\\]|\\[\s\S])*)"|([^\s,"]*))\s*(?=,|$)[\s,]*/y

/** Throws SaslError. The first realm counts if there are several; anything else may be there once. */
export const parseDirectives = (token: Uint8Array): Directives => {
  if (token.length > MAX_BYTES) throw new SaslError(`a token of ${token.length} bytes`)
  const text = Buffer.from(token.buffer, token.byteOffset, token.length).toString("utf8")
  const directives = new Map<string, string>()
  ONE.lastIndex = 0
  while (ONE.lastIndex < text.length) {
    const found = ONE.exec(text)
    if (found === null) throw new SaslError("a token that is no list of directives")
    const [, key, quoted, plain] = found
    const name = key!.toLowerCase()
    if (!directives.has(name)) directives.set(name, quoted?.replace(/\\([\s\S])/g, "$1") ?? plain ?? "")
    else if (!MANY.has(name)) throw new SaslError(`${name} is given twice`)
  }
  return directives
}

/** Each value in quotes, but for those that must not have any. */
export const formatDirectives = (
  directives: ReadonlyArray<readonly [name: string, value: string, form?: "bare"]>
): Uint8Array =>
  Buffer.from(
    directives
      .map(([name, value, form]) => `${name}=${form === "bare" ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`)
      .join(","),
    "utf8"
  )
