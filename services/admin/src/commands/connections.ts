/** Commands about clients: their connections, sessions and watches. */
import { addressOf, type Frontends, shortName } from "@zkmesh/service-frontend"
import { asking, type Command, list, number, words } from "./command.ts"

type Client = Frontends["clients"][number]

/** What `stats` tells of a connection. */
export const brief = (client: Client) => ({
  remote_socket_address: addressOf(client).slice(1),
  interest_ops: client.isHeld ? 0 : 1,
  outstanding_requests: client.outstanding,
  packets_received: client.received,
  packets_sent: client.sent
})

const full = (client: Client) => ({
  ...brief(client),
  ...(client.sessionId === 0
    ? {}
    : {
        session_id: client.sessionId,
        last_operation: shortName(client.lastOp),
        established: client.establishedAt,
        session_timeout: client.timeoutMs,
        last_cxid: client.lastXid,
        last_zxid: client.lastZxid,
        last_response_time: Math.floor(client.lastReplyAt),
        last_latency: Math.floor(client.lastLatency),
        min_latency: Math.floor(client.latency.min),
        avg_latency: Math.floor(client.latency.average),
        max_latency: Math.floor(client.latency.max)
      })
})

/** The plain and the TLS connections. */
export const connectionLists = <A>(server: Frontends, show: (client: Client) => A) => {
  const isSecure = ({ socket }: Client) => "encrypted" in socket
  const { clients } = server
  return {
    connections: clients.filter((client) => !isSecure(client)).map(show),
    secure_connections: clients.filter(isSecure).map(show)
  }
}

const id = (hex: string): number => Number.parseInt(hex, 16)

export const CONNECTION_COMMANDS: ReadonlyArray<Command> = [
  asking(["connection_stat_reset", "crst"], "stats", ({ server }) => {
    for (const client of server.clients) client.resetStatistics()
    return {}
  }),
  asking(["connections", "cons"], "stats", ({ server }) => connectionLists(server, full)),
  asking(["dump"], "sessions", (_subject, { stats }) => ({
    // Times are of the peer's monotonic clock: here, as those of the day.
    expiry_time_to_session_ids: Object.fromEntries(
      list(stats, "sets").map((set) => [
        Math.round(number(set, "expiresAt") - number(stats, "now") + Date.now()),
        words(set, "sessions").map(id)
      ])
    ),
    session_id_to_ephemeral_paths: Object.fromEntries(
      list(stats, "ephemerals").map((one) => [id(String(one["session"])), words(one, "paths")])
    )
  })),
  asking(["watches", "wchc"], "watches", (_subject, { stats }) => ({
    session_id_to_watched_paths: Object.fromEntries(
      list(stats, "sessions").map((one) => [id(String(one["session"])), words(one, "paths")])
    )
  })),
  asking(["watches_by_path", "wchp"], "watches", (_subject, { stats }) => {
    const byPath: Record<string, Array<number>> = {}
    for (const one of list(stats, "sessions")) {
      for (const path of words(one, "paths")) {
        byPath[path] ??= []
        byPath[path].push(id(String(one["session"])))
      }
    }
    return { path_to_session_ids: byPath }
  }),
  asking(["watch_summary", "wchs"], "watches", (_subject, { stats }) => ({
    num_connections: number(stats, "connections"),
    num_paths: number(stats, "paths"),
    num_total_watches: number(stats, "watches")
  }))
]
