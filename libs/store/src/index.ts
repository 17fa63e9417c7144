export * from "./memory.ts"
export { CorruptSnapshot, SNAPSHOT_CHUNK } from "./snapshot.ts"
export * from "./store.ts"
