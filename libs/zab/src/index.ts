/**
 * ZAB: discovery, synchronisation and broadcast as plain synchronous objects.
 *
 * `Peer` is the whole of it: hand it what happened (`step`), then carry out what `flush` returns, in order. It knows no
 * clock, network, disk or Effect; the service `broadcast` and the simulation in `test/` drive the very same code.
 */
export * from "./invariant.ts"
export type { StoredMembership } from "./membership.ts"
export { Peer } from "./peer.ts"
export * from "./types.ts"
