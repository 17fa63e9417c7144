/** `npm run sim` */
import { enableCompileCache } from "node:module"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

enableCompileCache(join(import.meta.dirname, "../../../node_modules/.cache/zkmesh"))
const { sim } = await import("./cli.ts")

const program = Command.run(sim, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer))
NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, done) => done(Exit.isSuccess(exit) ? 0 : 1)
})
