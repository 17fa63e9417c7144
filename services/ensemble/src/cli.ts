/** The command line. Each command joins its flags with the environment and zoo.cfg, then runs a placement. */
import { describeText } from "@zkmesh/config"
import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { daemonFiles, operatorCommands } from "./commands.ts"
import { config, configured, data, detach, entry, id, port } from "./flags.ts"
import { VERSION } from "./version.ts"

/** Who leads is told on the screen: the log is for what goes wrong. */
const TERMINAL = { "logger.level": "warn" }
/** A laptop's defaults, where no file says otherwise: ZooKeeper's sample zoo.cfg, and every four-letter word. */
const LAPTOP = { ...TERMINAL, tickTime: "2000", "4lw.commands.whitelist": "*" }

/** Says this very command line again, in the background. */
const detached = (flags: Parameters<typeof daemonFiles>[0]) =>
  Effect.gen(function* () {
    const { startDetached } = yield* Effect.promise(() => import("./daemon/background.ts"))
    const argv = process.argv.slice(2).filter((word) => !word.startsWith("--detach"))
    yield* startDetached(yield* daemonFiles(flags), argv)
  })

// What a command needs is loaded when it is chosen: --help and a mistyped flag answer at once.
const start = Command.make(
  "start",
  {
    config,
    data,
    port: port("first client port (default 2181); peer N listens on the N-th from there"),
    peers: Flag.Int("peers").pipe(
      Flag.withDescription("how many peers (default 3, or as many as the data is of)"),
      Flag.withMetavar("N"),
      Flag.filter(
        (peers) => peers >= 1 && peers <= 99,
        (peers) => `1 to 99, got ${peers}`
      ),
      Flag.optional
    ),
    detach
  },
  Effect.fnUntraced(function* (flags) {
    if (flags.detach) {
      return yield* detached({ config: flags.config, data: flags.data, id: Option.none() })
    }
    const { runEnsemble } = yield* Effect.promise(() => import("./ensemble.ts"))
    const entries = [...entry("--data", "dataDir", flags.data), ...entry("--port", "clientPort", flags.port)]
    const asked = { peers: Option.getOrUndefined(flags.peers), portFlagged: Option.isSome(flags.port) }
    const base = Option.isNone(flags.config) ? LAPTOP : TERMINAL
    yield* configured(flags.config, entries, (loaded) => runEnsemble(loaded, asked), base)
  })
).pipe(Command.withDescription("A whole ensemble in this process, with its own Postgres (the ensemble placement)"))

const server = Command.make(
  "server",
  { config, id, data, port: port("client port of this peer, over the configuration's"), detach },
  Effect.fnUntraced(function* (flags) {
    if (flags.detach) return yield* detached(flags)
    const { runServer } = yield* Effect.promise(() => import("./server.ts"))
    const entries = [
      ...entry("--id", "peer.id", flags.id),
      ...entry("--data", "dataDir", flags.data),
      ...entry("--port", "clientPort", flags.port)
    ]
    yield* configured(flags.config, entries, (loaded) => runServer(loaded, Option.isSome(flags.port)))
  })
).pipe(Command.withDescription("One peer with all its services (the server placement), or an observer"))

const serve = Command.make(
  "serve",
  {
    service: Argument.Literals("service", ["election", "broadcast", "znode", "session", "frontend", "replica"]),
    config,
    id,
    name: Flag.String("name").pipe(
      Flag.withDescription("frontend or replica: its address on the bus"),
      Flag.withMetavar("NAME"),
      Flag.optional
    ),
    peer: Flag.Int("peer").pipe(
      Flag.withDescription("frontend: a peer to connect to; repeat it in the order of preference (default: all)"),
      Flag.withMetavar("N"),
      Flag.atLeast(0)
    ),
    port: port("frontend or replica: client port")
  },
  Effect.fnUntraced(function* (flags) {
    const { runFrontendService, runService } = yield* Effect.promise(() => import("./server.ts"))
    const { runReplica } = yield* Effect.promise(() => import("./replica.ts"))
    const entries = [
      ...entry("--id", "peer.id", flags.id),
      ...entry("--port", "clientPort", flags.port),
      ...entry("--name", "frontend.name", flags.name)
    ]
    const { service, peer } = flags
    yield* configured(flags.config, entries, (loaded) =>
      service === "replica"
        ? runReplica(loaded)
        : service === "frontend"
          ? runFrontendService(loaded, peer)
          : runService(loaded, service)
    )
  })
).pipe(Command.withDescription("One service alone (the mesh placement)"))

const health = Command.make(
  "health",
  {
    url: Flag.String("url").pipe(
      Flag.withDescription("where to ask; /health/live instead of /health/ready asks only whether it runs"),
      Flag.withMetavar("URL"),
      Flag.withDefault("http://127.0.0.1:8080/health/ready")
    ),
    timeout: Flag.Int("timeout").pipe(
      Flag.withDescription("how long to wait for the answer"),
      Flag.withMetavar("MS"),
      Flag.withDefault(3000)
    )
  },
  Effect.fnUntraced(function* ({ url, timeout }) {
    const { probe } = yield* Effect.promise(() => import("./probe.ts"))
    yield* probe(url, timeout)
  })
).pipe(Command.withDescription("Ask a running process whether it serves, and why not: exit code 0 or 1"))

const helpConfig = GlobalFlag.Action({
  flag: Flag.Boolean("help-config").pipe(Flag.withDescription("List every key of the configuration")),
  run: (asked) => (asked ? Console.log(describeText()) : Effect.void)
})

const zkmesh = Command.make("zkmesh").pipe(
  Command.withDescription("A ZooKeeper-compatible coordination service"),
  Command.withSubcommands([start, server, serve, health, ...operatorCommands]),
  Command.withGlobalFlags([helpConfig])
)

/** A mistyped command line is answered by one line, not by the whole help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`zkmesh: ${event.errors.map((error) => error.message).join("; ")} (--help says more)`)
      : CliOutput.defaultPresenter.present(event)
})

const builtIns = CliConfig.layer({
  builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]
})

/** Runs what the arguments say. */
export const run = Command.run(zkmesh, { version: VERSION }).pipe(Effect.provide(Layer.merge(presenter, builtIns)))
