/** A thread that runs the seeds that it is sent, and sends back what came of each. */
import { parentPort } from "node:worker_threads"
import type { Shape } from "@zkmesh/simulator"
import { cast } from "./cast.ts"
import { runSeed } from "./runs.ts"

parentPort?.on("message", (shape: Shape) => parentPort?.postMessage(runSeed(shape, cast)))
