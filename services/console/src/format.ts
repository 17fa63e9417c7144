import {
  type Acl,
  type ClientState,
  ErrorCode,
  Perms,
  type Stat,
  type WatchEvent,
  WatchEventType,
  type ZkError
} from "@zkmesh/client"
import { pathComplaint } from "./paths.ts"
import { UsageError } from "./words.ts"

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const two = (value: number): string => String(value).padStart(2, "0")

const zoneName = (date: Date): string =>
  new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date).find((p) => p.type === "timeZoneName")
    ?.value ?? "UTC"

/** As Java prints a date: `Mon Nov 23 01:49:09 UTC 2026`, in the local zone. */
export const formatDate = (ms: number): string => {
  const date = new Date(ms)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const day = `${days[date.getDay()]} ${months[date.getMonth()]} ${two(date.getDate())}`
  return `${day} ${time} ${zoneName(date)} ${date.getFullYear()}`
}

/** A 64-bit number as hexadecimal two's complement. */
const hex = (value: number): string => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`

/** The eleven lines of a Stat. */
export const formatStat = (stat: Stat): string =>
  [
    `cZxid = ${hex(stat.czxid)}`,
    `ctime = ${formatDate(stat.ctime)}`,
    `mZxid = ${hex(stat.mzxid)}`,
    `mtime = ${formatDate(stat.mtime)}`,
    `pZxid = ${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = ${stat.ephemeralOwner}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`
  ].join("\n")

export const formatList = (values: ReadonlyArray<string>): string => `[${values.join(", ")}]`

/** The letters of a set of permissions, in the order in which they are printed. */
const letters: ReadonlyArray<readonly [string, number]> = [
  ["c", Perms.CREATE],
  ["d", Perms.DELETE],
  ["r", Perms.READ],
  ["w", Perms.WRITE],
  ["a", Perms.ADMIN]
]

export const formatAcl = (acls: ReadonlyArray<Acl>): string =>
  acls
    .map(({ perms, id }) => {
      const granted = letters.filter(([, bit]) => (perms & bit) !== 0).map(([letter]) => letter)
      return `'${id.scheme},'${id.id}\n: ${granted.join("")}`
    })
    .join("\n")

/** `scheme:id:perms[,…]`; an id may hold colons. */
export const parseAcl = (text: string): Array<Acl> =>
  text.split(",").map((entry) => {
    const first = entry.indexOf(":")
    const last = entry.lastIndexOf(":")
    if (first < 0 || first === last) throw new UsageError(`${entry} does not have the form scheme:id:perm`)
    let perms = 0
    for (const letter of entry.slice(last + 1)) {
      const bit = letters.find(([known]) => known === letter)?.[1]
      if (bit === undefined) throw new UsageError(`Unknown perm type: ${letter}`)
      perms |= bit
    }
    return { perms, id: { scheme: entry.slice(0, first), id: entry.slice(first + 1, last) } }
  })

/** Sixteen bytes a line, in hexadecimal and as text. */
export const formatHexDump = (data: Uint8Array): string => {
  const rule = `+--------+${"-".repeat(49)}+${"-".repeat(16)}+`
  const lines = [`         +${"-".repeat(49)}+`, "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |", rule]
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.subarray(at, at + 16)]
    const bytes = row.map((byte) => ` ${byte.toString(16).padStart(2, "0")}`).join("")
    const text = row.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("")
    lines.push(`|${at.toString(16).padStart(8, "0")}|${bytes.padEnd(48)} |${text.padEnd(16)}|`)
  }
  return [...lines, rule].join("\n")
}

const eventNames = new Map<number, string>(Object.entries(WatchEventType).map(([name, type]) => [type, name]))

/** KeeperState's names for the states of a client. */
const keeperStates: Readonly<Record<ClientState, string>> = {
  CONNECTING: "Disconnected",
  CONNECTED: "SyncConnected",
  CONNECTEDREADONLY: "ConnectedReadOnly",
  EXPIRED: "Expired",
  AUTH_FAILED: "AuthFailed",
  CLOSED: "Closed"
}

export const formatEvent = ({ type, path, zxid }: WatchEvent, state: ClientState): string =>
  `\nWATCHER::\n\nWatchedEvent state:${keeperStates[state]} type:${eventNames.get(type) ?? type} path:${path} zxid: ${zxid}`

export const formatStateEvent = (state: ClientState): string =>
  formatEvent({ type: WatchEventType.None, path: "null", zxid: -1 }, state)

/** What ZooKeeper's shell says about an error, by its code. */
const sentences: ReadonlyMap<number, string> = new Map([
  [ErrorCode.NONODE, "Node does not exist: "],
  [ErrorCode.NODEEXISTS, "Node already exists: "],
  [ErrorCode.NOTEMPTY, "Node not empty: "],
  [ErrorCode.NOCHILDRENFOREPHEMERALS, "Ephemerals cannot have children: "],
  [ErrorCode.NOTREADONLY, "Not a read-only call: "],
  [ErrorCode.INVALIDACL, "Acl is not valid : "],
  [ErrorCode.NOAUTH, "Insufficient permission : "],
  [ErrorCode.BADARGUMENTS, "Arguments are not valid : "],
  [ErrorCode.BADVERSION, "version No is not valid : "],
  [ErrorCode.QUOTAEXCEEDED, "Quota has exceeded : "]
])

/** KeeperException's names, for the codes that have no sentence of their own. */
const keeperNames: ReadonlyMap<number, string> = new Map([
  [ErrorCode.SYSTEMERROR, "SystemError"],
  [ErrorCode.RUNTIMEINCONSISTENCY, "RuntimeInconsistency"],
  [ErrorCode.DATAINCONSISTENCY, "DataInconsistency"],
  [ErrorCode.CONNECTIONLOSS, "ConnectionLoss"],
  [ErrorCode.MARSHALLINGERROR, "MarshallingError"],
  [ErrorCode.UNIMPLEMENTED, "Unimplemented"],
  [ErrorCode.OPERATIONTIMEOUT, "OperationTimeout"],
  [ErrorCode.UNKNOWNSESSION, "UnknownSession"],
  [ErrorCode.APIERROR, "APIError"],
  [ErrorCode.SESSIONEXPIRED, "Session expired"],
  [ErrorCode.INVALIDCALLBACK, "Invalid callback"],
  [ErrorCode.AUTHFAILED, "AuthFailed"],
  [ErrorCode.SESSIONMOVED, "Session moved"],
  [ErrorCode.EPHEMERALONLOCALSESSION, "Ephemeral node on local session"],
  [ErrorCode.NOWATCHER, "No such watcher"],
  [ErrorCode.REQUESTTIMEOUT, "Request timed out"],
  [ErrorCode.RECONFIGDISABLED, "Reconfig is disabled"],
  [ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH, "Session closed because client failed to authenticate"],
  [ErrorCode.THROTTLEDOP, "Op throttled due to high load"]
])

export const formatError = (error: ZkError): string => {
  if (error.code === ErrorCode.RECONFIGINPROGRESS) {
    return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
  }
  if (error.code === ErrorCode.NEWCONFIGNOQUORUM) {
    return "No quorum of new config is connected and up-to-date with the leader of last committed config - try invoking reconfiguration after new servers are connected and synced"
  }
  const path = error.path ?? ""
  // The client refuses an impossible path by itself: there is no server's error to show.
  const complaint = error.code === ErrorCode.BADARGUMENTS && error.path !== undefined ? pathComplaint(path) : undefined
  if (complaint !== undefined) return complaint
  const sentence = sentences.get(error.code)
  const why = error.cause instanceof TypeError ? ` (${error.cause.message})` : ""
  if (sentence !== undefined) return `${sentence}${path}${why}`
  const name = keeperNames.get(error.code) ?? error.codeName
  return `KeeperErrorCode = ${name}${path === "" ? "" : ` for ${path}`}`
}
