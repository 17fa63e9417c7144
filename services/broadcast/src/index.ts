export { runBroadcast } from "./Broadcast.ts"
export type { BroadcastServiceOptions } from "./options.ts"
