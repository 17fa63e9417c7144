/** The embedded Postgres that another process runs, for those who only want to look. */

import { realpath } from "node:fs/promises"
import { join } from "node:path"
import type { Effect } from "effect"
import { attempt } from "../attempt.ts"
import { StoreError } from "../store.ts"
import { locate, SUPERUSER } from "./cluster.ts"
import { readIfThere } from "./files.ts"
import { isPostmasterOf } from "./processes.ts"

/**
 * How to connect to the embedded Postgres of `dir`, if one runs there: a function from a database's name to its URL.
 * undefined if none runs; a StoreError if the directory is none of zkmesh's.
 */
export const runningEmbedded = (dir: string): Effect.Effect<((database: string) => string) | undefined, StoreError> =>
  attempt("runningEmbedded", () => find(dir))

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
