/** Fills the compile cache with what every service loads, where the root file system can still be written to. */
import { enableCompileCache, flushCompileCache } from "node:module"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
// The same place as in services/ensemble/src/main.ts.
enableCompileCache(join(root, "node_modules/.cache/zkmesh"))
for (const module of ["run.ts", "server.ts"]) await import(join(root, "services/ensemble/src", module))
flushCompileCache()
