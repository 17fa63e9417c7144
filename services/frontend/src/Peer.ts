import type { Dialled } from "@zkmesh/bus"
import type { ClientRequest, FrontendToSession, Role, SessionToFrontend, Stats } from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { Client } from "./Client.ts"

export type PeerLink = Dialled<FrontendToSession, SessionToFrontend>
type Query = Extract<FrontendToSession, { _tag: "Query" }>

/** What a peer's session service has said of itself. */
export interface PeerStatus {
  readonly serving: boolean
  readonly role: Role
  readonly epoch: number
  readonly zxid: Zxid
  /** It serves only those who want to read and no more. */
  readonly readOnly?: boolean
  /** It leads, and would rather that others serve. */
  readonly leadsOnly?: boolean
}

const SILENT: PeerStatus = { serving: false, role: "looking", epoch: 0, zxid: 0 }

interface Asked {
  readonly answered: (stats: Stats | undefined) => void
  readonly deadline: number
}

/** A peer's session service, as this frontend sees it: its link, its state, the clients that are attached there. */
export class Peer {
  readonly sid: Sid
  readonly dialled: PeerLink
  status: PeerStatus = SILENT
  /** When its role changed last. */
  since = 0
  readonly clients = new Set<Client>()
  /** Requests read in this turn of the event loop; they leave as one message. */
  private batch: Array<ClientRequest> = []
  /** At least one request of the batch is sampled. */
  private hasSampled = false
  /** Requests that have gone by the present link, the batch included. */
  added = 0
  private readonly asked = new Map<number, Asked>()
  private nextQuery = 1

  constructor(sid: Sid, dial: (peer: Peer) => PeerLink) {
    this.sid = sid
    this.dialled = dial(this)
  }

  said(status: PeerStatus, now: number): void {
    if (status.role !== this.status.role) this.since = now
    this.status = status
  }

  /** It takes no clients for now: it will say when it does again. */
  refuses(): void {
    this.status = { ...this.status, serving: false }
  }

  /** Queues a request; the caller sees to it that `flush` follows. */
  add(request: ClientRequest): void {
    this.added++
    if (request.trace !== undefined) this.hasSampled = true
    this.batch.push(request)
  }

  /** The requests that were queued last. */
  latest(count: number): Array<ClientRequest> {
    return this.batch.slice(this.batch.length - count)
  }

  /** A request of the batch is sampled. */
  sampled(): void {
    this.hasSampled = true
  }

  /** The link to it, by the bus's name for it at both ends. */
  get linkId(): string | undefined {
    return this.dialled.link?.id
  }

  flush(): void {
    if (this.batch.length === 0) return
    const requests = this.batch
    this.batch = []
    const { hasSampled } = this
    this.hasSampled = false
    this.dialled.link?.send(
      hasSampled ? { _tag: "Requests", requests, isSampled: true } : { _tag: "Requests", requests }
    )
  }

  /** In order with the requests: what was queued leaves first. If the link has gone, its end is on the way to us. */
  send(message: Exclude<FrontendToSession, { _tag: "Requests" }>): void {
    this.flush()
    this.dialled.link?.send(message)
  }

  /** `answered` is called once; without an answer by `deadline`, or if the link breaks, with undefined. */
  ask(name: Query["name"], deadline: number, answered: Asked["answered"]): void {
    const id = this.nextQuery++
    this.asked.set(id, { answered, deadline })
    this.send({ _tag: "Query", id, name })
  }

  answered({ id, stats }: Extract<SessionToFrontend, { _tag: "Answer" }>): void {
    const asked = this.asked.get(id)
    this.asked.delete(id)
    asked?.answered(stats)
  }

  /** Gives up on questions that were to be answered by `now`. */
  expire(now: number): void {
    for (const [id, asked] of this.asked) {
      if (asked.deadline > now) continue
      this.asked.delete(id)
      asked.answered(undefined)
    }
  }

  lost(): void {
    this.status = SILENT
    this.batch = []
    this.hasSampled = false
    this.added = 0
    this.expire(Number.POSITIVE_INFINITY)
  }
}
