import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "./directories.ts"
import { fourLetterWord } from "./four-letter-words.ts"
import { freePorts } from "./ports.ts"
import { eventually, type Running, start } from "./processes.ts"

export interface ZooKeeperOptions {
  readonly tickTimeMs?: number
  /** System properties, `-Dname=value`: what zoo.cfg cannot say. */
  readonly jvm?: ReadonlyArray<string>
  /** A lone server that behaves as one of an ensemble does, not as a stand-alone one. */
  readonly quorumOfOne?: boolean
  /** Another release than Debian's: where its jars are, as Java wants to know it. */
  readonly classPath?: string
}

/** Apache ZooKeeper of Debian: what the clients were written for, and what we are measured against. */
export class ZooKeeper {
  readonly connect: string
  readonly ports: ReadonlyArray<number>
  readonly directory: string
  private readonly options: ZooKeeperOptions
  private readonly processes: Array<Running | undefined>

  private constructor(directory: string, ports: ReadonlyArray<number>, options: ZooKeeperOptions) {
    this.directory = directory
    this.ports = ports
    this.options = options
    this.connect = ports.map((port) => `127.0.0.1:${port}`).join(",")
    this.processes = ports.map(() => undefined)
  }

  /** One or three servers, configured as their users do; returns once they serve. */
  static async start(
    servers: number,
    extra: ReadonlyArray<string> = [],
    options: ZooKeeperOptions = {}
  ): Promise<ZooKeeper> {
    const directory = temporary("zookeeper")
    const ports = await freePorts(3 * servers)
    const clients = ports.slice(0, servers)
    const members = clients.map((_, i) => `server.${i + 1}=127.0.0.1:${ports[servers + i]}:${ports[2 * servers + i]}`)
    for (const [i, port] of clients.entries()) {
      const dataDir = join(directory, `${i + 1}`)
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, "myid"), `${i + 1}\n`)
      writeFileSync(
        join(directory, `${i + 1}.cfg`),
        [
          `tickTime=${options.tickTimeMs ?? 2000}`,
          "initLimit=10",
          "syncLimit=5",
          `dataDir=${dataDir}`,
          "maxClientCnxns=0",
          "admin.enableServer=false",
          "4lw.commands.whitelist=*",
          ...extra,
          ...(servers > 1 ? members : []),
          ...(options.quorumOfOne === true
            ? ["standaloneEnabled=false", `${members[0]}:participant;127.0.0.1:${port}`]
            : [`clientPort=${port}`, "clientPortAddress=127.0.0.1"]),
          ""
        ].join("\n")
      )
    }
    const ensemble = new ZooKeeper(directory, clients, options)
    for (const i of clients.keys()) ensemble.startServer(i)
    await ensemble.serving()
    return ensemble
  }

  /** Starts server `index` (again). */
  startServer(index: number): void {
    this.processes[index] = start({
      name: `ZooKeeper ${index + 1}`,
      command: "/usr/bin/java",
      args: [
        "-Xmx1000m",
        "-Dzookeeper.jmx.log4j.disable=true",
        ...(this.options.jvm ?? []),
        "-cp",
        this.options.classPath ?? "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar",
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        join(this.directory, `${index + 1}.cfg`)
      ],
      logFile: join(this.directory, `${index + 1}.log`)
    })
  }

  /** Resolves once every running server answers clients. */
  async serving(timeoutMs = 30_000): Promise<void> {
    await Promise.all(
      this.ports.map((port, i) =>
        this.processes[i] === undefined
          ? undefined
          : eventually(async () => (await mode(port)) !== undefined || undefined, `ZooKeeper ${i + 1}`, timeoutMs, 100)
      )
    )
  }

  /** The index of the server that leads. */
  async leader(): Promise<number> {
    const modes = await Promise.all(this.ports.map(mode))
    return modes.findIndex((one) => one === "leader" || one === "standalone")
  }

  server(index: number): Running {
    const one = this.processes[index]
    if (one === undefined) throw new Error(`ZooKeeper ${index + 1} does not run`)
    return one
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one?.kill()))
  }
}

/** What `srvr` says that a server is; undefined while it does not serve. */
export async function mode(port: number): Promise<string | undefined> {
  const answer = await fourLetterWord(port, "srvr")
  return answer === undefined ? undefined : /^Mode: (.*)$/m.exec(answer)?.[1]
}
