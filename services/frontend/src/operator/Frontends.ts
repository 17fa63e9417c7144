/** The frontends of one peer, or of one process: to an operator a plain door and a TLS door are one server. */
import type { Identity, OperatorQuestion, Stats } from "@zkmesh/messages"
import type { Readings, Registry } from "@zkmesh/metrics"
import { prove } from "../auth/packet.ts"
import { type Client, Phase } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import { Load } from "../limits/Load.ts"
import type { Peer } from "../Peer.ts"
import type { DropReason } from "../statistics.ts"

/** What is traced if nobody asks for something else: ZooKeeper's default. */
const TRACED = 306n

/** What of the statistics simply adds up. */
const SUMS = [
  "received",
  "sent",
  "bytesReceived",
  "bytesSent",
  "outstanding",
  "connectionRequests",
  "revalidations",
  "authFailures",
  "watchBytes",
  "stalls",
  "moves",
  "throttledOps",
  "staleReplies"
] as const

export type Totals = Readonly<Record<(typeof SUMS)[number], number>> & {
  readonly minLatency: number
  readonly averageLatency: number
  readonly maxLatency: number
  readonly lastReplyBytes: number
  readonly minReplyBytes: number
  readonly maxReplyBytes: number
}

const ANSWER_WITHIN_MS = 3000

export interface Answered {
  readonly peer: Peer
  readonly stats: Stats
}

export class Frontends {
  readonly metrics: Registry
  readonly all = new Set<Frontend>()
  readonly load = new Load()
  /** `stmk`; kept for whoever asks, the log does not follow it. */
  traceMask = TRACED
  private startedAt: number | undefined

  constructor(metrics: Registry) {
    this.metrics = metrics
  }

  /** Returns what takes it away again. */
  add(frontend: Frontend): () => void {
    this.all.add(frontend)
    this.startedAt ??= frontend.now()
    this.metrics.observe("frontends", () => this.readings())
    return () => void this.all.delete(frontend)
  }

  get clients(): ReadonlyArray<Client> {
    return [...this.all].flatMap((frontend) => [...frontend.clients.values()])
  }

  totals(): Totals {
    const sums = Object.fromEntries(SUMS.map((name) => [name, 0])) as Record<(typeof SUMS)[number], number>
    const sizes = { lastReplyBytes: -1, minReplyBytes: -1, maxReplyBytes: -1 }
    let minLatency = Number.POSITIVE_INFINITY
    let maxLatency = 0
    let latencies = 0
    let count = 0
    for (const { statistics } of this.all) {
      const { latency, lastReplyBytes, minReplyBytes, maxReplyBytes } = statistics
      for (const name of SUMS) sums[name] += statistics[name]
      if (latency.count > 0) minLatency = Math.min(minLatency, latency.min)
      maxLatency = Math.max(maxLatency, latency.max)
      latencies += latency.average * latency.count
      count += latency.count
      if (lastReplyBytes < 0) continue
      sizes.lastReplyBytes = lastReplyBytes
      sizes.maxReplyBytes = Math.max(sizes.maxReplyBytes, maxReplyBytes)
      sizes.minReplyBytes = sizes.minReplyBytes < 0 ? minReplyBytes : Math.min(sizes.minReplyBytes, minReplyBytes)
    }
    const averageLatency = count === 0 ? 0 : latencies / count
    return { ...sums, ...sizes, minLatency: count === 0 ? 0 : minLatency, averageLatency, maxLatency }
  }

  drops(...reasons: ReadonlyArray<DropReason>): number {
    let sum = 0
    for (const { statistics } of this.all) {
      if (reasons.length === 0) for (const count of statistics.drops.values()) sum += count
      else for (const reason of reasons) sum += statistics.drops.get(reason) ?? 0
    }
    return sum
  }

  private dropsByReason(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {}
    for (const { statistics } of this.all) {
      for (const [reason, count] of statistics.drops) {
        const name = reason.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
        sums[name] = (sums[name] ?? 0) + count
      }
    }
    return sums
  }

  /** The peer to speak for. One that is between two leaders keeps its clients, but has no mode that it could tell. */
  get settled(): { readonly frontend: Frontend; readonly peer: Peer } | undefined {
    for (const frontend of this.all) {
      const peer = frontend.peers.settled()
      if (peer !== undefined) return { frontend, peer }
    }
    return undefined
  }

  /** Asks the peer that clients are sent to; undefined if none serves, or it does not answer in time. */
  ask(question: OperatorQuestion): Promise<Answered | undefined> {
    const { settled } = this
    if (settled === undefined) return Promise.resolve(undefined)
    const { frontend, peer } = settled
    return new Promise((resolve) => {
      peer.ask(question, frontend.now() + ANSWER_WITHIN_MS, (stats) =>
        resolve(stats === undefined ? undefined : { peer, stats })
      )
    })
  }

  /** Who somebody is, known so far by `identity`, who says so in another way than by an auth packet; undefined: nobody. */
  prove(identity: Identity, scheme: string, auth: string): Identity | undefined {
    const [frontend] = this.all
    return frontend === undefined
      ? undefined
      : prove(identity, frontend.settings.authentication, scheme, Buffer.from(auth, "utf8"))
  }

  /** Ends so many of a hundred connections with a session, chosen by chance; what has been written to them still leaves. */
  shed(percentage: number): number {
    const open = [...this.all].flatMap((frontend) =>
      [...frontend.clients.values()]
        .filter(({ phase }) => phase === Phase.Open)
        .map((client) => ({ frontend, client, order: Math.random() }))
    )
    const chosen = open.sort((a, b) => a.order - b.order).slice(0, Math.ceil((open.length * percentage) / 100))
    for (const { frontend, client } of chosen) frontend.end(client, "shed")
    return chosen.length
  }

  get uptimeMs(): number {
    const [one] = this.all
    return one === undefined || this.startedAt === undefined ? 0 : Math.floor(one.now() - this.startedAt)
  }

  /** `srst`. */
  reset(): void {
    for (const { statistics } of this.all) statistics.reset()
    this.metrics.reset()
  }

  private readings(): Readings {
    const totals = this.totals()
    const { clients } = this
    const isLocal = ({ address }: Client) => address === "::1" || address.startsWith("127.")
    const plain = clients.filter(({ identity }) => !identity.some(({ scheme }) => scheme === "x509"))
    const handshakes = { pending: 0, failed: 0, exceeded: 0 }
    for (const { door } of this.all) {
      const { pending, failed, exceeded } = door.handshakeCounts
      handshakes.pending += pending
      handshakes.failed += failed
      handshakes.exceeded += exceeded
    }
    const local = plain.filter(isLocal).length
    return {
      avg_latency: Math.round(totals.averageLatency * 10_000) / 10_000,
      max_latency: Math.floor(totals.maxLatency),
      min_latency: Math.floor(totals.minLatency),
      packets_received: totals.received,
      packets_sent: totals.sent,
      num_alive_connections: clients.length,
      outstanding_requests: totals.outstanding,
      outstanding_tls_handshake: handshakes.pending,
      uptime: this.uptimeMs,
      last_client_response_size: totals.lastReplyBytes,
      max_client_response_size: totals.maxReplyBytes,
      min_client_response_size: totals.minReplyBytes,
      auth_failed_count: totals.authFailures,
      non_mtls_remote_conn_count: plain.length - local,
      non_mtls_local_conn_count: local,
      connection_drop_probability: Math.max(0, ...[...this.all].map((one) => one.conversation.dropProbability)),
      connection_request_count: totals.connectionRequests,
      connection_revalidate_count: totals.revalidations,
      connection_rejected: this.drops("tooManyConnections", "throttled"),
      connection_drop_count: this.drops(),
      connection_drops: this.dropsByReason(),
      sessionless_connections_expired: this.drops("sessionless"),
      cnxn_closed_without_zk_server_running: this.drops("notServing"),
      bytes_received_count: totals.bytesReceived,
      response_bytes: totals.bytesSent,
      watch_bytes: totals.watchBytes,
      unsuccessful_handshake: handshakes.failed,
      tls_handshake_exceeded: handshakes.exceeded,
      proxy_header_rejected: this.drops("badProxyHeader"),
      large_requests_rejected: this.drops("largeRequest", "badLength"),
      request_throttle_wait_count: totals.stalls,
      connection_carried_count: totals.moves,
      throttled_ops: totals.throttledOps,
      stale_replies: totals.staleReplies,
      stale_requests: this.drops("stale")
    }
  }
}

const byRegistry = new WeakMap<Registry, Frontends>()

/** The frontends that share this registry. */
export const frontendsOf = (metrics: Registry): Frontends => {
  let frontends = byRegistry.get(metrics)
  if (frontends === undefined) {
    frontends = new Frontends(metrics)
    byRegistry.set(metrics, frontends)
  }
  return frontends
}
