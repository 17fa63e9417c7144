import readline from "node:readline"
import { ErrorCode, ZkError } from "@zkmesh/client"
import { formatError } from "./format.ts"
import { interact } from "./interactive.ts"
import { readOptions } from "./options.ts"
import { checkServer, ExitCode, Shell } from "./shell.ts"
import { tlsOptions } from "./tls.ts"
import { UsageError } from "./words.ts"

/** Where the console reads and writes: the process's own streams, or a test's. */
export interface ConsoleStreams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/** The console from its command line to its exit code. */
export const runConsole = async (
  argv: ReadonlyArray<string>,
  streams: ConsoleStreams,
  historyFile: string | undefined
): Promise<number> => {
  const { stdin, stdout, stderr } = streams
  const print = (text: string): void => void stdout.write(`${text}\n`)
  const note = (text: string): void => void stderr.write(`${text}\n`)
  try {
    const { tls, ...given } = await readOptions(argv)
    const options = { ...given, tls: await tlsOptions(tls) }
    checkServer(options.server)
    const interactive = options.command.length === 0 && stdin.isTTY === true
    if (interactive) return await interact(options, streams, historyFile)
    const shell = new Shell({ ...options, showStates: false, print, note, announce: print })
    try {
      return await runBatch(shell, options.command, options.timeoutMs, stdin, note)
    } finally {
      await shell.close()
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    note(error.message)
    return ExitCode.failed
  }
}

/** One command from the command line, or one after another from a pipe. */
const runBatch = async (
  shell: Shell,
  command: ReadonlyArray<string>,
  timeoutMs: number,
  stdin: NodeJS.ReadableStream,
  note: (text: string) => void
): Promise<number> => {
  let reason: Error | undefined
  shell.client?.on("disconnect", (error) => {
    reason = error
  })
  try {
    await shell.client?.connected(timeoutMs)
  } catch (error) {
    if (!(error instanceof ZkError)) throw error
    const late = error.code === ErrorCode.OPERATIONTIMEOUT
    note(
      late
        ? `no connection within ${timeoutMs} ms${reason === undefined ? "" : `: ${reason.message}`}`
        : formatError(error)
    )
    return ExitCode.failed
  }
  if (command.length > 0) return shell.runWords(command)
  for await (const line of readline.createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    await shell.run(line)
    if (shell.done) break
  }
  return shell.exitCode
}
