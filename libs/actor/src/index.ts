export * from "./actor.ts"
export * from "./spawn.ts"
export { makeSupervisor, supervisorLayer } from "./supervisor.ts"
