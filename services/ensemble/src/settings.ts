/** From the configuration to what each service is started with. */
import { hostname } from "node:os"
import { type Config, ConfigError, observesInMemory, type Server, sessionTimeouts } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import type { BroadcastServiceOptions } from "@zkmesh/service-broadcast"
import type { FrontendOptions } from "@zkmesh/service-frontend"
import { dataPlaces } from "./adminSettings.ts"
import { type Door, doorName, isSecure } from "./doors.ts"
import { limitsOf } from "./limits.ts"
import type { RestartPolicy } from "./restart.ts"

export interface Members {
  readonly voters: ReadonlyArray<Sid>
  readonly observers: ReadonlyArray<Sid>
}

export const membersOf = (servers: ReadonlyArray<Server>): Members => ({
  voters: servers.filter((server) => server.role === "participant").map((server) => server.sid),
  observers: servers.filter((server) => server.role === "observer").map((server) => server.sid)
})

/** Kept in memory behind its checkpoint by a peer that has no disk: whoever has been away for longer takes a snapshot. */
export const MEMORY_LOG_RETAIN = 10_000

/** Those who observe, and keep nothing on a disk (`syncEnabled`). */
export const keptInMemory = (config: Config, { observers }: Members): ReadonlyArray<Sid> =>
  observesInMemory(config) ? observers : []

const logRetain = (config: Config, sid: Sid, members: Members): number => {
  if (keptInMemory(config, members).includes(sid)) return MEMORY_LOG_RETAIN
  return config.knobs["autopurge.purgeInterval"] === 0 ? 0 : config.knobs["log.retain"]
}

/** The options of the five services of peer `sid`. */
export const peerSettings = (config: Config, sid: Sid, members: Members) => {
  const { knobs, membership } = config
  const { voters, observers } = members
  const { tickTime: tickTimeMs, initLimit, syncLimit } = knobs
  const { minMs, maxMs } = sessionTimeouts(knobs)
  return {
    election: {
      sid,
      voters,
      configuration: membership,
      observer: observers.includes(sid),
      minNotificationMs: knobs["fastleader.minNotificationInterval"],
      maxNotificationMs: knobs["fastleader.maxNotificationInterval"],
      finalizeWaitMs: knobs["election.finalizeWaitMs"]
    },
    broadcast: {
      sid,
      voters,
      observers,
      configuration: membership,
      reconfigEnabled: knobs.reconfigEnabled,
      tickTimeMs,
      initLimit,
      syncLimit,
      logRetain: logRetain(config, sid, members),
      windowBytes: knobs["broadcast.windowBytes"],
      commitLingerMs: knobs["broadcast.commitLingerMs"],
      appendLingerMs: knobs["broadcast.appendLingerMs"],
      slowCommitMs: knobs["fsync.warningthresholdms"],
      maxEpochWaitMs: knobs["leader.maxTimeToWaitForEpoch"] > 0 ? knobs["leader.maxTimeToWaitForEpoch"] : undefined,
      redialMs: knobs.leaderConnectDelayDuringRetryMs,
      forceSnapshotSync: knobs.forceSnapshotSync,
      maxSnapSyncs: knobs["leader.maxConcurrentSnapSyncs"],
      maxDiffSyncs: knobs["leader.maxConcurrentDiffSyncs"],
      observerElectionDelayMs: knobs["observer.election.DelayMs"],
      observerReconnectDelayMs: knobs["observer.reconnectDelayMs"]
    },
    znode: {
      sid,
      snapCount: knobs.snapCount,
      recentReplyBytes: knobs["znode.recentReplyBytes"],
      recentEvents: knobs["znode.recentEvents"],
      checkpointIntervalMs: knobs["checkpoint.intervalMs"],
      tickTimeMs,
      syncLimit,
      extendedTypes: knobs.extendedTypesEnabled,
      enforceQuota: knobs.enforceQuota,
      absentSchemes: absentSchemes(knobs),
      skipAcl: knobs.skipACL === "yes",
      containerCheckIntervalMs: knobs["znode.container.checkIntervalMs"],
      containerMaxPerMinute: knobs["znode.container.maxPerMinute"],
      containerMaxNeverUsedMs: knobs["znode.container.maxNeverUsedIntervalMs"],
      reconfigEnabled: knobs.reconfigEnabled,
      standaloneEnabled: knobs.standaloneEnabled,
      // As ZooKeeper shows a membership that is not reconfigured; without server lines there is nothing to show.
      ...(membership === undefined ? {} : { configText: membership })
    },
    session: {
      sid,
      audit: knobs["audit.enable"],
      tickTimeMs,
      syncLimit,
      minSessionTimeoutMs: minMs,
      maxSessionTimeoutMs: maxMs,
      skipAcl: knobs.skipACL === "yes",
      leaderServes: knobs.leaderServes === "yes",
      localSessions: knobs.localSessionsEnabled,
      localSessionsUpgrading: knobs.localSessionsUpgradingEnabled,
      readOnlyMode: knobs["readonlymode.enabled"]
    }
  }
}

/** As in ZooKeeper, an ACL names no scheme that the configuration has not brought in. */
const absentSchemes = (knobs: Config["knobs"]): ReadonlyArray<"x509" | "sasl"> => {
  const hasTls = knobs.secureClientPort !== undefined || knobs["client.portUnification"]
  const hasSasl = knobs.jaasLoginConfig !== undefined || knobs["sasl.users"] !== undefined
  return [...(hasTls ? [] : ["x509" as const]), ...(hasSasl ? [] : ["sasl" as const])]
}

export type PeerSettings = ReturnType<typeof peerSettings> & { readonly broadcast: BroadcastServiceOptions }

/**
 * What a frontend is started with. `sid` is the peer that it belongs to; a frontend of nobody's has none. With a
 * `preference` it follows the ensemble as it changes.
 */
export const frontendSettings = (
  config: Config,
  name: string,
  door: Door,
  peers: ReadonlyArray<Sid>,
  sid?: Sid,
  preference?: FrontendOptions["preference"]
): FrontendOptions => {
  const { knobs } = config
  const words = knobs["4lw.commands.whitelist"]
  const backlog = knobs.clientPortListenBacklog
  return {
    name: doorName(name, door),
    peers,
    preference,
    own: preference === undefined ? undefined : ownOf(config, door, sid),
    ...door.endpoint,
    tls: door.tls,
    proxies: knobs["frontend.proxyProtocol"],
    ...limitsOf(knobs),
    voters: membersOf(config.servers).voters.length,
    maxFrameBytes: knobs["jute.maxbuffer"],
    fourLetterWords: words.includes("*")
      ? "*"
      : [...new Set(["srvr", ...(knobs["readonlymode.enabled"] ? ["isro"] : []), ...words])],
    authentication: door.authentication,
    configuration: shown(config, door, sid),
    sessionlessTimeoutMs: knobs["nio.sessionlessCnxnTimeout"],
    tcpKeepAlive: knobs.clientTcpKeepAlive,
    backlog: backlog === -1 ? undefined : backlog
  }
}

/** A server's port moves with its line, unless it has been told to have another one than its line says. */
const ownOf = ({ servers }: Config, door: Door, sid: Sid | undefined): FrontendOptions["own"] => {
  const server = servers.find((one) => one.sid === sid)
  if (server === undefined || isSecure(door)) return undefined
  const { clientHost, clientPort } = server
  if (clientPort === undefined) return { sid: server.sid, client: undefined }
  if (clientPort !== door.endpoint.port) return undefined
  return { sid: server.sid, client: `${clientHost ?? "0.0.0.0"}:${clientPort}` }
}

/** What the word `conf` prints: ZooKeeper's lines, as far as there is something to say. */
const shown = (config: Config, door: Door, sid: Sid | undefined) => {
  const { port } = door.endpoint
  const { knobs, servers } = config
  const { minMs, maxMs } = sessionTimeouts(knobs)
  const [dataDir, dataLogDir] = dataPlaces(config, sid)
  const server = servers.find((one) => one.sid === sid)
  const lines: Array<readonly [string, string | number]> = [
    ["clientPort", isSecure(door) ? -1 : port],
    ["secureClientPort", isSecure(door) ? port : -1],
    ["dataDir", dataDir],
    ["dataLogDir", dataLogDir],
    ["tickTime", knobs.tickTime],
    ["maxClientCnxns", knobs.maxClientCnxns],
    ["minSessionTimeout", minMs],
    ["maxSessionTimeout", maxMs],
    ["clientPortListenBacklog", knobs.clientPortListenBacklog],
    ["serverId", sid ?? 0],
    ["initLimit", knobs.initLimit],
    ["syncLimit", knobs.syncLimit],
    ["electionAlg", 3]
  ]
  if (server !== undefined) lines.push(["peerType", server.role === "observer" ? 1 : 0])
  return lines
}

export const restartPolicy = ({ knobs }: Config): RestartPolicy => ({
  minMs: knobs["restart.minMs"],
  maxMs: knobs["restart.maxMs"]
})

/** A name that no other frontend of the ensemble has, as far as this machine can tell. */
export const frontendName = ({ knobs }: Config): string =>
  knobs["frontend.name"] ?? `${hostname()}-${process.pid}`.replaceAll(/[^A-Za-z0-9_-]/g, "-")

/** `peers` in the same ring, begun at a place that the name decides: frontends of many names share the peers evenly. */
export const spread = (peers: ReadonlyArray<Sid>, name: string): ReadonlyArray<Sid> => {
  let hash = 0x811c9dc5
  for (const char of Buffer.from(name)) hash = Math.imul(hash ^ char, 0x01000193) >>> 0
  const first = hash % peers.length
  return [...peers.slice(first), ...peers.slice(0, first)]
}

/** `first` before the other members: a frontend prefers its own peer and falls back on the rest. */
export const preferring =
  (first: Sid) =>
  (members: ReadonlyArray<Sid>): ReadonlyArray<Sid> => [first, ...members.filter((sid) => sid !== first)]

/** The peer whose server.N line is `sid`. */
export const serverOf = ({ servers }: Config, sid: Sid): Server => {
  const server = servers.find((one) => one.sid === sid)
  if (server === undefined) {
    const known = servers.map((one) => one.sid).join(", ")
    throw new ConfigError({ key: `server.${sid}`, reason: `the configuration has no such line (it has ${known})` })
  }
  return server
}
