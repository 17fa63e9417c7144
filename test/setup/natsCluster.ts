import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "./directories.ts"
import { tools } from "./packages.ts"
import { freePorts } from "./ports.ts"
import { type Running, start } from "./processes.ts"
import { type Cut, Wire } from "./wire.ts"

/** Real nats-servers in a cluster, with a wire that can be cut between each two of them. */
export class NatsCluster {
  readonly ports: ReadonlyArray<number>
  private readonly configs: ReadonlyArray<string>
  /** Between brokers i < j; j dials. */
  private readonly wires: ReadonlyMap<string, Wire>
  private readonly processes: Array<Running | undefined> = []
  private readonly roaming: boolean

  private constructor(
    ports: ReadonlyArray<number>,
    configs: ReadonlyArray<string>,
    wires: ReadonlyMap<string, Wire>,
    roaming: boolean
  ) {
    this.ports = ports
    this.configs = configs
    this.wires = wires
    this.roaming = roaming
  }

  static async start(roaming = false, size = 3): Promise<NatsCluster> {
    const all = await freePorts(2 * size)
    const [ports, routes] = [all.slice(0, size), all.slice(size)]
    const wires = new Map<string, Wire>()
    for (const i of ports.keys()) for (let j = i + 1; j < size; j++) wires.set(`${i}-${j}`, await Wire.open(routes[i]!))
    const directory = temporary("nats-cluster")
    const configs = ports.map((port, j) => {
      const config = join(directory, `${j + 1}.conf`)
      const dialled = [...ports.keys()]
        .filter((i) => i < j)
        .map((i) => `"nats://127.0.0.1:${wires.get(`${i}-${j}`)!.port}"`)
      writeFileSync(
        config,
        `server_name: broker-${j + 1}
listen: "127.0.0.1:${port}"
max_payload: 8MB
# Brokers tell each other of the others' addresses: nobody is to find a way beside the wires.
cluster { name: test, listen: "127.0.0.1:${routes[j]}", advertise: "127.0.0.1:1", routes: [${dialled.join(", ")}] }
# A route that is silent is given up after three seconds.
ping_interval: "1s"
ping_max: 2
`
      )
      return config
    })
    const cluster = new NatsCluster(ports, configs, wires, roaming)
    await Promise.all(ports.map((_, index) => cluster.startBroker(index)))
    return cluster
  }

  /** Starts broker `index` (again). */
  async startBroker(index: number): Promise<void> {
    const process = start({
      name: `nats-server ${index + 1}`,
      command: tools.nats.path,
      args: ["-c", this.configs[index]!],
      env: { GOMAXPROCS: "1" }
    })
    this.processes[index] = process
    await process.port(this.ports[index]!)
  }

  async killBroker(index: number): Promise<void> {
    await this.processes[index]?.kill()
  }

  /** For peer `index`: its own broker; all of them, its own first, if it may roam. */
  addresses(index: number): string {
    const { ports, roaming } = this
    const known = roaming ? ports.map((_, i) => ports[(index + i) % ports.length]) : [ports[index]]
    return known.map((port) => `127.0.0.1:${port}`).join(",")
  }

  /** Cuts one broker off from all others. "from": it is not heard; "to": it does not hear. */
  isolate(index: number, cut: Cut = "both"): void {
    for (const [name, wire] of this.wires) {
      const [i, j] = name.split("-").map(Number)
      // The wire's direction "to" leads from j to i.
      if (i === index) wire.set(cut)
      else if (j === index) wire.set(cut === "to" ? "from" : cut === "from" ? "to" : cut)
    }
  }

  heal(): void {
    for (const wire of this.wires.values()) wire.set("none")
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one?.kill()))
    for (const wire of this.wires.values()) wire.close()
  }
}
