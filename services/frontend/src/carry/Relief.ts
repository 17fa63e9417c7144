/**
 * A peer that leads and is to serve nobody besides (`leaderServes=no`) hands its clients to another one, each at a moment
 * at which nothing of the client's is under way: it is not read from until it has its answers, and then carried over.
 */
import { type Client, Hold, Phase } from "../Client.ts"
import type { Frontend } from "../Frontend.ts"
import type { Peer } from "../Peer.ts"

/** How long such a moment is waited for. What a client waits for then is asked for again at its new peer. */
const PATIENCE_MS = 1000

export class Relief {
  private readonly frontend: Frontend
  private readonly move: (client: Client) => void
  /** Who is to go, and until when its answers are waited for. */
  private readonly going = new Map<Client, number>()

  /** `move` carries a client over. */
  constructor(frontend: Frontend, move: (client: Client) => void) {
    this.frontend = frontend
    this.move = move
  }

  /** Sends the clients of a peer that only leads to another one, if there is one. */
  of(peer: Peer): void {
    const { frontend, going } = this
    const best = frontend.peers.best()
    if (best === undefined || best.status.leadsOnly === true) return
    if (best.status.role === "looking" || best.status.epoch < peer.status.epoch) return
    const until = frontend.now() + PATIENCE_MS
    for (const client of [...peer.clients]) {
      if (client.phase !== Phase.Open || client.carry?.lostAt !== undefined || going.has(client)) continue
      // Its session is this peer's alone: as in ZooKeeper it ends with the peer's being a follower.
      if (client.carry === undefined) frontend.end(client, "notServing")
      else {
        client.hold(Hold.Moving)
        going.set(client, until)
      }
    }
    this.settle()
  }

  forget(client: Client): void {
    this.going.delete(client)
  }

  /** Called whenever clients may have been answered. */
  settle(): void {
    const { going } = this
    if (going.size === 0) return
    const now = this.frontend.now()
    for (const [client, until] of [...going]) {
      const waits = client.outstanding > 0 || client.carry?.isSettling === true
      if (waits && now < until) continue
      going.delete(client)
      this.move(client)
    }
  }
}
