export { type EmbeddedOptions, type EmbeddedPostgres, startEmbedded } from "./embedded/index.ts"
export * from "./memory.ts"
export { CorruptSnapshot, SNAPSHOT_CHUNK } from "./snapshot.ts"
export * from "./store.ts"
