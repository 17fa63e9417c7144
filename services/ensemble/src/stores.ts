/** Where the peers of this process keep their logs and trees. */
import { relative } from "node:path"
import { type Config, ConfigError, postgresUrlOf } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import { MemoryDatabase, memoryLayer, postgresLayer, StoreError, startEmbedded } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StoreLayer } from "./peer.ts"

export interface Stores {
  readonly layerOf: (sid: Sid) => StoreLayer
  /** For people: what is where. */
  readonly where: ReadonlyArray<readonly [what: string, where: string]>
}

export type StoreKind = "embedded" | "postgres" | "memory"

/** As the configuration says; else Postgres if it gives URLs, else the embedded one. */
export const storeKind = ({ knobs, postgresUrls }: Config): StoreKind =>
  knobs.store ?? (knobs["postgres.url"] !== undefined || postgresUrls.size > 0 ? "postgres" : "embedded")

/**
 * Opens what the stores of `sids` need to be there first; the embedded Postgres lives as long as the scope. `inMemoryAlone`:
 * those whose stores are so whatever the others' are.
 */
export const openStores = (
  config: Config,
  sids: ReadonlyArray<Sid>,
  dataDir: string,
  inMemoryAlone: ReadonlyArray<Sid> = []
): Effect.Effect<Stores, ConfigError | StoreError, Scope.Scope> => {
  const isDurable = (sid: Sid) => !inMemoryAlone.includes(sid)
  const durable = sids.filter(isDurable)
  if (durable.length === sids.length) return openDurable(config, sids, dataDir)
  const memory = inMemory()
  if (durable.length === 0) return Effect.succeed(memory)
  return Effect.map(openDurable(config, durable, dataDir), (stores) => ({
    layerOf: (sid: Sid) => (isDurable(sid) ? stores : memory).layerOf(sid),
    where: [...stores.where, [`peer ${inMemoryAlone.join(", ")}`, "observes in memory: syncEnabled=false"]]
  }))
}

const openDurable = (
  config: Config,
  sids: ReadonlyArray<Sid>,
  dataDir: string
): Effect.Effect<Stores, ConfigError | StoreError, Scope.Scope> => {
  switch (storeKind(config)) {
    case "memory":
      return Effect.succeed(inMemory())
    case "postgres":
      return inPostgres(config, sids)
    case "embedded":
      return embedded(dataDir)
  }
}

/** The store of one peer, if it is in a Postgres that anybody with the URL can reach. */
export const postgresOf = (config: Config, sid: Sid): StoreLayer | undefined => {
  const url = storeKind(config) === "postgres" ? postgresUrlOf(config, sid) : undefined
  return url === undefined ? undefined : postgresLayer({ url })
}

const inMemory = (): Stores => {
  // They outlive the peers that are built again over them, as disks would.
  const databases = new Map<Sid, MemoryDatabase>()
  const databaseOf = (sid: Sid): MemoryDatabase => {
    const database = databases.get(sid) ?? new MemoryDatabase()
    databases.set(sid, database)
    return database
  }
  return {
    layerOf: (sid) => memoryLayer(databaseOf(sid)),
    where: [["data", "in memory: gone when this process ends"]]
  }
}

const inPostgres = (config: Config, sids: ReadonlyArray<Sid>): Effect.Effect<Stores, ConfigError> =>
  Effect.gen(function* () {
    const urls = new Map<Sid, string>()
    for (const sid of sids) {
      const url = postgresUrlOf(config, sid)
      if (url === undefined) {
        return yield* new ConfigError({
          key: `postgres.url.${sid}`,
          reason: "store=postgres needs a URL for each peer"
        })
      }
      urls.set(sid, url)
    }
    return {
      layerOf: (sid: Sid) => {
        const url = urls.get(sid) ?? postgresUrlOf(config, sid)
        if (url !== undefined) return postgresLayer({ url })
        const message = `peer ${sid} has joined, but there is no postgres.url.${sid}`
        return Layer.effectContext(Effect.fail(new StoreError({ operation: "open", message })))
      },
      where: [...urls].map(([sid, url]) => [`data of peer ${sid}`, withoutPassword(url)] as const)
    }
  })

const withoutPassword = (url: string): string => url.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/, "$1:***@")

/** The name of a peer's database in the embedded Postgres. */
export const databaseOf = (sid: Sid): string => `peer${sid}`

const embedded = (dataDir: string): Effect.Effect<Stores, StoreError, Scope.Scope> =>
  Effect.map(startEmbedded({ dir: `${dataDir}/postgres` }), (postgres) => ({
    layerOf: (sid: Sid) => postgresLayer({ url: postgres.url(databaseOf(sid)) }),
    where: [
      ["data", relative("", postgres.location) || "."],
      [
        "look at it",
        `psql '${postgres.url(databaseOf(1))}' -c 'select time, type, path, session_hex from log order by zxid desc limit 9'`
      ]
    ] as const
  }))
