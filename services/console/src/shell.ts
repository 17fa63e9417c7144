import type { ConnectionOptions } from "node:tls"
import {
  type ClientState,
  formatEndpoint,
  parseConnectString,
  WatchEventType,
  type Watcher,
  ZkClient,
  ZkError
} from "@zkmesh/client"
import { type Command, CommandFailed } from "./command.ts"
import { formatError, formatEvent, formatStateEvent } from "./format.ts"
import { quotas } from "./quotas.ts"
import { reads } from "./reads.ts"
import { watchCommands } from "./watchCommands.ts"
import { Parsed, splitWords, UsageError } from "./words.ts"
import { writes } from "./writes.ts"

export const VERSION = "3.9.5-zkmesh"
const HISTORY_SHOWN = 11
const TRACE = "trace"

export const ExitCode = { ok: 0, failed: 1, unknownCommand: 127 } as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export interface ShellOptions {
  /** The connect string. */
  readonly server: string
  readonly timeoutMs: number
  readonly readOnly: boolean
  /** How to speak TLS; undefined for a plain connection. */
  readonly tls: ConnectionOptions | undefined
  /** Prints changes of the connection's state too, as a person wants to see them. */
  readonly showStates: boolean
  readonly print: (text: string) => void
  readonly note: (text: string) => void
  /** As print, for what comes between commands. */
  readonly announce: (text: string) => void
}

/** A command of the shell itself; it returns nothing unless its outcome is that of another command. */
interface OwnCommand {
  readonly name: string
  readonly usage: string
  readonly args: readonly [number, number]
  readonly run: (args: ReadonlyArray<string>) => Promise<ExitCode | void>
}

/** A connect string that makes no sense leaves everything as it is. */
export const checkServer = (server: string): void => {
  try {
    parseConnectString(server)
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

/** The states that the prompt knows: ZooKeeper's. */
const promptState = (state: ClientState | undefined): string => {
  if (state === undefined) return "NOT_CONNECTED"
  return state === "EXPIRED" ? "CLOSED" : state
}

/** Runs commands, one line at a time, on a connection that it holds. */
export class Shell {
  private readonly options: ShellOptions
  private server: string
  private current: ZkClient | undefined
  private printWatches = true
  private readonly lines: Array<string> = []
  private finished = false
  private lastExit: ExitCode = ExitCode.ok
  private readonly commands: ReadonlyMap<string, Command>
  private readonly own: ReadonlyMap<string, OwnCommand>

  constructor(options: ShellOptions) {
    this.options = options
    this.server = options.server
    const byName = <C extends { readonly name: string }>(all: ReadonlyArray<C>) =>
      new Map(all.map((command) => [command.name, command]))
    this.commands = byName([...reads, ...writes, ...quotas, ...watchCommands])
    this.own = byName(this.ownCommands())
    this.connect(options.server)
  }

  private ownCommands(): Array<OwnCommand> {
    const { print } = this.options
    return [
      { name: "close", usage: "", args: [0, 0], run: () => this.close() },
      {
        name: "connect",
        usage: "host:port",
        args: [0, 1],
        run: async ([server = this.server]) => {
          checkServer(server)
          await this.close()
          await this.connect(server).connected(this.options.timeoutMs)
        }
      },
      {
        name: "help",
        usage: "",
        args: [0, 0],
        run: async () => print(this.usage())
      },
      { name: "history", usage: "", args: [0, 0], run: async () => this.showHistory() },
      {
        name: "printwatches",
        usage: "on|off",
        args: [0, 1],
        run: async ([word]) => {
          if (word === undefined) print(`printwatches is ${this.printWatches ? "on" : "off"}`)
          else this.printWatches = word === "on"
        }
      },
      {
        name: "quit",
        usage: "",
        args: [0, 0],
        run: async () => {
          this.finished = true
        }
      },
      { name: "redo", usage: "cmdno", args: [1, 1], run: ([number]) => this.redo(number!) },
      // With words it never comes to this: they are the command's, dashes and all.
      { name: TRACE, usage: "command", args: [1, 1], run: async () => ExitCode.failed },
      {
        name: "version",
        usage: "",
        args: [0, 0],
        run: async () => print(`ZooKeeper CLI version: ${VERSION}`)
      }
    ]
  }

  /** True after quit. */
  get done(): boolean {
    return this.finished
  }
  get client(): ZkClient | undefined {
    return this.current
  }
  get prompt(): string {
    return `[zk: ${this.server}(${promptState(this.current?.state)}) ${this.lines.length}] `
  }
  get commandNames(): ReadonlyArray<string> {
    return [...this.commands.keys(), ...this.own.keys()].sort()
  }

  private connect(server: string): ZkClient {
    const { servers, chroot } = parseConnectString(server)
    this.server = servers.map(formatEndpoint).join(",") + chroot
    const { timeoutMs, readOnly, tls } = this.options
    const client = new ZkClient(this.server, {
      sessionTimeoutMs: timeoutMs,
      readOnly,
      ...(tls === undefined ? {} : { tls })
    })
    client.on("state", (state) => {
      if (this.options.showStates && this.printWatches) this.options.announce(formatStateEvent(state))
    })
    this.current = client
    return client
  }

  /** Ends the session. */
  async close(): Promise<void> {
    await this.current?.close()
  }

  /** One and the same for all commands: a path that is watched twice is told of once. */
  private readonly watcher: Watcher = (event) => {
    // The end of the session is told once, by its state.
    if (!this.printWatches || event.type === WatchEventType.None || this.current === undefined) return
    this.options.announce(formatEvent(event, this.current.state))
  }

  usage(): string {
    const all = [...this.commands.values(), ...this.own.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return [
      "ZooKeeper -server host:port [-timeout ms] [-r] [-client-configuration properties-file] [command args]",
      ...all.map(({ name, usage }) => `\t${name} ${usage}`.trimEnd())
    ].join("\n")
  }

  private showHistory(): void {
    const first = Math.max(0, this.lines.length - HISTORY_SHOWN)
    for (let i = first; i < this.lines.length; i++) this.options.print(`${i} - ${this.lines[i]}`)
  }

  private async redo(number: string): Promise<ExitCode> {
    const line = this.lines[Number(number)]
    // The line of this very redo is the last one.
    if (line === undefined || Number(number) === this.lines.length - 1)
      throw new UsageError("Command index out of range")
    if (/^\s*redo\b/.test(line)) throw new UsageError("No redoing redos")
    this.lines[this.lines.length - 1] = line
    return this.runWords(splitWords(line))
  }

  /** Runs a line and prints all there is to say about it. An empty line is no command. */
  async run(line: string): Promise<ExitCode> {
    if (line.trim() === "") return ExitCode.ok
    this.lines.push(line.trim())
    let exit: ExitCode
    try {
      exit = await this.runWords(splitWords(line))
    } catch (error) {
      exit = this.complain(error, undefined)
    }
    // A quit leaves what the command before it came to.
    if (!this.finished) this.lastExit = exit
    return exit
  }

  /** What the last command came to, as zkCli.sh's own exit status says. */
  get exitCode(): ExitCode {
    return this.lastExit
  }

  /** Runs a command whose words have already been told apart. */
  async runWords(words: ReadonlyArray<string>): Promise<ExitCode> {
    const [name = "", ...rest] = words
    if (name === TRACE && rest.length > 0) return this.trace(rest)
    const command = this.commands.get(name) ?? this.own.get(name)
    if (command === undefined) {
      this.options.note(`${this.usage()}\nCommand not found: ${name}`)
      return ExitCode.unknownCommand
    }
    try {
      const parsed = new Parsed(rest, "options" in command ? (command.options ?? {}) : {})
      const [least, most] = command.args
      if (parsed.args.length < least || parsed.args.length > most) throw new UsageError("")
      if (!this.isOwn(command)) return await this.runCommand(command, parsed)
      return (await command.run(parsed.args)) ?? ExitCode.ok
    } catch (error) {
      return this.complain(error, command)
    }
  }

  /** Runs a command, and shows its requests' way through the services. */
  private async trace(words: ReadonlyArray<string>): Promise<ExitCode> {
    const client = this.current
    const { print, note, tls } = this.options
    if (client === undefined || client.state !== "CONNECTED") {
      note("Not connected")
      return ExitCode.failed
    }
    try {
      // Loaded here alone: the shell starts faster without it.
      const { traced } = await import("./traces/trace.ts")
      return await traced({ client, tls, print, note }, () => this.runWords(words))
    } catch (error) {
      return this.complain(error, undefined)
    }
  }

  private isOwn(command: Command | OwnCommand): command is OwnCommand {
    return this.own.get(command.name) === command
  }

  private async runCommand(command: Command, parsed: Parsed): Promise<ExitCode> {
    const client = this.current
    if (client === undefined || client.state === "CLOSED") {
      this.options.print("Not connected")
      return ExitCode.failed
    }
    const { print, note } = this.options
    await command.run({ client, watcher: this.watcher, print, note }, parsed)
    return ExitCode.ok
  }

  private complain(error: unknown, command: { name: string; usage: string } | undefined): ExitCode {
    if (error instanceof ZkError) this.options.note(formatError(error))
    else if (error instanceof UsageError) {
      if (error.message !== "") this.options.note(error.message)
      if (command !== undefined) this.options.note(`${command.name} ${command.usage}`.trimEnd())
    } else if (!(error instanceof CommandFailed)) this.options.note(`Command failed: ${String(error)}`)
    return ExitCode.failed
  }
}
