import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const made = new Set<string>()
process.on("exit", () => {
  if (process.env["ZKMESH_TEST_KEEP"] !== undefined) return
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** A directory that goes with this process (ZKMESH_TEST_KEEP=1 leaves it, to look at the logs). Other users may pass. */
export function temporary(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `zkmesh-${name}-`))
  chmodSync(path, 0o755)
  made.add(path)
  return path
}
