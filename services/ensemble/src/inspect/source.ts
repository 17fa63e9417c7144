/** Which database an operator looks into. */
import { resolve } from "node:path"
import { type Config, ConfigError, postgresUrlOf } from "@zkmesh/config"
import { type Inspection, inspectPostgres, runningEmbedded, type StoreError, startEmbedded } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { databaseOf, storeKind } from "../stores.ts"

/** A flag's zxid: hexadecimal with 0x, else decimal. */
export const parseZxid = (flag: string, text: string): Effect.Effect<number, ConfigError> => {
  const zxid = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(zxid)
    ? Effect.succeed(zxid)
    : Effect.fail(new ConfigError({ key: flag, reason: `expected a zxid such as 0x100000001, got "${text}"` }))
}

/** Opens peer `sid`'s database: at its URL, or in the embedded Postgres, which is started for it if it does not run. */
export const openInspection = (
  config: Config,
  sid: number
): Effect.Effect<Inspection, ConfigError | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    switch (storeKind(config)) {
      case "memory":
        return yield* new ConfigError({ key: "store", reason: "memory keeps nothing that could be looked at" })
      case "postgres": {
        const url = postgresUrlOf(config, sid)
        if (url !== undefined) return yield* inspectPostgres({ url })
        return yield* new ConfigError({ key: `postgres.url.${sid}`, reason: "where is this peer's database?" })
      }
      case "embedded": {
        const dir = resolve(config.knobs.dataDir ?? "data", "postgres")
        const urlOf = (yield* runningEmbedded(dir)) ?? (yield* startEmbedded({ dir })).url
        return yield* inspectPostgres({ url: urlOf(databaseOf(sid)) })
      }
    }
  })
