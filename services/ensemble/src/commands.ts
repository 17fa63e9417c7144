/** The operator's commands beside the placements: what runs in the background, the configuration, a peer's data. */
import type { ConfigError } from "@zkmesh/config"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Files, filesIn } from "./daemon/record.ts"
import { config, configured, data, entry, id, read } from "./flags.ts"

/** The files of what was started with these flags. */
export const daemonFiles = (flags: {
  readonly config: Option.Option<string>
  readonly data: Option.Option<string>
  readonly id: Option.Option<number>
}): Effect.Effect<Files, ConfigError> =>
  Effect.map(read(flags.config, entry("--data", "dataDir", flags.data)), ({ knobs }) =>
    filesIn(knobs.dataDir, Option.getOrUndefined(flags.id))
  )

const stop = Command.make(
  "stop",
  { config, data, id },
  Effect.fnUntraced(function* (flags) {
    const { stopDetached } = yield* Effect.promise(() => import("./daemon/background.ts"))
    yield* stopDetached(yield* daemonFiles(flags))
  })
).pipe(Command.withDescription("Stop what start --detach or server --detach has started"))

const restart = Command.make(
  "restart",
  { config, data, id },
  Effect.fnUntraced(function* (flags) {
    const { restartDetached } = yield* Effect.promise(() => import("./daemon/background.ts"))
    yield* restartDetached(yield* daemonFiles(flags))
  })
).pipe(Command.withDescription("Stop it, and start the same again"))

const status = Command.make(
  "status",
  {
    config,
    data,
    id,
    server: Flag.String("server").pipe(
      Flag.withDescription("ask this server, whoever started it; may be repeated"),
      Flag.withMetavar("HOST:PORT"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { status: ask } = yield* Effect.promise(() => import("./daemon/status.ts"))
    yield* ask(yield* daemonFiles(flags), flags.server)
  })
).pipe(Command.withDescription("Say whether it runs, and the mode of each server: exit code 0 or 1"))

const check = Command.make(
  "check",
  { config, id, data },
  Effect.fnUntraced(function* (flags) {
    const { checkConfiguration } = yield* Effect.promise(() => import("./check.ts"))
    const entries = [...entry("--id", "peer.id", flags.id), ...entry("--data", "dataDir", flags.data)]
    yield* checkConfiguration(yield* read(flags.config, entries), Option.isSome(flags.id))
  })
).pipe(
  Command.withDescription("Print what a configuration comes to; exit code 1, with the key named, if it cannot be run")
)

const myid = Flag.Int("myid").pipe(Flag.withDescription("the N of its server.N line"), Flag.withMetavar("N"))
const force = Flag.Boolean("force").pipe(
  Flag.withDescription("write myid although the directory holds something"),
  Flag.withDefault(false)
)

const initialize = Command.make(
  "initialize",
  { config, data, myid, force },
  Effect.fnUntraced(function* (flags) {
    const { initialize: make } = yield* Effect.promise(() => import("./initialize.ts"))
    const loaded = yield* read(flags.config, entry("--data", "dataDir", flags.data))
    yield* make(loaded, flags.myid, flags.force)
  })
).pipe(Command.withDescription("Make a server's data directory with its file myid"))

const peer = Flag.Int("id").pipe(
  Flag.withDescription("whose data (default: the configuration's peer.id, else 1)"),
  Flag.withMetavar("N"),
  Flag.optional
)
const zxid = (name: string, meaning: string) =>
  Flag.String(name).pipe(Flag.withDescription(meaning), Flag.withMetavar("ZXID"), Flag.optional)

/** Opens the data of a peer, and looks at it. What the looking logs is for stderr. */
const looking = <A, E, R>(
  flags: {
    readonly config: Option.Option<string>
    readonly data: Option.Option<string>
    readonly id: Option.Option<number>
  },
  look: (inspection: import("@zkmesh/store").Inspection) => Effect.Effect<A, E, R>
) =>
  configured(
    flags.config,
    [...entry("--data", "dataDir", flags.data), ...entry("--id", "peer.id", flags.id)],
    (loaded) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { openInspection } = yield* Effect.promise(() => import("./inspect/source.ts"))
          return yield* look(yield* openInspection(loaded, loaded.knobs["peer.id"] ?? 1))
        })
      ),
    { "logger.level": "warn" }
  )

const optionalZxid = (flag: string, text: Option.Option<string>, otherwise: number) =>
  Effect.gen(function* () {
    const { parseZxid } = yield* Effect.promise(() => import("./inspect/source.ts"))
    return Option.isNone(text) ? otherwise : yield* parseZxid(flag, text.value)
  })

const log = Command.make(
  "log",
  {
    config,
    data,
    id: peer,
    from: zxid("from", "the first transaction to print (default: the oldest there is)"),
    to: zxid("to", "the last one (default: the newest)"),
    session: Flag.String("session").pipe(
      Flag.withDescription("only what this session did"),
      Flag.withMetavar("0x…"),
      Flag.optional
    ),
    path: Flag.String("path").pipe(
      Flag.withDescription("only what changes this znode, or one below it"),
      Flag.withMetavar("PATH"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("at most so many lines"),
      Flag.withMetavar("N"),
      Flag.withDefault(Number.MAX_SAFE_INTEGER)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { printLog } = yield* Effect.promise(() => import("./inspect/log.ts"))
    const from = yield* optionalZxid("--from", flags.from, 1)
    const to = yield* optionalZxid("--to", flags.to, Number.MAX_SAFE_INTEGER)
    const session = Option.isNone(flags.session) ? undefined : yield* optionalZxid("--session", flags.session, 0)
    const query = { from, to, session, path: Option.getOrUndefined(flags.path), limit: flags.limit }
    yield* looking(flags, (inspection) => printLog(inspection, query))
  })
).pipe(Command.withDescription("Print a peer's transaction log, a line for each transaction"))

const tree = Command.make(
  "tree",
  {
    config,
    data,
    id: peer,
    at: zxid("at", "after which transaction (default: the newest that this peer has)"),
    path: Argument.String("path").pipe(Argument.withDescription("where to begin"), Argument.withDefault("/"))
  },
  Effect.fnUntraced(function* (flags) {
    const { printTree, treeAt } = yield* Effect.promise(() => import("./inspect/tree.ts"))
    const at = yield* optionalZxid("--at", flags.at, -1)
    yield* looking(flags, (inspection) =>
      Effect.flatMap(treeAt(inspection, at < 0 ? inspection.last : at), (found) => printTree(found, flags.path))
    )
  })
).pipe(Command.withDescription("Print the znodes as they were at a zxid: the checkpoint, and the log replayed on it"))

export const operatorCommands = [stop, restart, status, check, initialize, log, tree] as const
