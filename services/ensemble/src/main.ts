#!/usr/bin/env node
/** Gets the real main loaded: quickly, and without losing a signal that comes meanwhile. */
import { enableCompileCache } from "node:module"
import { join } from "node:path"

// Saves a third of the time to start. Where it cannot be written there is none.
enableCompileCache(join(import.meta.dirname, "../../../node_modules/.cache/zkmesh"))

const stop = () => process.exit(0)
process.once("SIGINT", stop).once("SIGTERM", stop)
const { main } = await import("./run.ts")
process.off("SIGINT", stop).off("SIGTERM", stop)
main()
