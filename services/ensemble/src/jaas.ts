/** JAAS login configurations, as far as ZooKeeper's Server section goes. */

/** Blanks and comments, a quoted value, a separator, or a word. */
const TOKEN = /\s+|\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/|"((?:[^"\\]|\\[\s\S])*)"|[{};=]|[^\s{};="]+/gy

interface Token {
  readonly text: string
  readonly isQuoted: boolean
}

/**
 * The users of the section `Server`, whose login module has to be a DigestLoginModule: its options `user_NAME="password"`.
 * A text says what is wrong.
 */
export const jaasUsers = (config: string): ReadonlyMap<string, string> | string => {
  const tokens = tokensOf(config)
  if (tokens === undefined) return "is no JAAS configuration"
  const begin = tokens.findIndex(({ text }, at) => text === "Server" && isMark(tokens[at + 1], "{"))
  if (begin < 0) return "has no section Server { … };"
  const body = tokens.slice(begin + 2)
  const module = body[0]?.text ?? ""
  if (!module.endsWith("DigestLoginModule")) return "has no DigestLoginModule in its section Server"
  const users = new Map<string, string>()
  for (let at = 1; !isMark(body[at], "}") && !isMark(body[at], ";"); at++) {
    const name = body[at]
    if (name === undefined) return "does not end its section Server"
    if (!isMark(body[at + 1], "=")) continue
    const value = body[at + 2]
    if (value === undefined || isMark(value)) return `has no value for ${name.text}`
    if (name.text.startsWith("user_")) users.set(name.text.slice("user_".length), value.text)
    at += 2
  }
  return users.size === 0 ? 'has no user_NAME="password" in its section Server' : users
}

const isMark = (token: Token | undefined, mark?: string): boolean =>
  token !== undefined && !token.isQuoted && (mark === undefined ? /^[{};=]$/.test(token.text) : token.text === mark)

const tokensOf = (config: string): ReadonlyArray<Token> | undefined => {
  const tokens: Array<Token> = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < config.length) {
    const found = TOKEN.exec(config)
    if (found === null) return undefined
    const [text, quoted] = found
    if (quoted !== undefined) tokens.push({ text: quoted.replace(/\\([\s\S])/g, "$1"), isQuoted: true })
    else if (!/^(\s|\/\/|#|\/\*)/.test(text)) tokens.push({ text, isQuoted: false })
  }
  return tokens
}
