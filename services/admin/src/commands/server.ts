/** Commands about the server as a whole: its state, its numbers, its configuration. */
import { statsAt } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import {
  type Answered,
  digestsOf,
  environment,
  figuresOf,
  lastZxid,
  peerState,
  proposalSizes,
  serverState,
  sizesOf,
  VERSION
} from "@zkmesh/service-frontend"
import { always, asking, type Command, list, number, type Subject, text } from "./command.ts"
import { brief, connectionLists } from "./connections.ts"
import { clientAddress, electionAddress, memberOf, membersOf, serverAddress } from "./members.ts"

/** `maxClientCnxns` → `max_client_cnxns` */
const snake = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const statistics = ({ server }: Subject, { peer, stats }: Answered) => {
  const totals = server.totals()
  const { data, log } = sizesOf(stats)
  const [last, min, max] = proposalSizes(stats)
  const isLeader = serverState(peer, stats) === "leader"
  return {
    version: VERSION,
    read_only: peer.status.readOnly === true,
    server_stats: {
      packets_sent: totals.sent,
      packets_received: totals.received,
      fsync_threshold_exceed_count: 0,
      client_response_stats: {
        last_buffer_size: totals.lastReplyBytes,
        min_buffer_size: totals.minReplyBytes,
        max_buffer_size: totals.maxReplyBytes
      },
      provider_null: false,
      outstanding_requests: totals.outstanding,
      last_processed_zxid: Number.parseInt(lastZxid(peer, stats), 16),
      server_state: serverState(peer, stats),
      num_alive_client_connections: server.clients.length,
      data_dir_size: data,
      log_dir_size: log,
      min_latency: Math.floor(totals.minLatency),
      avg_latency: Math.round(totals.averageLatency * 10_000) / 10_000,
      max_latency: Math.floor(totals.maxLatency),
      uptime: server.uptimeMs,
      auth_failed_count: totals.authFailures,
      non_mtlslocal_conn_count: number(server.metrics.figures("frontend"), "non_mtls_local_conn_count"),
      non_mtlsremote_conn_count: number(server.metrics.figures("frontend"), "non_mtls_remote_conn_count")
    },
    client_response: {
      last_buffer_size: totals.lastReplyBytes,
      min_buffer_size: totals.minReplyBytes,
      max_buffer_size: totals.maxReplyBytes
    },
    ...(isLeader ? { proposal_stats: { last_buffer_size: last, min_buffer_size: min, max_buffer_size: max } } : {}),
    node_count: number(stats, "znode_count")
  }
}

const zxidOf = (hex: string): string => (hex === "" || hex === "0x0" ? "ffffffffffffffff" : hex.replace(/^0x/, ""))

export const SERVER_COMMANDS: ReadonlyArray<Command> = [
  asking(["configuration", "conf", "config"], "stats", ({ settings }) =>
    Object.fromEntries(settings.configuration.map(([key, value]) => [snake(key), value]))
  ),
  asking(["dirs"], "stats", (_subject, { stats }) => {
    const { data, log } = sizesOf(stats)
    return { datadir_size: data, logdir_size: log }
  }),
  always(["environment", "env", "envi"], () => Object.fromEntries(environment())),
  always(["get_trace_mask", "gtmk"], ({ server }) => ({ tracemask: Number(server.traceMask) })),
  always(["set_trace_mask", "stmk"], ({ server }, { traceMask }) => {
    if (traceMask === undefined) return { error: "setTraceMask requires long traceMask argument" }
    if (!/^-?\d{1,18}$/.test(traceMask))
      return { error: "setTraceMask requires long traceMask argument, got " + traceMask }
    server.traceMask = BigInt(traceMask)
    return { tracemask: Number(traceMask) }
  }),
  asking(["hash"], "digests", (_subject, { stats }) => ({
    digests: digestsOf(stats).map(({ zxid, digest }) => ({ zxid, digest, digest_version: 2 }))
  })),
  always(["initial_configuration", "icfg"], ({ settings }) => ({
    initial_configuration: settings.initialConfiguration
  })),
  asking(["is_read_only", "isro"], "stats", (_subject, { peer }) => ({ read_only: peer.status.readOnly === true })),
  asking(["last_snapshot", "lsnp"], "stats", (_subject, { stats }) => ({
    zxid: zxidOf(text(stats, "checkpoint_zxid")),
    timestamp: number(stats, "checkpoint_time", -1)
  })),
  asking(["leader", "lead"], "stats", ({ settings }, { peer, stats }) => {
    const state = serverState(peer, stats)
    if (state === "standalone") return { error: "server is not initialized" }
    const leader = number(stats, "leader")
    const { host } = memberOf(settings, stats, leader) ?? { host: "" }
    return { is_leader: state === "leader", leader_id: leader, leader_ip: host }
  }),
  asking(["monitor", "mntr"], "stats", ({ server }, { peer, stats }) => {
    const state = peerState(peer, stats)
    return {
      version: VERSION,
      server_state: serverState(peer, stats),
      ...(state === undefined ? {} : { peer_state: state }),
      ...figuresOf(server, stats)
    }
  }),
  asking(["observer_connection_stat_reset", "orst"], "stats", () => ({})),
  asking(["observers", "obsr"], "stats", (_subject, { stats }) => ({
    synced_observers: number(statsAt(stats, "figures"), "synced_observers"),
    observers: list(stats, "observers").map((one) => ({
      // Peers meet over the bus: what they have there is a name.
      remote_socket_address: `broadcast.${number(one, "sid")}`,
      sid: number(one, "sid"),
      established: Math.round(Date.now() - number(one, "connectedMs")),
      last_zxid: hex(number(one, "lastZxid"))
    }))
  })),
  asking(["ruok"], "stats", () => ({})),
  asking(["server_stats", "srvr"], "stats", (subject, answered) => statistics(subject, answered)),
  asking(["stats", "stat"], "stats", (subject, answered) => ({
    ...statistics(subject, answered),
    ...connectionLists(subject.server, brief)
  })),
  asking(["stat_reset", "srst"], "reset", ({ server }) => {
    server.reset()
    return {}
  }),
  asking(["storage"], "stats", (_subject, { stats }) => {
    const { data, log } = sizesOf(stats)
    const figures = statsAt(stats, "figures")
    return {
      checkpoint_zxid: text(stats, "checkpoint_zxid"),
      checkpoint_bytes: data,
      log_after_zxid: `0x${number(figures, "log_floor_zxid").toString(16)}`,
      log_last_zxid: `0x${number(figures, "last_durable_zxid").toString(16)}`,
      log_bytes: log
    }
  }),
  always(["system_properties", "sysp"], ({ settings }) =>
    Object.fromEntries(Object.entries(settings.properties).sort(([a], [b]) => (a < b ? -1 : 1)))
  ),
  asking(["voting_view"], "stats", ({ settings }, { stats }) => ({
    current_config: Object.fromEntries(
      membersOf(settings, stats)
        .filter(({ role }) => role === "participant")
        .map((member) => [
          member.sid,
          {
            server_addresses: [serverAddress(member)],
            election_addresses: [electionAddress(member)],
            client_address: clientAddress(member),
            learner_type: member.role
          }
        ])
    )
  })),
  asking(["zabstate"], "stats", ({ settings }, { peer, stats }) => {
    const own = memberOf(settings, stats, peer.sid)
    const zxid = Number.parseInt(lastZxid(peer, stats), 16)
    return {
      myid: peer.sid,
      is_leader: serverState(peer, stats) === "leader",
      quorum_address: own === undefined ? "" : serverAddress(own),
      election_address: own === undefined ? "" : electionAddress(own),
      client_address: own === undefined ? "" : clientAddress(own),
      voting: own === undefined ? peer.status.role !== "observing" : own.role === "participant",
      last_zxid: lastZxid(peer, stats),
      zab_epoch: Math.floor(zxid / 2 ** 32),
      zab_counter: zxid % 2 ** 32,
      zabstate: text(stats, "zab_phase")
    }
  })
]
