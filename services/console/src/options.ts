import { UsageError } from "./words.ts"

export interface ConsoleOptions {
  readonly server: string
  readonly timeoutMs: number
  readonly readOnly: boolean
  /** The command to run once, as words; none for a dialogue. */
  readonly command: ReadonlyArray<string>
}

const DEFAULT_SERVER = "localhost:2181"
const DEFAULT_TIMEOUT_MS = 30_000

/**
 * zkCli.sh's options: names of several letters after one dash, and whatever follows the first word that is none of them
 * belongs to the command, dashes and all. Two dashes do as well.
 */
export const readOptions = (argv: ReadonlyArray<string>): ConsoleOptions => {
  let server = DEFAULT_SERVER
  let timeoutMs = DEFAULT_TIMEOUT_MS
  let readOnly = false
  let at = 0
  const value = (name: string): string => {
    const word = argv[++at]
    if (word === undefined) throw new UsageError(`${name} wants a value`)
    return word
  }
  for (; at < argv.length; at++) {
    const word = argv[at]!
    const name = word.replace(/^--?/, "")
    if (name === word) break
    if (name === "server") server = value(word)
    else if (name === "timeout") timeoutMs = Number(value(word))
    else if (name === "r") readOnly = true
    // The connection is always waited for.
    else if (name !== "waitforconnection") throw new UsageError(`${word} is not an option`)
  }
  if (!Number.isInteger(timeoutMs) || timeoutMs <= 0) throw new UsageError("-timeout wants milliseconds")
  return { server, timeoutMs, readOnly, command: argv.slice(at) }
}
