import { createHash } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "./directories.ts"
import { monitor } from "./four-letter-words.ts"
import { Nats } from "./nats.ts"
import { freePorts } from "./ports.ts"
import { Postgres } from "./postgres.ts"
import { eventually, type Running } from "./processes.ts"
import { connectString, databaseOf, failure, zkmesh } from "./zkmesh.ts"

export const SUPER = "super:secret"
export const SUPER_DIGEST = `super:${createHash("sha1").update(SUPER).digest("base64")}`

/** The *server* placement with servers that may be added and removed: peers by their ids, from 1. */
export class GrowingServers {
  /** Peer N's client port is the N-1st. */
  readonly ports: ReadonlyArray<number>
  private readonly directory: string
  private readonly nats: Nats
  private readonly postgres: Postgres
  private readonly spare: ReadonlyArray<number>
  private readonly initial: ReadonlyArray<number>
  private readonly peers = new Map<number, Running>()
  private frontend: Running | undefined

  private constructor(
    directory: string,
    nats: Nats,
    postgres: Postgres,
    ports: ReadonlyArray<number>,
    initial: ReadonlyArray<number>
  ) {
    this.directory = directory
    this.nats = nats
    this.postgres = postgres
    this.initial = initial
    this.ports = ports.slice(0, ports.length / 3)
    this.spare = ports.slice(ports.length / 3)
  }

  /** Those up to `initial` are the ensemble at first; there is room for `all`. */
  static async start(initial: number, all: number): Promise<GrowingServers> {
    const ids = Array.from({ length: all }, (_, i) => i + 1)
    const [nats, postgres, ports] = await Promise.all([
      Nats.start(),
      Postgres.start(ids.map(databaseOf)),
      freePorts(3 * all)
    ])
    const servers = new GrowingServers(temporary("growing"), nats, postgres, ports, ids.slice(0, initial))
    mkdirSync(join(servers.directory, "logs"))
    await servers.startPeers(...servers.initial)
    return servers
  }

  get connect(): string {
    return connectString(this.ports)
  }

  /** Peer `sid` as a reconfiguration names it. */
  line(sid: number, role = "participant"): string {
    const at = 2 * (sid - 1)
    return `server.${sid}=127.0.0.1:${this.spare[at]}:${this.spare[at + 1]}:${role};127.0.0.1:${this.ports[sid - 1]}`
  }

  /** `/zookeeper/config` without its version. */
  lines(...sids: ReadonlyArray<number>): string {
    return sids.map((sid) => this.line(sid)).join("\n")
  }

  peer(sid: number): Running {
    const one = this.peers.get(sid)
    if (one === undefined) throw new Error(`peer ${sid} does not run`)
    return one
  }

  /** Starts peers (again), each with what its operator wrote when it was new, and returns once they serve. */
  async startPeers(...sids: ReadonlyArray<number>): Promise<void> {
    for (const sid of sids) this.launch(sid)
    await Promise.all(sids.map((sid) => Promise.race([this.serves(sid), failure(this.peer(sid))])))
  }

  private serves(sid: number): Promise<true> {
    const probe = async () => ((await this.monitor(sid)).get("zk_peer_id") === `${sid}` ? true : undefined)
    return eventually(probe, `peer ${sid} to serve`, 60_000)
  }

  private launch(sid: number): void {
    const members = [...this.initial, ...(this.initial.includes(sid) ? [] : [sid])]
    const config = join(this.directory, `zoo-${sid}.cfg`)
    const dynamic = `${config}.dynamic`
    writeFileSync(dynamic, `${this.lines(...members)}\n`)
    const lines = [
      "tickTime=2000",
      "initLimit=10",
      "syncLimit=5",
      "maxClientCnxns=0",
      "4lw.commands.whitelist=*",
      "reconfigEnabled=true",
      `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`,
      `dynamicConfigFile=${dynamic}`,
      `nats.servers=${this.nats.address}`,
      `postgres.url.${sid}=${this.postgres.url(databaseOf(sid))}`
    ]
    writeFileSync(config, `${lines.join("\n")}\n`)
    const args = ["server", "--config", config, "--id", `${sid}`]
    this.peers.set(sid, zkmesh(`peer ${sid}`, args, join(this.directory, "logs", `peer-${sid}.log`)))
  }

  /** Starts a frontend that belongs to no peer, and knows of the first ensemble only. Returns its port once it serves. */
  async startFrontend(): Promise<number> {
    const [port] = await freePorts(1)
    const config = join(this.directory, "frontend.cfg")
    const lines = [...this.initial.map((sid) => this.line(sid)), "4lw.commands.whitelist=*"]
    writeFileSync(config, `${lines.join("\n")}\nnats.servers=${this.nats.address}\n`)
    const args = ["serve", "frontend", "--config", config, "--name", "guest", "--port", `${port}`]
    const process = zkmesh("frontend guest", args, join(this.directory, "logs", "frontend.log"))
    this.frontend = process
    const probe = async () => ((await monitor(port!)).has("zk_peer_id") ? true : undefined)
    await Promise.race([eventually(probe, "the frontend to serve", 60_000), failure(process)])
    return port!
  }

  monitor(sid: number): Promise<Map<string, string>> {
    return monitor(this.ports[sid - 1]!)
  }

  /** What the peer itself says that it is; undefined if it does not serve. */
  async mode(sid: number): Promise<string | undefined> {
    const numbers = await this.monitor(sid)
    return numbers.get("zk_peer_id") === `${sid}` ? numbers.get("zk_server_state") : undefined
  }

  /** Resolves once the peer is `mode`. */
  becomes(sid: number, mode: string): Promise<true> {
    const probe = async () => ((await this.mode(sid)) === mode ? true : undefined)
    return eventually(probe, `peer ${sid} to be ${mode}`, 30_000)
  }

  /** The id of the leader among these, once there is one. */
  leader(sids: ReadonlyArray<number>): Promise<number> {
    return eventually(
      async () => {
        const modes = await Promise.all(sids.map((sid) => this.mode(sid)))
        const at = modes.indexOf("leader")
        return at < 0 ? undefined : sids[at]
      },
      "a leader",
      30_000
    )
  }

  async stop(): Promise<void> {
    await Promise.all([...this.peers.values()].map((one) => one.kill()))
    await this.frontend?.kill()
    await Promise.all([this.nats.kill(), this.postgres.kill()])
  }
}
