/**
 * Whom Postgres runs as. It refuses to run as root, so a root process lends it an unprivileged account that exists anyway;
 * what that account has to reach must then be reachable for it.
 */
import { readFile, stat } from "node:fs/promises"
import { dirname } from "node:path"

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** `nobody` of every Unix, for images without /etc/passwd. */
const NOBODY: Account = { name: "nobody", uid: 65534, gid: 65534 }

/** The account to run as; undefined: this process's own will do. */
export const accountForPostgres = async (): Promise<Account | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const accounts = await readAccounts()
  return accounts.get("postgres") ?? accounts.get("nobody") ?? NOBODY
}

const readAccounts = async (): Promise<Map<string, Account>> => {
  const accounts = new Map<string, Account>()
  const passwd = await readFile("/etc/passwd", "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return ""
    throw error
  })
  for (const line of passwd.split("\n")) {
    const [name, , uid, gid] = line.split(":")
    // A platform may write nobody as -2, which no call takes.
    if (name !== undefined && Number(uid) > 0 && Number(gid) > 0) {
      accounts.set(name, { name, uid: Number(uid), gid: Number(gid) })
    }
  }
  return accounts
}

/** The innermost directory on the way to `path` that `account` may not enter; undefined if the way is free. */
export const barrier = async (path: string, account: Account | undefined): Promise<string | undefined> => {
  if (account === undefined) return undefined
  for (let directory = path; ; directory = dirname(directory)) {
    const { mode, uid, gid } = await stat(directory)
    const may = uid === account.uid ? mode & 0o100 : gid === account.gid ? mode & 0o010 : mode & 0o001
    if (may === 0) return directory
    if (directory === dirname(directory)) return undefined
  }
}
