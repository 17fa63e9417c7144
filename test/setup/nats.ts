import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "./directories.ts"
import { tools } from "./packages.ts"
import { freePorts } from "./ports.ts"
import { type Running, start } from "./processes.ts"

/** A real nats-server of the test's own, that can be stopped and started again on the same port. */
export class Nats {
  readonly port: number
  private readonly config: string
  private process: Running | undefined

  private constructor(port: number, config: string) {
    this.port = port
    this.config = config
  }

  static async start(): Promise<Nats> {
    const [port] = await freePorts(1)
    const config = join(temporary("nats"), "nats.conf")
    // A znode of a megabyte does not fit into the default payload.
    writeFileSync(config, `listen: "127.0.0.1:${port}"\nmax_payload: 8MB\n`)
    const server = new Nats(port!, config)
    await server.start()
    return server
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    // It shares its cores with everything else: with one processor Go's runtime spins no threads in search of work.
    const env = { GOMAXPROCS: "1" }
    this.process = start({ name: "nats-server", command: tools.nats.path, args: ["-c", this.config], env })
    await this.process.port(this.port)
  }

  async stop(): Promise<void> {
    await this.process?.stop()
  }

  async kill(): Promise<void> {
    await this.process?.kill()
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.signal(signal)
  }
}
