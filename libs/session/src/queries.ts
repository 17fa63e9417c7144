import { type FrontendToSession, type Stats, statsAt } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { Frontend } from "./connection.ts"
import type { SessionCore } from "./core.ts"

type Query = Extract<FrontendToSession, { _tag: "Query" }>

interface Asked {
  readonly frontend: Frontend
  readonly query: Query
}

/** An operator's questions: answered with what the session service knows, together with what its znode says. */
export class Queries {
  private readonly core: SessionCore
  private readonly asked = new Map<number, Asked>()
  private nextId = 1

  constructor(core: SessionCore) {
    this.core = core
  }

  ask(frontend: Frontend, query: Query): void {
    if (query.name === "watches" || !this.core.standing.connected) {
      this.answer({ frontend, query }, {})
      return
    }
    const id = this.nextId++
    this.asked.set(id, { frontend, query })
    if (query.name === "reset") this.core.options.onReset?.()
    this.core.sendToZnode({ _tag: "Query", id, name: query.name === "sessions" ? "ephemerals" : query.name })
  }

  answered(id: number, stats: Stats): void {
    const asked = this.asked.get(id)
    if (asked === undefined) return
    this.asked.delete(id)
    this.answer(asked, stats)
  }

  /** The znode is gone: what it was asked is answered without it. */
  abandon(): void {
    for (const asked of this.asked.values()) this.answer(asked, {})
    this.asked.clear()
  }

  private answer(asked: Asked, stats: Stats): void {
    const { frontend, query } = asked
    frontend.open({ _tag: "Answer", id: query.id, stats: { ...stats, ...this.own(query.name, stats) } })
  }

  private own(name: Query["name"], stats: Stats): Stats {
    if (name === "stats") return { ...this.stats(), figures: this.figures(stats) }
    if (name === "watches") return this.watches()
    return name === "sessions" ? this.sessions() : {}
  }

  /** What the whole peer has measured: what came along from znode and broadcast, and the session service's own. */
  private figures(stats: Stats): Stats {
    return { ...statsAt(stats, "figures"), ...this.core.options.figures?.() }
  }

  /** What the session service knows of itself. */
  stats(): Stats {
    const { attached, reads, tracking, watchers } = this.core
    const { role, serving } = this.core.standing
    let pending = 0
    let parked = 0
    for (const connection of attached.values()) {
      pending += connection.pending.length
      parked += connection.parked.length
    }
    return {
      serving,
      role: role.role,
      epoch: role.epoch,
      leader: role.leader,
      global_sessions: tracking.size,
      local_sessions: this.core.standalone.size,
      attached_sessions: attached.size,
      opening_sessions: this.core.opening.size,
      watch_count: watchers.table.count,
      session_reads_outstanding: reads.outstanding,
      session_writes_pending: pending,
      session_reads_after_writes: parked,
      stale_sessions_expired: tracking.expiredCount
    }
  }

  /** The data table, as wchs, wchc and wchp show it. */
  private watches(): Stats {
    const { connections, paths, watches } = this.core.watchers.table.summary()
    const sessions: Array<Stats> = []
    for (const { connection, paths } of this.core.watchers.watching()) {
      sessions.push({ session: hex(connection.session), paths })
    }
    return { connections, paths, watches, sessions }
  }

  /** What `dump` shows: on the leader by time of expiry, elsewhere every session with its timeout. */
  private sessions(): Stats {
    const { tracker } = this.core.tracking
    const sets = tracker?.sets() ?? []
    const sessions = [...this.core.tracking.sessions()].sort(([a], [b]) => a - b)
    return {
      leading: tracker !== undefined,
      now: this.core.now,
      sessions: sessions.map(([id, timeoutMs]) => ({ session: hex(id), timeout: timeoutMs })),
      sets: sets.map(({ expiresAt, sessions }) => ({ expiresAt, sessions: sessions.map(hex) }))
    }
  }
}
