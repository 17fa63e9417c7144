/** What must be well once the faults have ended: within a bounded time everybody serves, and all is as it was promised. */
import { hex } from "@zkmesh/numbers"
import { CreateMode } from "@zkmesh/protocol"
import { Violation } from "./checks/violation.ts"
import type { ScriptedClient } from "./clients/client.ts"
import type { Operation } from "./clients/operations.ts"
import type { World } from "./world.ts"

/** Far more than two elections and the expiry of the longest session take. */
const WITHIN_MS = 30_000
/** More than it takes a peer to tell the leader whom it has heard from. */
const SETTLING_MS = 1000

export class Ending {
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  run(): void {
    this.everybodyIsServed()
    this.sessionsEnd()
    this.everythingIsEqual()
    this.everythingIsRead()
    this.world.zab.logs()
  }

  private get alive(): ReadonlyArray<ScriptedClient> {
    return this.world.clients.filter(({ isGone }) => !isGone)
  }

  /** Each client asks, and must be answered. */
  private ask(operations: ReadonlyArray<Operation>, who: ReadonlyArray<ScriptedClient>, what: string): void {
    let missing = 0
    for (const client of who) {
      for (const operation of operations) {
        missing++
        client.ask(operation, () => missing--)
      }
    }
    this.within(
      what,
      () => missing === 0,
      () => `${missing} requests without an answer`
    )
  }

  private within(what: string, isDone: () => boolean, detail: () => string): void {
    const { world } = this
    if (!world.runUntil(world.timeline.now + WITHIN_MS, isDone)) {
      throw new Violation("progress", `not within ${WITHIN_MS / 1000} s: ${what} (${detail()})`)
    }
  }

  private everybodyIsServed(): void {
    const write: Operation = { kind: "set", path: "/t", data: "peace", version: -1 }
    this.ask([write, { kind: "sync", path: "/" }], this.alive, "every client is served")
  }

  /** Sessions of clients that have gone are closed, and nobody else's. */
  private sessionsEnd(): void {
    const { clients, history } = this.world
    const isOurs = () => {
      const living = new Set(this.alive.map(({ sessionId }) => sessionId))
      const areKnown = [...living].every((session) => history.open.has(session))
      return areKnown && [...history.open].every((session) => living.has(session))
    }
    const left = () => [...history.open].map(hex).join(", ")
    // A process that was paused to the end has told the leader of nobody: whose time was over then is ended now.
    this.world.runUntil(this.world.timeline.now + SETTLING_MS)
    this.within("the sessions of those who have gone are closed", isOurs, left)
    const before = clients.map(({ expirations }) => expirations)
    this.world.runUntil(this.world.timeline.now + 3000)
    clients.forEach((client, index) => {
      if (client.expirations !== before[index]) throw new Violation("expiry", `${client.name} expires in peace`)
    })
  }

  private everythingIsEqual(): void {
    const { history, sids, zab, disks } = this.world
    const isEqual = () =>
      sids.every((sid) => zab.applied.get(sid) === history.last && !disks.get(`peer.${sid}`)!.database.rebuilding) &&
      [...history.configuration.quorum.voters].every((sid) => disks.get(`peer.${sid}`)!.database.last === history.last)
    const where = () => sids.map((sid) => `${sid}: ${hex(zab.applied.get(sid) ?? 0)}`).join(", ")
    this.within(`every peer is at ${hex(history.last)}`, isEqual, where)
  }

  /** Every znode is read by every client, from wherever it is; what it says is compared with the model by the client. */
  private everythingIsRead(): void {
    const { model } = this.world.history
    const reads = model
      .paths()
      .filter((path) => path !== "/")
      .flatMap(
        (path): ReadonlyArray<Operation> => [
          { kind: "get", path, watch: false },
          { kind: "children", path, watch: false }
        ]
      )
    const mark: Operation = { kind: "create", path: "/q/end-", data: "", mode: CreateMode.PERSISTENT_SEQUENTIAL }
    this.ask([mark, ...reads], this.alive, "everything is read")
  }
}
