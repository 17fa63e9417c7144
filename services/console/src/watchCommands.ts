import { AddWatchMode, WatcherType } from "@zkmesh/client"
import type { Command } from "./command.ts"
import { UsageError } from "./words.ts"

const addWatch: Command = {
  name: "addWatch",
  usage:
    "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
  options: { values: ["m"] },
  args: [1, 1],
  run: async ({ client, watcher }, parsed) => {
    const name = (parsed.value("m") ?? "PERSISTENT_RECURSIVE").toUpperCase()
    if (name !== "PERSISTENT" && name !== "PERSISTENT_RECURSIVE") throw new UsageError(`no watch has the mode ${name}`)
    await client.addWatch(parsed.args[0]!, watcher, AddWatchMode[name])
  }
}

const types: ReadonlyArray<readonly [string, WatcherType]> = [
  ["c", WatcherType.Children],
  ["d", WatcherType.Data],
  ["p", WatcherType.Persistent],
  ["r", WatcherType.PersistentRecursive],
  ["a", WatcherType.Any]
]

const removewatches: Command = {
  name: "removewatches",
  usage: "path [-c|-d|-p|-r|-a] [-l]",
  options: { flags: ["c", "d", "p", "r", "a", "l"] },
  args: [1, 1],
  run: async ({ client }, parsed) => {
    const type = types.find(([flag]) => parsed.has(flag))?.[1] ?? WatcherType.Any
    await client.removeWatches(parsed.args[0]!, type, { local: parsed.has("l") })
  }
}

export const watchCommands: ReadonlyArray<Command> = [addWatch, removewatches]
