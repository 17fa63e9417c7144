import type { Command, Context } from "./command.ts"
import { formatAcl, formatHexDump, formatList, formatStat } from "./format.ts"
import { subtree } from "./tree.ts"
import { type Parsed, UsageError } from "./words.ts"

const watcherIf = ({ watcher }: Context, parsed: Parsed) => (parsed.has("w") ? watcher : undefined)

/** The word of old: `get path watch`. */
const withWatchWord = (context: Context, parsed: Parsed, name: string, instead: string) => {
  if (parsed.args.length < 2) return watcherIf(context, parsed)
  context.note(`'${name} path [watch]' has been deprecated. Please use '${instead}' instead.`)
  return context.watcher
}

const formatData = (data: Buffer | null, parsed: Parsed): string => {
  if (data === null) return "null"
  if (parsed.has("b")) return data.toString("base64")
  return parsed.has("x") ? formatHexDump(data) : data.toString("utf8")
}

const get: Command = {
  name: "get",
  usage: "[-s] [-w] [-b] [-x] path",
  options: { flags: ["s", "w", "b", "x"] },
  args: [1, 2],
  run: async (context, parsed) => {
    const watcher = withWatchWord(context, parsed, "get", "get [-s] [-w] path")
    const { data, stat } = await context.client.getData(parsed.args[0]!, watcher)
    context.print(formatData(data, parsed))
    if (parsed.has("s")) context.print(formatStat(stat))
  }
}

const ls: Command = {
  name: "ls",
  usage: "[-s] [-w] [-R] path",
  options: { flags: ["s", "w", "R"] },
  args: [1, 2],
  run: async (context, parsed) => {
    const path = parsed.args[0]!
    if (parsed.has("R")) {
      for await (const found of subtree(context.client, path)) context.print(found)
      return
    }
    const watcher = withWatchWord(context, parsed, "ls", "ls [-w] path")
    const { children, stat } = await context.client.getChildren2(path, watcher)
    context.print(formatList(children.sort()))
    if (parsed.has("s")) context.print(formatStat(stat))
  }
}

const stat: Command = {
  name: "stat",
  usage: "[-w] path",
  options: { flags: ["w"] },
  args: [1, 2],
  run: async (context, parsed) => {
    const path = parsed.args[0]!
    const found = await context.client.exists(path, withWatchWord(context, parsed, "stat", "stat [-w] path"))
    // Asked again, a node that is not there fails as it does everywhere.
    context.print(formatStat(found ?? (await context.client.getData(path)).stat))
  }
}

const getAcl: Command = {
  name: "getAcl",
  usage: "[-s] path",
  options: { flags: ["s"] },
  args: [1, 1],
  run: async ({ client, print }, parsed) => {
    const { acl, stat } = await client.getACL(parsed.args[0]!)
    print(formatAcl(acl))
    if (parsed.has("s")) print(formatStat(stat))
  }
}

const getEphemerals: Command = {
  name: "getEphemerals",
  usage: "[prefix]",
  args: [0, 1],
  run: async ({ client, print }, parsed) => print(formatList((await client.getEphemerals(parsed.args[0])).sort()))
}

const getAllChildrenNumber: Command = {
  name: "getAllChildrenNumber",
  usage: "path",
  args: [1, 1],
  run: async ({ client, print }, parsed) => print(String(await client.getAllChildrenNumber(parsed.args[0]!)))
}

const whoami: Command = {
  name: "whoami",
  usage: "",
  args: [0, 0],
  run: async ({ client, print }) => {
    print("Auth scheme: User")
    for (const { authScheme, user } of await client.whoAmI()) print(`${authScheme}: ${user}`)
  }
}

/** `<version> host:port,…` out of a configuration: what a client would be given. */
const clientConfig = (text: string): string => {
  const version = /^version=(.*)$/m.exec(text)?.[1] ?? ""
  const servers = [...text.matchAll(/^server\.\d+=([^;\n]*);?(.*)$/gm)].map(([, server = "", client = ""]) => {
    // A server without a client port keeps its place. Without a host of its own the port is on the server's host.
    if (client === "") return ""
    return client.includes(":") ? client.trim() : `${server.slice(0, server.indexOf(":"))}:${client.trim()}`
  })
  return `${version} ${servers.join(",")}`
}

const config: Command = {
  name: "config",
  usage: "[-c] [-w] [-s]",
  options: { flags: ["c", "w", "s"] },
  args: [0, 0],
  run: async (context, parsed) => {
    const { data, stat } = await context.client.getConfig(watcherIf(context, parsed))
    const text = data === null ? "" : data.toString("utf8")
    context.print(parsed.has("c") ? clientConfig(text) : text)
    if (parsed.has("s")) context.print(formatStat(stat))
  }
}

const sync: Command = {
  name: "sync",
  usage: "path",
  args: [1, 1],
  run: async ({ client, print }, parsed) => {
    await client.sync(parsed.args[0]!)
    print("Sync is OK")
  }
}

const addauth: Command = {
  name: "addauth",
  usage: "scheme auth",
  args: [1, 2],
  run: async ({ client }, parsed) => {
    const [scheme, auth] = parsed.args
    if (scheme === undefined) throw new UsageError("a scheme is missing")
    await client.addAuth(scheme, auth ?? "")
  }
}

/** Commands that change nothing in the tree. */
export const reads: ReadonlyArray<Command> = [
  addauth,
  config,
  get,
  getAcl,
  getAllChildrenNumber,
  getEphemerals,
  ls,
  stat,
  sync,
  whoami
]
