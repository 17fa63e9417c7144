import type { SessionId } from "@zkmesh/numbers"
import type { Connection } from "./connection.ts"

/**
 * Connections whose session has been taken over by another, here or elsewhere. They are not closed for that alone: a
 * client told at once would come back and take its session away again, from a second client that was given the same
 * session in order to end it (ZooKeeper closes at once only what was attached to the same server, and wins the race).
 * The next thing that such a connection asks for closes it, or the end of its session, or silence for as long as a
 * session may be silent.
 */
export class Stranded {
  private readonly close: (connection: Connection, reason: string) => void
  private readonly deadlines = new Map<Connection, number>()

  constructor(close: (connection: Connection, reason: string) => void) {
    this.close = close
  }

  get size(): number {
    return this.deadlines.size
  }

  /** What the connection still waits for would never come: with anything under way it is closed at once. */
  add(connection: Connection, until: number): void {
    if (connection.pending.length + connection.parked.length > 0 || connection.frontend === undefined) {
      this.close(connection, "moved")
      return
    }
    connection.live = false
    this.deadlines.set(connection, until)
  }

  has(connection: Connection): boolean {
    return this.deadlines.has(connection)
  }

  remove(connection: Connection): void {
    this.deadlines.delete(connection)
  }

  sessionClosed(id: SessionId): void {
    for (const connection of [...this.deadlines.keys()]) {
      if (connection.session === id) this.close(connection, "the session is closed")
    }
  }

  tick(now: number): void {
    for (const [connection, until] of [...this.deadlines]) if (now >= until) this.close(connection, "moved")
  }

  closeAll(reason: string): void {
    for (const connection of [...this.deadlines.keys()]) this.close(connection, reason)
  }
}
