/** Run by embedded.test.ts as a process of its own, to be killed. */
import { Effect } from "effect"
import { startEmbedded } from "../src/index.ts"

const dir = process.argv[2]!
const program = Effect.flatMap(startEmbedded({ dir }), (embedded) => {
  console.log(embedded.pid())
  return Effect.never
})
Effect.runPromise(Effect.scoped(program)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
