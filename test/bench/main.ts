import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Data, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { composeTable, scaling } from "./compose.ts"
import { describe, machine, runLoad, show } from "./run.ts"
import { type Load, operations, parseServers } from "./spec.ts"
import { costTable, tracingCosts } from "./tracing.ts"
import { summary, versus } from "./versus.ts"

class BenchError extends Data.TaggedError("BenchError")<{ readonly message: string }> {}

const attempt = <A>(work: () => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => new BenchError({ message: cause instanceof Error ? cause.message : String(cause) })
  })

const flags = {
  connect: Flag.String("connect").pipe(
    Flag.withDescription("Servers to load, host:port,host:port; sessions are spread over them"),
    Flag.optional
  ),
  versus: Flag.Literals("versus", ["zookeeper"]).pipe(
    Flag.withDescription("Start three ZooKeeper servers and three peers of zkmesh, and load them in turn"),
    Flag.optional
  ),
  tracing: Flag.Boolean("tracing").pipe(
    Flag.withDescription("Load servers that trace nothing, 1 % and everything in turn, and tell what that costs"),
    Flag.withDefault(false)
  ),
  compose: Flag.Boolean("compose").pipe(
    Flag.withDescription(
      "Bring up docker-compose.yml, and load 1, 2 and 4 of its replicas, its frontends, and ZooKeeper"
    ),
    Flag.withDefault(false)
  ),
  placement: Flag.Literals("placement", ["server", "ensemble"]).pipe(
    Flag.withDescription("With --versus or --tracing: how zkmesh runs"),
    Flag.withDefault("server" as const)
  ),
  rounds: Flag.Int("rounds").pipe(
    Flag.withDescription("With --versus or --compose (3), or --tracing (15): turns of each"),
    Flag.optional
  ),
  op: Flag.Literals("op", operations).pipe(Flag.withDescription("What is asked"), Flag.withDefault("setData" as const)),
  sessions: Flag.Int("sessions").pipe(Flag.withDescription("Client sessions"), Flag.withDefault(30)),
  outstanding: Flag.Int("outstanding").pipe(
    Flag.withDescription("Requests that each session keeps on their way"),
    Flag.withDefault(50)
  ),
  readRatio: Flag.String("read-ratio").pipe(
    Flag.withDescription("Of a mix: the share of getData, 0 to 1"),
    Flag.withDefault("0.9")
  ),
  size: Flag.Int("size").pipe(Flag.withDescription("Bytes of a value"), Flag.withDefault(100)),
  nodes: Flag.Int("nodes").pipe(Flag.withDescription("Znodes that are read and written"), Flag.withDefault(100)),
  seconds: Flag.Int("seconds").pipe(Flag.withDescription("How long is measured: 10, with --tracing 2"), Flag.optional),
  warmup: Flag.Int("warmup").pipe(Flag.withDescription("Seconds before that: 2, with --tracing 1"), Flag.optional),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON only"), Flag.withDefault(false))
}

const bench = Command.make(
  "bench",
  flags,
  Effect.fnUntraced(function* (options) {
    const readRatio = Number(options.readRatio)
    if (!(readRatio >= 0 && readRatio <= 1)) {
      return yield* new BenchError({ message: `--read-ratio ${options.readRatio} is not between 0 and 1` })
    }
    const { nodes, outstanding, sessions, size } = options
    // Many short turns are more alike, each with its neighbours, than a few long ones.
    const seconds = Option.getOrElse(options.seconds, () => (options.tracing ? 2 : 10))
    const warmup = Option.getOrElse(options.warmup, () => (options.tracing ? 1 : 2))
    const rounds = Option.getOrElse(options.rounds, () => (options.tracing ? 15 : 3))
    if (Math.min(nodes, outstanding, seconds, sessions, rounds) < 1 || Math.min(size, warmup) < 0) {
      return yield* new BenchError({ message: "counts and seconds must be positive" })
    }
    const common = { sessions, outstanding, readRatio, size, nodes, seconds, warmupSeconds: warmup }
    if (Option.isSome(options.versus)) {
      const { placement } = options
      const say = (line: string) => (options.json ? undefined : console.log(line))
      say(machine())
      const comparisons = yield* attempt(() => versus({ ...common, placement, rounds, say }))
      yield* options.json
        ? Console.log(JSON.stringify({ machine: machine(), placement, comparisons }, null, 2))
        : Console.log(["", ...summary(comparisons)].join("\n"))
      return
    }
    if (options.tracing) {
      const { placement } = options
      const say = (line: string) => (options.json ? undefined : console.log(line))
      say(machine())
      const costs = yield* attempt(() => tracingCosts({ ...common, placement, rounds, say }))
      yield* options.json
        ? Console.log(JSON.stringify({ machine: machine(), placement, costs }, null, 2))
        : Console.log(["", ...costTable(costs)].join("\n"))
      return
    }
    if (options.compose) {
      const say = (line: string) => (options.json ? undefined : console.log(line))
      say(machine())
      const measured = yield* attempt(() => scaling({ ...common, rounds, say }))
      yield* options.json
        ? Console.log(JSON.stringify({ machine: machine(), measured }, null, 2))
        : Console.log(["", ...composeTable(measured)].join("\n"))
      return
    }
    if (Option.isNone(options.connect)) {
      return yield* new BenchError({ message: "give --connect host:port, --versus zookeeper, --compose or --tracing" })
    }
    const connect = options.connect.value
    const servers = yield* attempt(async () => parseServers(connect))
    const load: Load = { ...common, servers, op: options.op, root: "/bench" }
    const result = yield* attempt(() => runLoad(load))
    yield* options.json
      ? Console.log(JSON.stringify({ machine: machine(), load, result }, null, 2))
      : Console.log(`${machine()}\n${describe(load)}\n${show(result)}`)
  })
).pipe(
  Command.withDescription(
    "Loads a ZooKeeper-compatible ensemble over raw sockets and tells throughput and latency. Makes znodes under /bench."
  )
)

bench.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.catchTag("BenchError", (error) =>
    Effect.flatMap(Console.error(error.message), () => Effect.sync(() => process.exit(1)))
  ),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
