/** The flags that commands share, and what they are to the configuration. */
import { type Config, type ConfigError, type Entry, loadConfig } from "@zkmesh/config"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { loggingLayer } from "./logging.ts"

export const config = Flag.String("config").pipe(
  Flag.withDescription("ZooKeeper's zoo.cfg; --help-config lists its keys"),
  Flag.withMetavar("FILE"),
  Flag.optional
)
export const port = (meaning: string) =>
  Flag.Int("port").pipe(Flag.withDescription(meaning), Flag.withMetavar("PORT"), Flag.optional)
export const data = Flag.String("data").pipe(
  Flag.withDescription("directory of the embedded Postgres (default ./data)"),
  Flag.withMetavar("DIR"),
  Flag.optional
)
export const id = Flag.Int("id").pipe(
  Flag.withDescription("which server.N of the configuration this is"),
  Flag.withMetavar("N"),
  Flag.optional
)
export const detach = Flag.Boolean("detach").pipe(
  Flag.withDescription("go on in the background, with a pid file and a log in the data directory"),
  Flag.withDefault(false)
)

/** What a flag says, as an entry of the configuration. */
export const entry = (flag: string, key: string, value: Option.Option<string | number>): ReadonlyArray<Entry> =>
  Option.match(value, { onNone: () => [], onSome: (given) => [{ key, value: String(given), source: flag }] })

/** Joins the file, the environment and the flags. */
export const read = (
  file: Option.Option<string>,
  flags: ReadonlyArray<Entry>,
  base: Readonly<Record<string, string>> = {}
): Effect.Effect<Config, ConfigError> =>
  loadConfig(Option.getOrUndefined(file), { base, environment: process.env, flags })

/** Reads the configuration, and runs `placement` under the logger that it asks for. */
export const configured = <A, E, R>(
  file: Option.Option<string>,
  flags: ReadonlyArray<Entry>,
  placement: (config: Config) => Effect.Effect<A, E, R>,
  base: Readonly<Record<string, string>> = {}
): Effect.Effect<A, E | ConfigError, R> =>
  Effect.gen(function* () {
    const loaded = yield* read(file, flags, base)
    const level = yield* GlobalFlag.LogLevel
    const run = Effect.gen(function* () {
      for (const notice of loaded.notices) yield* Effect.logWarning(notice)
      return yield* placement(loaded)
    })
    return yield* Effect.provide(run, loggingLayer(loaded.knobs, Option.getOrUndefined(level)))
  }) as Effect.Effect<A, E | ConfigError, R>
