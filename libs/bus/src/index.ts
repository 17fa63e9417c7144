export * from "./bus.ts"
export { loopbackLayer } from "./loopback.ts"
export * from "./owned.ts"
