/** The session service's core: connections, order, watches and expiry, with no clock, no I/O and no Effect. */
export type { Connection } from "./connection.ts"
export { SessionCore } from "./core.ts"
export { ExpiryTracker } from "./expiry.ts"
export { Fifo } from "./fifo.ts"
export type { Fired, Leader, SessionInput, SessionOptions, SessionOutput } from "./input.ts"
export { kindOf, LOCAL, READ, REFUSED, WRITE } from "./operations.ts"
export type { MayRead } from "./watchers.ts"
export { type WatchSummary, WatchTable } from "./watchTable.ts"
