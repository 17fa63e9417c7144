import type { Watcher, ZkClient } from "@zkmesh/client"
import type { OptionNames, Parsed } from "./words.ts"

/** What a command can use. */
export interface Context {
  readonly client: ZkClient
  /** Prints what it is told, as long as watches are printed at all. */
  readonly watcher: Watcher
  readonly print: (text: string) => void
  /** To stderr: what is no result. */
  readonly note: (text: string) => void
}

/** A command that talks to the ensemble. */
export interface Command {
  readonly name: string
  /** What follows the name, as the usage shows it. */
  readonly usage: string
  readonly options?: OptionNames
  /** The least and the greatest number of arguments. */
  readonly args: readonly [number, number]
  readonly run: (context: Context, parsed: Parsed) => Promise<void>
}

/** A command failed in a way that it has already told in full. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed"
}
