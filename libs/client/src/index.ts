/** A ZooKeeper client: promises for operations, callbacks for watches, one session across connections. */
export {
  type Acl,
  AddWatchMode,
  type ClientInfo,
  CreateMode,
  ErrorCode,
  type Id,
  Perms,
  type ReceivedStat as Stat,
  validatePath,
  WatcherType
} from "@zkmesh/protocol"
export * from "./client.ts"
export { type ConnectTarget, type Endpoint, formatEndpoint, parseConnectString } from "./connectString.ts"
export * from "./errors.ts"
export type { SaslOptions } from "./login.ts"
export type { ZkClientEvents, ZkClientOptions } from "./options.ts"
export type { ClientState, SessionCredentials } from "./session.ts"
export {
  type CreateOptions,
  type Data,
  type DataAndStat,
  OPEN_ACL,
  type ReadOp,
  type ReadResult,
  type Transaction,
  type TransactionResult
} from "./transaction.ts"
export { type WatchEvent, WatchEventType, type Watcher } from "./watches.ts"
