import type { SessionId, Sid, Zxid } from "@zkmesh/numbers"
import type { Id } from "@zkmesh/protocol"

/** Who a connection is: every id that it has proved, its ip first. Interned per connection: compare by reference. */
export type Identity = ReadonlyArray<Id>

/** A peer's place in the ensemble. */
export type Role = "looking" | "leading" | "following" | "observing"

/** A change of role, as it travels down the ring (broadcast → znode → session → frontend), in order with the data. */
export interface RoleChange {
  readonly _tag: "Role"
  readonly role: Role
  /** The established epoch; while looking, the last one. */
  readonly epoch: number
  /** 0 while looking. */
  readonly leader: Sid
}

/** The replicated record of a session: everything that has to survive a change of leader or of peer. */
export interface SessionRecord {
  readonly id: SessionId
  /** 16 random bytes, drawn by the frontend that asked for the session. */
  readonly password: Uint8Array
  timeoutMs: number
  /** The peer whose session service holds the live connection. */
  peer: Sid
  /** The zxid of the createSession or attachSession that made the live connection: requests of any other have moved. */
  connection: Zxid
  /** The last request of this connection that is in the log. */
  seq: number
  /** The asking session service's own number for the connection, unique in the ensemble: an asked-again create or attach is recognised by it. */
  token: number
}

/** A frontend carries its client over from another peer, without the client's knowledge. */
export interface Resume {
  /** The connection that it goes on from: its session may have had no other since. */
  readonly connection: Zxid
  /** The last of that connection's numbered requests whose reply has come. */
  readonly answered: number
}

/** A link's neighbour is asked for numbers about itself, by name; what it answers is plain JSON data. */
export interface Stats {
  readonly [key: string]: number | string | boolean | Stats | ReadonlyArray<Stats | string | number>
}

/** The object at `key`; empty if there is none. */
export const statsAt = (stats: Stats, key: string): Stats => {
  const value = stats[key]
  return typeof value === "object" && !Array.isArray(value) ? (value as Stats) : {}
}
