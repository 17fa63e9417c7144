import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "./directories.ts"
import { type Loss, Namespaces } from "./namespaces.ts"
import { tools } from "./packages.ts"
import { isOpen } from "./ports.ts"
import { eventually, type Running, start } from "./processes.ts"

const PORT = 4222
const ROUTES = 6222
const SIZE = 3

/** Real nats-servers in a cluster, each on a machine of its own: all that peers say to each other goes over that network. */
export class NatsMachines {
  private readonly machines = new Namespaces(SIZE)
  private readonly processes: Array<Running> = []

  static async start(): Promise<NatsMachines> {
    const cluster = new NatsMachines()
    try {
      cluster.machines.open()
      await cluster.launch()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  private async launch(): Promise<void> {
    const { machines } = this
    const directory = temporary("nats-machines")
    const all = Array.from({ length: SIZE }, (_, index) => index)
    for (const index of all) {
      const config = join(directory, `${index + 1}.conf`)
      const routes = all
        .filter((other) => other !== index)
        .map((other) => `"nats://${machines.address(other)}:${ROUTES}"`)
      writeFileSync(
        config,
        `server_name: broker-${index + 1}
listen: "0.0.0.0:${PORT}"
max_payload: 8MB
cluster { name: test, listen: "0.0.0.0:${ROUTES}", no_advertise: true, routes: [${routes.join(", ")}] }
ping_interval: "1s"
ping_max: 2
`
      )
      const [command, ...args] = [...machines.command(index), tools.nats.path, "-c", config]
      this.processes.push(
        start({ name: `nats-server ${index + 1}`, command: command!, args, env: { GOMAXPROCS: "1" } })
      )
    }
    await Promise.all(
      all.map((index) =>
        eventually(
          async () => ((await isOpen(PORT, machines.address(index))) ? true : undefined),
          `broker ${index + 1}`,
          30_000
        )
      )
    )
  }

  /** For peer `index`: its own broker. */
  addresses(index: number): string {
    return `${this.machines.address(index)}:${PORT}`
  }

  /** Cuts one off from all others. "from": it is not heard; "to": it does not hear. */
  isolate(index: number, cut: "both" | "from" | "to" = "both"): void {
    const others = [0, 1, 2].filter((other) => other !== index)
    this.lose([
      ...(cut === "to" ? [] : others.map((to) => ({ from: index, to, share: 1 }))),
      ...(cut === "from" ? [] : others.map((from) => ({ from, to: index, share: 1 })))
    ])
  }

  lose(losses: ReadonlyArray<Loss>): void {
    this.machines.lose(losses)
  }

  /** This share of all packets between any two is lost. */
  loseEverywhere(share: number): void {
    const pairs = [0, 1, 2].flatMap((from) => [0, 1, 2].filter((to) => to !== from).map((to) => ({ from, to, share })))
    this.lose(pairs)
  }

  heal(): void {
    this.lose([])
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill()))
    this.machines.close()
  }
}
