/** Asks a server by the four-letter word `trac`, on the port that clients use. */
import { connect, isIP, type Socket } from "node:net"
import { type ConnectionOptions, connect as connectTls } from "node:tls"
import { type Endpoint, parseConnectString } from "@zkmesh/client"
import type { SpanRecord } from "@zkmesh/messages"
import { CommandFailed } from "../command.ts"

const ANSWER_WITHIN_MS = 10_000

export interface TraceServer {
  /** host:port */
  readonly server: string
  readonly tls: ConnectionOptions | undefined
}

const dial = ({ host, port }: Endpoint, tls: ConnectionOptions | undefined): Socket =>
  tls === undefined
    ? connect({ host, port })
    : connectTls({ host, port, servername: isIP(host) === 0 ? host : "", ...tls })

/** Everything that the server says until it closes the connection. */
const converse = (endpoint: Endpoint, tls: ConnectionOptions | undefined, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = dial(endpoint, tls)
    const chunks: Array<Buffer> = []
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error("the server does not answer")))
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.once("error", reject)
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")))
    socket.write(text)
  })

/** What the answer may hold; which of it there is depends on what was asked. */
export interface TraceAnswer {
  readonly error?: string
  readonly spans?: ReadonlyArray<SpanRecord>
  /** The server's time, milliseconds since 1970. */
  readonly at?: number
}

/** Says `trac` and `line`; throws CommandFailed, with the reason told to `note`, if the server knows no such word. */
export const askForTraces = async (
  { server, tls }: TraceServer,
  line: string,
  note: (text: string) => void
): Promise<TraceAnswer> => {
  const endpoint = parseConnectString(server).servers[0]!
  const text = await converse(endpoint, tls, `trac ${line}\n`)
  const answer = text.startsWith("{") ? (JSON.parse(text) as TraceAnswer) : undefined
  if (answer !== undefined && answer.error === undefined) return answer
  if (answer !== undefined) note(`The server cannot trace: ${answer.error}`)
  else if (text.includes("whitelist"))
    note("The server's 4lw.commands.whitelist does not have trac: it cannot be asked")
  else note("The server does not know how to trace")
  throw new CommandFailed()
}
