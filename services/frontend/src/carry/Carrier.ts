/**
 * The failover that clients do not notice. When the peer that a client is attached to fails, or has no leader while
 * another one has, the client keeps its socket: its session is attached to another peer, its watches are registered there
 * as of the last zxid that it has seen, what it had written and the log has is answered from there, and the rest is asked
 * again. The client sees latency.
 *
 * Where that would hide something from it (events of a lasting watch that are too long ago, a read that would see its own
 * later write, a session that somebody else has taken over) its connection is closed instead, and it goes on as
 * ZooKeeper's clients do.
 */
import type { Resume, SessionToFrontend } from "@zkmesh/messages"
import { type Client, Hold, Phase } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"
import type { DropReason } from "../statistics.ts"
import { Carry } from "./Carry.ts"
import { Relief } from "./Relief.ts"

type Refusal = Extract<SessionToFrontend, { _tag: "Refused" }>["reason"]
type Connected = Extract<SessionToFrontend, { _tag: "Connected" }>

/** A peer that looks for a leader for longer than this, while another one has one, loses its clients to that one. */
const LOOKING_MS = 1000
/**
 * The part of its session's timeout for which a client is kept without a peer that serves it. It may be this frontend that
 * is cut off: what is left is for the client to find another door before its session expires.
 */
const PATIENCE = 1 / 3

export class Carrier {
  private readonly frontend: Frontend
  /** Those that have no peer, or not been taken by their new one yet. */
  private readonly moving = new Set<Client>()
  private readonly relief: Relief

  constructor(frontend: Frontend) {
    this.frontend = frontend
    this.relief = new Relief(frontend, (client) => this.goElsewhere(client.peer!, client))
  }

  /** Takes care of a client whose session is there; with only one peer there is nowhere to carry it. */
  take(client: Client, { password, connection, readOnly }: Connected): void {
    // A session that the ensemble does not know is its peer's alone.
    if (this.frontend.peers.hasOthers && !readOnly && connection > 0) client.carry = new Carry(password, connection)
  }

  /** The client's peer can do nothing more for it. */
  lose(client: Client, reason: DropReason): void {
    const { frontend } = this
    this.relief.forget(client)
    const { carry } = client
    if (client.phase !== Phase.Open || carry === undefined) {
      frontend.end(client, reason)
      return
    }
    client.peer?.clients.delete(client)
    client.peer = undefined
    carry.lostAt ??= frontend.now()
    client.hold(Hold.Moving)
    this.moving.add(client)
    this.move(client)
  }

  /** The client has gone, or is here. */
  forget(client: Client): void {
    this.moving.delete(client)
    this.relief.forget(client)
  }

  /** Called at the end of each pass: clients may have been answered. */
  settle(): void {
    this.relief.settle()
  }

  private move(client: Client): void {
    const peer = this.frontend.peers.best()
    if (peer !== undefined) this.ask(client, peer, client.carry!.resume)
  }

  private ask(client: Client, peer: Peer, resume: Resume): void {
    client.peer = peer
    peer.clients.add(client)
    peer.send({
      _tag: "Connect",
      conn: client.conn,
      sessionId: client.sessionId,
      password: client.carry!.password,
      timeoutMs: client.timeoutMs,
      lastZxidSeen: client.lastZxidSeen,
      readOnly: false,
      identity: client.identity,
      resume
    })
  }

  /** Its session is attached to the new peer. True if the client goes on. */
  resumed(client: Client, peer: Peer, { connection, logged }: Connected): boolean {
    const { frontend } = this
    this.moving.delete(client)
    const again = client.carry!.resumed(connection, logged ?? 0, client.conn, client.lastZxidSeen)
    if (typeof again === "string") {
      this.giveUp(client, again)
      return false
    }
    for (const request of again) peer.add(request)
    frontend.scheduleFlush()
    frontend.statistics.moves++
    client.lift(Hold.Moving)
    return true
  }

  /**
   * The client asks for answers that look like events (xid -1): from then on nobody can tell what it has been told, and it is
   * no longer carried. False if that ends it now.
   */
  letGo(client: Client): boolean {
    const { carry } = client
    if (carry?.isSettling === true) {
      this.giveUp(client, "it asks for answers that look like events")
      return false
    }
    client.carry = undefined
    return true
  }

  /** It cannot be spared the news. */
  giveUp(client: Client, why: string): void {
    this.frontend.drop(client, "inDoubt", why)
  }

  /** The new peer will not have it. */
  refused(client: Client, reason: Refusal): void {
    if (reason === "notServing") this.lose(client, "notServing")
    else this.frontend.end(client, reason === "expired" ? "expired" : "closedByPeer")
  }

  /** Who waits goes on as soon as there is somewhere to go, or is let go. */
  tick(now: number): void {
    for (const client of [...this.moving]) {
      if (now - client.carry!.lostAt! > client.timeoutMs * PATIENCE) this.frontend.end(client, "peerLost")
      else if (client.peer === undefined) this.move(client)
    }
    for (const peer of this.frontend.peers.all) if (peer.clients.size > 0) this.consider(peer, now)
  }

  /** Peers find a new leader at about the same time: one that does not is not worth waiting for. */
  private consider(peer: Peer, now: number): void {
    if (peer.status.leadsOnly === true) this.relief.of(peer)
    const lookingMs = now - peer.since
    if (peer.status.role !== "looking" || lookingMs < LOOKING_MS) return
    const best = this.frontend.peers.best()
    const isWorse = best === undefined || best.status.role === "looking" || best.status.epoch < peer.status.epoch
    for (const client of [...peer.clients]) {
      if (client.phase !== Phase.Open || client.carry?.lostAt !== undefined) continue
      if (!isWorse && client.carry !== undefined) this.goElsewhere(peer, client)
      else if (lookingMs > client.timeoutMs * PATIENCE) this.frontend.end(client, "peerLost")
    }
  }

  /** The peer is none of the ensemble's any more: its clients go on at others, or are let go. */
  leave(peer: Peer): void {
    for (const client of [...peer.clients]) this.goElsewhere(peer, client)
  }

  private goElsewhere(peer: Peer, client: Client): void {
    peer.send({ _tag: "Disconnected", conn: client.conn })
    this.lose(client, "peerLost")
  }
}
