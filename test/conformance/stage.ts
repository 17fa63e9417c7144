import { errorName } from "@zkmesh/protocol"
import { Client } from "./client.ts"
import { Connection, type Handshake, type Welcome } from "./connection.ts"
import { Names } from "./names.ts"
import type { Received, Value } from "./received.ts"
import { Op, opName } from "./requests.ts"

/** What was heard in one step, by connection. */
export interface Step {
  readonly scenario: string
  readonly step: string
  readonly heard: Readonly<Record<string, ReadonlyArray<Shown>>>
}
export type Shown = string | number | boolean | null | ReadonlyArray<Shown> | { readonly [name: string]: Shown }

/** Operations that are transactions, whether they succeed or fail. */
const WRITES: ReadonlySet<number> = new Set([
  Op.create,
  Op.create2,
  Op.createContainer,
  Op.createTTL,
  Op.delete,
  Op.deleteContainer,
  Op.setData,
  Op.setACL,
  Op.multi,
  Op.reconfig,
  Op.close
])
const EVENTS = ["", "NodeCreated", "NodeDeleted", "NodeDataChanged", "NodeChildrenChanged"]

/** Where the script is played: one server, all connections to it, and what came of every step so far. */
export class Stage {
  readonly port: number
  readonly steps: Array<Step> = []
  private readonly names = new Names()
  private readonly connections: Array<Connection> = []
  private scenario = ""
  private readonly counts = new Map<string, number>()

  constructor(port: number) {
    this.port = port
  }

  /** The znode under which the scenario at hand keeps to itself. */
  get root(): string {
    return `/${this.scenario}`
  }

  begin(scenario: string): void {
    this.scenario = scenario
    this.counts.clear()
  }

  /** Ends the sessions that are left. */
  async end(): Promise<void> {
    for (const connection of this.connections.splice(0)) if (!connection.isClosed) await connection.close()
  }

  /** Lets go of the connections, whatever they are at. */
  async abandon(): Promise<void> {
    for (const connection of this.connections.splice(0)) await connection.drop()
  }

  /** A TCP connection that has not said anything. */
  async connect(name: string): Promise<Connection> {
    const connection = await Connection.open(name, this.port)
    this.connections.push(connection)
    return connection
  }

  /** Says hello on a connection; the answer is a step. */
  async greet(connection: Connection, step: string, hello: Handshake = {}): Promise<Welcome | undefined> {
    this.start(step)
    const welcome = await connection.greet(hello)
    if (welcome !== undefined && welcome.timeoutMs > 0)
      this.names.session(welcome.sessionId, `session of ${connection.name}`)
    const isExpired = welcome?.timeoutMs === 0
    if (isExpired) await connection.hear("closed")
    await this.finish(connection, welcome === undefined ? [] : [shownWelcome(welcome, this.names)])
    return welcome
  }

  /** A new session. */
  async client(name: string, hello: Handshake = {}): Promise<Client> {
    const connection = await this.connect(name)
    await this.greet(connection, `${name} says hello`, hello)
    return new Client(this, connection)
  }

  /** Plays a step: `act`, and then whatever is heard until everybody has been asked once more. */
  async step(
    name: string,
    connection: Connection | undefined,
    act: () => void | Promise<void>
  ): Promise<ReadonlyArray<Received>> {
    this.start(name)
    await act()
    return this.finish(connection, [])
  }

  /** A step that is over when the connection is. */
  async last(name: string, connection: Connection, act: () => void): Promise<void> {
    await this.step(name, connection, async () => {
      act()
      await connection.hear("closed")
    })
  }

  /** A step that is over when `listener` has heard of so many events, the last of them of a server's own doing. */
  async until(name: string, listener: Connection, events: number, act: () => void = () => undefined): Promise<void> {
    this.start(name)
    act()
    await listener.hear("event", events)
    await this.finish(undefined, [], true)
  }

  private start(step: string): void {
    const count = (this.counts.get(step) ?? 0) + 1
    this.counts.set(step, count)
    this.names.begin(`${this.scenario} › ${count === 1 ? step : `${step} (${count})`}`)
  }

  /** `first` has its answers before the others are asked whether there is anything for them. */
  private async finish(
    first: Connection | undefined,
    greetings: ReadonlyArray<Shown>,
    isServers = false
  ): Promise<ReadonlyArray<Received>> {
    await first?.fence()
    for (const connection of this.connections) if (connection !== first && connection.welcome) await connection.fence()
    const { names } = this
    const taken = this.connections.map((connection) => ({ connection, received: connection.take() }))
    // An event comes before the reply that its transaction is named after.
    for (const one of taken.flatMap(({ received }) => received)) {
      if (one.kind === "reply") names.zxid(one.zxid, WRITES.has(one.op))
    }
    if (isServers) names.happened()
    const heard: Record<string, ReadonlyArray<Shown>> = {}
    for (const { connection, received } of taken) {
      const shown = received.map((one) => this.shown(one))
      if (connection === first) shown.unshift(...greetings)
      if (shown.length > 0) heard[connection.name] = shown
    }
    this.steps.push({ scenario: this.scenario, step: names.step.slice(this.scenario.length + 3), heard })
    return taken.find(({ connection }) => connection === first)?.received ?? []
  }

  private shown(received: Received): Shown {
    const { names } = this
    switch (received.kind) {
      case "closed":
        return "closed"
      case "stray":
        return { stray: received.bytes }
      case "event":
        return {
          event: EVENTS[received.type] ?? received.type,
          path: received.path,
          zxid: names.zxid(received.zxid, false),
          error: received.error,
          state: received.state
        }
      case "reply":
        return {
          reply: opName(received.op),
          xid: received.xid,
          zxid: names.zxid(received.zxid, false),
          error: received.error === 0 ? "OK" : errorName(received.error),
          ...shownFields(received.body, names)
        }
    }
  }
}

const shownWelcome = (welcome: Welcome, names: Names): Shown => ({
  protocolVersion: welcome.protocolVersion,
  timeoutMs: welcome.timeoutMs,
  session: names.owner(welcome.sessionId),
  passwordBytes: welcome.password.length,
  passwordIsZero: welcome.password.every((byte) => byte === 0),
  readOnly: welcome.readOnly ?? "left out",
  more: welcome.more
})

const shownFields = (fields: { [name: string]: Value }, names: Names): Record<string, Shown> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shownValue(value, names)]))

const shownValue = (value: Value, names: Names): Shown => {
  if (typeof value === "bigint") return `${value}`
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map((one) => shownValue(one, names))
  if ("czxid" in value) return names.stat(value as Parameters<Names["stat"]>[0])
  return shownFields(value as { [name: string]: Value }, names)
}
