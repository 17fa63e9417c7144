export * from "./bus.ts"
export * from "./dialled.ts"
export { loopbackLayer } from "./loopback.ts"
export * from "./owned.ts"
