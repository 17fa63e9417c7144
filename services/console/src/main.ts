import { homedir } from "node:os"
import { join } from "node:path"
import { runConsole } from "./console.ts"

const historyFile = process.env["ZKMESH_HISTORY"] ?? join(homedir(), ".zkmesh_history")

// Whoever reads us may have read enough: `… | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
  process.exit()
})

process.exitCode = await runConsole(process.argv.slice(2), process, historyFile === "" ? undefined : historyFile)
// A terminal or an idle pipe would keep the process waiting for input.
process.stdin.destroy()
