import { readFile } from "node:fs/promises"
import { CreateMode, ErrorCode, type ZkClient, ZkError } from "@zkmesh/client"
import { type Command, CommandFailed } from "./command.ts"
import { formatStat, parseAcl } from "./format.ts"
import { subtree } from "./tree.ts"
import { type Parsed, UsageError } from "./words.ts"

const modeOf = (parsed: Parsed, hasTTL: boolean): CreateMode => {
  const [ephemeral, sequential, container] = [parsed.has("e"), parsed.has("s"), parsed.has("c")]
  if (container && (ephemeral || sequential))
    throw new UsageError("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
  if (hasTTL && ephemeral) throw new UsageError("TTLs cannot be used with Ephemeral znodes")
  if (hasTTL && container) throw new UsageError("TTLs cannot be used with Container znodes")
  if (container) return CreateMode.CONTAINER
  if (hasTTL) return sequential ? CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL : CreateMode.PERSISTENT_WITH_TTL
  if (ephemeral) return sequential ? CreateMode.EPHEMERAL_SEQUENTIAL : CreateMode.EPHEMERAL
  return sequential ? CreateMode.PERSISTENT_SEQUENTIAL : CreateMode.PERSISTENT
}

/** What an ephemeralOwner has room for. */
const MAX_TTL_MS = 0xff_ffff_ffff

const create: Command = {
  name: "create",
  usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
  options: { flags: ["s", "e", "c"], values: ["t"] },
  args: [1, 3],
  run: async ({ client, note }, parsed) => {
    const [path, data, acl] = parsed.args
    const ttlMs = parsed.integer("t", "-t argument must be a long value")
    if (ttlMs !== undefined && (ttlMs <= 0 || ttlMs > MAX_TTL_MS)) {
      throw new UsageError(`ttl must be positive and cannot be larger than: ${MAX_TTL_MS}`)
    }
    const options = {
      mode: modeOf(parsed, ttlMs !== undefined),
      ...(acl === undefined ? {} : { acl: parseAcl(acl) }),
      ...(ttlMs === undefined ? {} : { ttlMs })
    }
    try {
      note(`Created ${await client.create(path!, data ?? null, options)}`)
    } catch (error) {
      // ZooKeeper's shell says so twice.
      if (error instanceof ZkError && error.code === ErrorCode.INVALIDACL) {
        note(`KeeperErrorCode = InvalidACL for ${path}`)
      }
      throw error
    }
  }
}

const set: Command = {
  name: "set",
  usage: "[-s] [-v version] [-b] path data",
  options: { flags: ["s", "b"], values: ["v"] },
  args: [2, 2],
  run: async ({ client, print }, parsed) => {
    const [path, text] = parsed.args
    const data = parsed.has("b") ? Buffer.from(text!, "base64") : text!
    const stat = await client.setData(path!, data, parsed.integer("v") ?? -1)
    if (parsed.has("s")) print(formatStat(stat))
  }
}

const remove: Command = {
  name: "delete",
  usage: "[-v version] path",
  options: { values: ["v"] },
  args: [1, 1],
  run: ({ client }, parsed) => client.delete(parsed.args[0]!, parsed.integer("v") ?? -1)
}

const DEFAULT_BATCH = 1000
/** Batches in flight at once: enough to keep the leader busy. */
const BATCHES_AT_ONCE = 8

/** Deletes a batch as one transaction; if somebody else was quicker with one of its nodes, the rest one by one. */
const deleteBatch = async (client: ZkClient, paths: ReadonlyArray<string>): Promise<boolean> => {
  const transaction = client.transaction()
  for (const path of paths) transaction.delete(path)
  try {
    await transaction.commit()
    return true
  } catch (error) {
    if (!(error instanceof ZkError)) throw error
  }
  const results = await Promise.allSettled(paths.map((path) => client.delete(path)))
  return results.every(
    (result) =>
      result.status === "fulfilled" || (result.reason instanceof ZkError && result.reason.code === ErrorCode.NONODE)
  )
}

/** A node that must not go, or that we must not delete, is refused before anything below it is touched. */
const deletedAtOnce = async (client: ZkClient, path: string): Promise<boolean> => {
  try {
    await client.delete(path)
    return true
  } catch (error) {
    if (error instanceof ZkError && error.code === ErrorCode.NOTEMPTY) return false
    throw error
  }
}

const deleteall: Command = {
  name: "deleteall",
  usage: "path [-b batch size]",
  options: { values: ["b"] },
  args: [1, 1],
  run: async ({ client, note }, parsed) => {
    const size = parsed.integer("b", "-b argument must be an int value") ?? DEFAULT_BATCH
    if (size < 1) throw new UsageError("the batch size must be positive")
    if (await deletedAtOnce(client, parsed.args[0]!)) return
    const paths: Array<string> = []
    for await (const path of subtree(client, parsed.args[0]!)) paths.push(path)
    // Children before their parents: the order holds across batches, as a session's writes do.
    paths.reverse()
    let complete = true
    for (let at = 0; at < paths.length; at += size * BATCHES_AT_ONCE) {
      const wave = paths.slice(at, at + size * BATCHES_AT_ONCE)
      const batches = Array.from({ length: Math.ceil(wave.length / size) }, (_, i) =>
        deleteBatch(client, wave.slice(i * size, (i + 1) * size))
      )
      complete = (await Promise.all(batches)).every((deleted) => deleted) && complete
    }
    if (complete) return
    note("Failed to delete some node(s) in the subtree!")
    throw new CommandFailed()
  }
}

const setAcl: Command = {
  name: "setAcl",
  usage: "[-s] [-v version] [-R] path acl",
  options: { flags: ["s", "R"], values: ["v"] },
  args: [2, 2],
  run: async ({ client, print }, parsed) => {
    const [path, text] = parsed.args
    const acl = parseAcl(text!)
    const version = parsed.integer("v") ?? -1
    const paths: Array<string> = []
    if (parsed.has("R")) for await (const found of subtree(client, path!)) paths.push(found)
    else paths.push(path!)
    for (const each of paths) {
      const stat = await client.setACL(each, acl, version)
      // Of many znodes ZooKeeper's shell shows none.
      if (parsed.has("s") && !parsed.has("R")) print(formatStat(stat))
    }
  }
}

const MIXED =
  "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)"

const reconfig: Command = {
  name: "reconfig",
  usage: "[-s] [-v version] [[-file path] | [-members list]] | [-add list] [-remove ids]",
  options: { flags: ["s"], values: ["v", "file", "members", "add", "remove"] },
  args: [0, 0],
  run: async ({ client, print }, parsed) => {
    const [file, members] = [parsed.value("file"), parsed.value("members")]
    const [joining, leaving] = [parsed.value("add"), parsed.value("remove")]
    const whole = file === undefined ? members : (await readFile(file, "utf8")).trim()
    const incremental = joining !== undefined || leaving !== undefined
    if (incremental && whole !== undefined) throw new UsageError(MIXED)
    if (incremental === (whole !== undefined) || (file !== undefined && members !== undefined)) {
      throw new UsageError("either -file or -members, or -add and -remove")
    }
    const version = parsed.value("v")
    if (version !== undefined && !/^[0-9a-f]+$/i.test(version)) {
      throw new UsageError("-v must be followed by a long (configuration version)")
    }
    const { data, stat } = await client.reconfig({
      ...(joining === undefined ? {} : { joining }),
      ...(leaving === undefined ? {} : { leaving }),
      ...(whole === undefined ? {} : { members: whole }),
      ...(version === undefined ? {} : { fromConfig: Number.parseInt(version, 16) })
    })
    print(`Committed new configuration:\n${data === null ? "" : data.toString("utf8")}`)
    if (parsed.has("s")) print(formatStat(stat))
  }
}

/** Commands that change the tree. */
export const writes: ReadonlyArray<Command> = [create, remove, deleteall, reconfig, set, setAcl]
