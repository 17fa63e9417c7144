/** `initialize`: makes a server's directory, as zkServer-initialize.sh does. */
import { mkdir, readdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { type Config, ConfigError, MAX_SID } from "@zkmesh/config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { INITIALIZE } from "./blank.ts"
import { isDaemonFile } from "./daemon/record.ts"

/** Writes `myid`, and `initialize` beside it, into the directory of data; one that holds something is left alone unless `force` says otherwise. */
export const initialize = (config: Config, myid: number, force: boolean): Effect.Effect<void, ConfigError> =>
  Effect.gen(function* () {
    const directory = resolve(config.knobs.dataDir ?? "data")
    const refuse = (reason: string) => new ConfigError({ key: "", reason, source: directory })
    if (myid < 1 || myid > MAX_SID) {
      return yield* new ConfigError({ key: "--myid", reason: `a server's id is a number from 1 to ${MAX_SID}` })
    }
    const attempt = <A>(run: () => Promise<A>) =>
      Effect.tryPromise({
        try: run,
        catch: (cause) => refuse(cause instanceof Error ? cause.message : String(cause))
      })
    yield* attempt(() => mkdir(directory, { recursive: true }))
    const found = (yield* attempt(() => readdir(directory))).filter(
      (name) => !isDaemonFile(name) && name !== INITIALIZE
    )
    if (found.length > 0 && !force) {
      return yield* refuse(`holds ${found.slice(0, 3).join(", ")} already: --force writes myid all the same`)
    }
    yield* attempt(() => writeFile(join(directory, "myid"), `${myid}\n`))
    yield* attempt(() => writeFile(join(directory, INITIALIZE), ""))
    yield* Console.log(`${join(directory, "myid")}: ${myid}`)
  })
