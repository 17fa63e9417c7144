/** `npm run failover`: what clients notice of a leader's death, beside ZooKeeper. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Data, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { ensureTools } from "../setup/packages.ts"
import { describe, killLeaders } from "./killLeaders.ts"
import { start, targets } from "./targets.ts"

class FailoverError extends Data.TaggedError("FailoverError")<{ readonly message: string }> {}

const flags = {
  placement: Flag.Literals("placement", ["server", "mesh", "all"]).pipe(
    Flag.withDescription("How zkmesh runs: a process per peer, a process per service, or one after the other"),
    Flag.withDefault("all" as const)
  ),
  versus: Flag.Boolean("versus").pipe(Flag.withDescription("The same with ZooKeeper, too"), Flag.withDefault(false)),
  kills: Flag.Int("kills").pipe(Flag.withDescription("How often the leader is killed"), Flag.withDefault(20)),
  wireClients: Flag.Int("wire-clients").pipe(
    Flag.withDescription("Clients with many requests under way"),
    Flag.withDefault(30)
  ),
  kazooClients: Flag.Int("kazoo-clients").pipe(Flag.withDescription("kazoo clients"), Flag.withDefault(30)),
  watchers: Flag.Int("watchers").pipe(
    Flag.withDescription("Clients with lasting watches on all that the wire clients write"),
    Flag.withDefault(3)
  )
}

const failover = Command.make("failover", flags, ({ placement, versus, ...load }) =>
  Effect.tryPromise({
    try: async () => {
      ensureTools(["nats", "kazoo", "java", "curator", "javaCompiler"], console.log)
      if (versus) ensureTools(["zookeeper"], console.log)
      for (const name of targets) {
        if (name === "zookeeper" ? !versus : placement !== "all" && placement !== name) continue
        console.log(`starting: ${name}`)
        const target = await start(name)
        try {
          const outcome = await killLeaders(target, { ...load, say: console.log })
          console.log(describe(name, outcome))
        } finally {
          await target.stop()
        }
      }
    },
    catch: (cause) => new FailoverError({ message: cause instanceof Error ? cause.message : String(cause) })
  })
).pipe(Command.withDescription("Kills the leader again and again under load, and tells what its clients noticed."))

failover.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.catchTag("FailoverError", (error) =>
    Effect.flatMap(Console.error(error.message), () => Effect.sync(() => process.exit(1)))
  ),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
