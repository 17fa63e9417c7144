/** Opcodes of the client protocol; the negative ones and those from 1000 on never come from a client's body. */
export const OpCode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  error: -1,
  createSession: -10,
  closeSession: -11,
  /** Ours: a live session is taken over by a new connection. A transaction, so that ownership is agreed upon. */
  attachSession: -12,
  /** Ours: stands for a request that has waited for too long, and is answered THROTTLEDOP when its turn comes. */
  throttled: 120,
  /** Ours: the same for a write where there is no leader, and for an ephemeral node of a session that may not own any. */
  notReadOnly: 121,
  ephemeralOnLocal: 122,
  /**
   * Ours: a frontend that has carried its client over registers what that one watches, as in setWatches2, and has the
   * events since told one by one. What lasts is refused with UNKNOWNSESSION unless all of them are known.
   */
  resumeWatches: 123,
  /**
   * Ours: the tree becomes the snapshot whose pieces are a znode's children, all of it in one transaction. There is no
   * such operation for anybody but the super user, who is the admin server.
   */
  restore: 124
} as const
export type OpCode = (typeof OpCode)[keyof typeof OpCode]

export const ErrorCode = {
  OK: 0,
  SYSTEMERROR: -1,
  RUNTIMEINCONSISTENCY: -2,
  DATAINCONSISTENCY: -3,
  CONNECTIONLOSS: -4,
  MARSHALLINGERROR: -5,
  UNIMPLEMENTED: -6,
  OPERATIONTIMEOUT: -7,
  BADARGUMENTS: -8,
  UNKNOWNSESSION: -12,
  NEWCONFIGNOQUORUM: -13,
  RECONFIGINPROGRESS: -14,
  APIERROR: -100,
  NONODE: -101,
  NOAUTH: -102,
  BADVERSION: -103,
  NOCHILDRENFOREPHEMERALS: -108,
  NODEEXISTS: -110,
  NOTEMPTY: -111,
  SESSIONEXPIRED: -112,
  INVALIDCALLBACK: -113,
  INVALIDACL: -114,
  AUTHFAILED: -115,
  SESSIONMOVED: -118,
  NOTREADONLY: -119,
  EPHEMERALONLOCALSESSION: -120,
  NOWATCHER: -121,
  REQUESTTIMEOUT: -122,
  RECONFIGDISABLED: -123,
  SESSIONCLOSEDREQUIRESASLAUTH: -124,
  QUOTAEXCEEDED: -125,
  THROTTLEDOP: -127
} as const
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

/** xids with a meaning of their own. */
export const Xid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const

export const CreateMode = {
  PERSISTENT: 0,
  EPHEMERAL: 1,
  PERSISTENT_SEQUENTIAL: 2,
  EPHEMERAL_SEQUENTIAL: 3,
  CONTAINER: 4,
  PERSISTENT_WITH_TTL: 5,
  PERSISTENT_SEQUENTIAL_WITH_TTL: 6
} as const
export type CreateMode = (typeof CreateMode)[keyof typeof CreateMode]

export const EventType = {
  None: -1,
  NodeCreated: 1,
  NodeDeleted: 2,
  NodeDataChanged: 3,
  NodeChildrenChanged: 4
} as const
export type EventType = (typeof EventType)[keyof typeof EventType]

/** What removeWatches and checkWatches are about. */
export const WatcherType = { Children: 1, Data: 2, Any: 3, Persistent: 4, PersistentRecursive: 5 } as const
export type WatcherType = (typeof WatcherType)[keyof typeof WatcherType]

export const AddWatchMode = { PERSISTENT: 0, PERSISTENT_RECURSIVE: 1 } as const
export type AddWatchMode = (typeof AddWatchMode)[keyof typeof AddWatchMode]

/** The state that every server-sent event carries: SyncConnected. */
export const SYNC_CONNECTED = 3

export const Perms = { READ: 1, WRITE: 2, CREATE: 4, DELETE: 8, ADMIN: 16, ALL: 31 } as const

export interface Id {
  readonly scheme: string
  readonly id: string
}
export interface Acl {
  readonly perms: number
  readonly id: Id
}
