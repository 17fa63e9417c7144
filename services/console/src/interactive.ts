import readline from "node:readline"
import { ZkError } from "@zkmesh/client"
import type { ConsoleStreams } from "./console.ts"
import { LineHistory } from "./history.ts"
import { Shell, type ShellOptions } from "./shell.ts"
import { childPath } from "./tree.ts"

/** Completes the last word of a line: the first word as a command, a path with the children of its parent. */
export const complete = async (shell: Shell, line: string): Promise<[Array<string>, string]> => {
  const word = /\S*$/.exec(line)?.[0] ?? ""
  if (line.trimStart() === word) return [shell.commandNames.filter((name) => name.startsWith(word)), word]
  if (!word.startsWith("/") || shell.client === undefined) return [[], word]
  const slash = word.lastIndexOf("/")
  const parent = slash === 0 ? "/" : word.slice(0, slash)
  try {
    const children = await shell.client.getChildren(parent)
    const paths = children.map((name) => childPath(parent, name)).sort()
    return [paths.filter((path) => path.startsWith(word)), word]
  } catch (error) {
    // A parent that cannot be listed completes to nothing.
    if (error instanceof ZkError) return [[], word]
    throw error
  }
}

/** A dialogue at a terminal, until quit, Ctrl-D or Ctrl-C on an empty line. */
export const interact = async (
  options: Pick<ShellOptions, "server" | "timeoutMs" | "readOnly" | "tls">,
  { stdin, stdout, stderr }: ConsoleStreams,
  historyFile: string | undefined
): Promise<number> => {
  const note = (text: string): void => void stderr.write(`${text}\n`)
  const history = new LineHistory(historyFile, note)
  const lines = readline.createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    history: await history.load(),
    historySize: history.size,
    removeHistoryDuplicates: true,
    completer: (line: string, answer: (error: Error | null, result?: [Array<string>, string]) => void) => {
      complete(shell, line).then(
        (result) => answer(null, result),
        (error: Error) => answer(error)
      )
    }
  })
  let prompting = false
  let closed = false
  lines.once("close", () => {
    closed = true
    prompting = false
  })
  const prompt = (): void => {
    // Input can end while a command is at work, or lines of it still wait.
    if (closed) return
    prompting = true
    lines.setPrompt(shell.prompt)
    lines.prompt(true)
  }
  const announce = (text: string): void => {
    // What was being typed comes again below, untouched.
    if (prompting) stdout.write("\r\x1b[K")
    stdout.write(`${text}\n`)
    if (prompting) prompt()
  }
  stdout.write(`Connecting to ${options.server}\nWelcome to ZooKeeper!\n`)
  const shell: Shell = new Shell({
    ...options,
    showStates: true,
    print: (text) => stdout.write(`${text}\n`),
    note,
    announce
  })
  lines.on("SIGINT", () => {
    if (lines.line === "") lines.close()
    // Ctrl-U and a new prompt: the line is given up.
    else lines.write(null, { ctrl: true, name: "u" })
  })
  prompt()
  for await (const line of lines) {
    prompting = false
    await shell.run(line)
    if (shell.done) break
    await history.add(line)
    prompt()
  }
  lines.close()
  await shell.close()
  return 0
}
