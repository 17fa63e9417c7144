/** The embedded Postgres that another process runs, for those who only want to look. */
import { realpath } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { StoreError } from "../store.ts"
import { locate, SUPERUSER } from "./cluster.ts"
import { readIfThere } from "./files.ts"
import { isPostmasterOf } from "./processes.ts"

/**
 * How to connect to the embedded Postgres of `dir`, if one runs there: a function from a database's name to its URL.
 * undefined if none runs; a StoreError if the directory is none of zkmesh's.
 */
export const runningEmbedded = (dir: string): Effect.Effect<((database: string) => string) | undefined, StoreError> =>
  Effect.tryPromise({
    try: () => find(dir),
    catch: (cause) =>
      cause instanceof StoreError
        ? cause
        : new StoreError({
            operation: "runningEmbedded",
            message: cause instanceof Error ? cause.message : String(cause),
            cause
          })
  })

const find = async (dir: string): Promise<((database: string) => string) | undefined> => {
  const location = await locate(await realpath(dir))
  if (location === undefined) {
    throw new StoreError({ operation: "runningEmbedded", message: `${dir} holds no embedded Postgres` })
  }
  const cluster = join(location, "cluster")
  // postmaster.pid: the pid in line 1, the port in line 4, the socket's directory in line 5, the state in line 8.
  const lines = (await readIfThere(join(cluster, "postmaster.pid")))?.split("\n") ?? []
  const [pid, port, socketDir, state] = [Number(lines[0]), lines[3]?.trim(), lines[4]?.trim(), lines[7]?.trim()]
  if (!Number.isSafeInteger(pid) || pid <= 0 || state !== "ready") return undefined
  if (port === undefined || socketDir === undefined || !(await isPostmasterOf(pid, cluster))) return undefined
  const query = `host=${encodeURIComponent(socketDir)}&port=${port}&user=${SUPERUSER}`
  return (database) => `postgresql:///${encodeURIComponent(database)}?${query}`
}
