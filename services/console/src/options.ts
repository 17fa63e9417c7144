import { PLAIN, readClientConfiguration, type TlsFiles } from "./tls.ts"
import { UsageError } from "./words.ts"

export interface ConsoleOptions {
  readonly server: string
  readonly timeoutMs: number
  readonly readOnly: boolean
  readonly tls: TlsFiles
  /** The command to run once, as words; none for a dialogue. */
  readonly command: ReadonlyArray<string>
}

const DEFAULT_SERVER = "localhost:2181"
const DEFAULT_TIMEOUT_MS = 30_000

/** Options without a value. */
const FLAGS: ReadonlyArray<string> = ["r", "waitforconnection", "tls"]
/** Options that take the next word. */
const VALUES: ReadonlyArray<string> = ["server", "timeout", "client-configuration", "ca", "cert", "key"]

/**
 * zkCli.sh's options: names of several letters after one dash, and whatever follows the first word that is none of them
 * belongs to the command, dashes and all. Two dashes do as well.
 */
export const readOptions = async (argv: ReadonlyArray<string>): Promise<ConsoleOptions> => {
  const flags = new Set<string>()
  const values = new Map<string, string>()
  let at = 0
  for (; at < argv.length; at++) {
    const word = argv[at]!
    const name = word.replace(/^--?/, "")
    if (name === word) break
    if (FLAGS.includes(name)) flags.add(name)
    else if (VALUES.includes(name)) {
      const value = argv[++at]
      if (value === undefined) throw new UsageError(`${word} wants a value`)
      values.set(name, value)
    } else throw new UsageError(`${word} is not an option`)
  }
  const timeoutMs = Number(values.get("timeout") ?? DEFAULT_TIMEOUT_MS)
  if (!Number.isInteger(timeoutMs) || timeoutMs <= 0) throw new UsageError("-timeout wants milliseconds")
  return {
    server: values.get("server") ?? DEFAULT_SERVER,
    timeoutMs,
    readOnly: flags.has("r"),
    tls: await tlsFiles(flags, values),
    command: argv.slice(at)
  }
}

const tlsFiles = async (flags: ReadonlySet<string>, values: ReadonlyMap<string, string>): Promise<TlsFiles> => {
  const [ca, cert, key] = [values.get("ca"), values.get("cert"), values.get("key")]
  if (key !== undefined && cert === undefined) throw new UsageError("-key wants -cert as well")
  const enabled = flags.has("tls") || ca !== undefined || cert !== undefined
  const own = { ...PLAIN, enabled, ca, cert, key }
  const file = values.get("client-configuration")
  return file === undefined ? own : readClientConfiguration(file, own)
}
