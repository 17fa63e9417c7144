export { type BroadcastServiceOptions, runBroadcast } from "./Broadcast.ts"
