export * from "./actor.ts"
export { Machine, realMachine } from "./machine.ts"
export * from "./spawn.ts"
export { makeSupervisor, supervisorLayer } from "./supervisor.ts"
