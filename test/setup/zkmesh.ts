import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { temporary } from "./directories.ts"
import { monitor } from "./four-letter-words.ts"
import { Nats } from "./nats.ts"
import { freePorts, freeRange } from "./ports.ts"
import { Postgres } from "./postgres.ts"
import { eventually, type Running, start } from "./processes.ts"
import { mode } from "./zookeeper.ts"

const MAIN = resolve(import.meta.dirname, "../../services/ensemble/src/main.ts")

/** Its port is one for the whole machine; a test that wants it gives it another. */
const NO_ADMIN = "admin.enableServer=false"

/** Runs one of the product's commands as `npm run` does. */
export const zkmesh = (
  name: string,
  args: ReadonlyArray<string>,
  logFile: string,
  env: Readonly<Record<string, string>> = {}
): Running =>
  start({
    name,
    command: process.execPath,
    args: [MAIN, ...args],
    logFile,
    env,
    cwd: resolve(import.meta.dirname, "../..")
  })

export const connectString = (ports: ReadonlyArray<number>): string =>
  ports.map((port) => `127.0.0.1:${port}`).join(",")

/** Resolves once every port serves clients, with its mode. */
export async function serving(ports: ReadonlyArray<number>, timeoutMs = 90_000): Promise<Array<string>> {
  return Promise.all(ports.map((port) => eventually(() => mode(port), `a serving peer at ${port}`, timeoutMs)))
}

/** Resolves once peer i + 1 itself answers at port i: a frontend turns to the others while its own peer is away. */
export async function servingThemselves(ports: ReadonlyArray<number>, timeoutMs = 90_000): Promise<void> {
  const isOwn = async (port: number, sid: number) =>
    (await monitor(port)).get("zk_peer_id") === `${sid}` ? true : undefined
  await Promise.all(ports.map((port, i) => eventually(() => isOwn(port, i + 1), `peer ${i + 1} to serve`, timeoutMs)))
}

/** Variables of a process. */
type Environment = Readonly<Record<string, string>>

/** The *ensemble* placement: `npm start`. */
export class Ensemble {
  readonly ports: ReadonlyArray<number>
  readonly directory: string
  private readonly extra: ReadonlyArray<string>
  private readonly environment: Environment
  private readonly base: number
  private running: Running | undefined

  private constructor(
    directory: string,
    base: number,
    peers: number,
    extra: ReadonlyArray<string>,
    environment: Environment
  ) {
    this.directory = directory
    this.base = base
    this.ports = Array.from({ length: peers }, (_, i) => base + i)
    this.extra = extra
    this.environment = environment
  }

  static async start(
    peers = 3,
    settings: ReadonlyArray<string> = [],
    environment: Environment = {}
  ): Promise<Ensemble> {
    const directory = temporary("ensemble")
    const config = join(directory, "zoo.cfg")
    writeFileSync(
      config,
      lines(["tickTime=2000", "maxClientCnxns=0", "4lw.commands.whitelist=*", NO_ADMIN, ...settings])
    )
    const extra = ["--peers", `${peers}`, "--config", config]
    const ensemble = new Ensemble(directory, await freeRange(peers), peers, extra, environment)
    await ensemble.start()
    return ensemble
  }

  get connect(): string {
    return connectString(this.ports)
  }

  get process(): Running {
    if (this.running === undefined) throw new Error("the ensemble does not run")
    return this.running
  }

  /** Starts it (again) on the same data; returns once every peer serves. */
  async start(): Promise<void> {
    const args = ["start", "--data", join(this.directory, "data"), "--port", `${this.base}`, ...this.extra]
    this.running = zkmesh("npm start", args, join(this.directory, "ensemble.log"), this.environment)
    await Promise.race([servingThemselves(this.ports), failure(this.running)])
  }

  async stop(): Promise<void> {
    await this.running?.stop()
  }

  /** To its Postgres server and all processes of that. */
  signalPostgres(signal: NodeJS.Signals): void {
    const below = descendants(this.process.pid)
    for (const pid of below) {
      if (readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("postgres")) process.kill(pid, signal)
    }
  }
}

/** Parents before their children. */
const descendants = (pid: number): Array<number> => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")
  const below = children.filter((child) => child !== "").map(Number)
  return below.flatMap((child) => [child, ...descendants(child)])
}

export interface ServersOptions {
  /** One Postgres server with a database per peer, reached by TCP; or a server beside each, reached by its Unix socket. */
  readonly postgres?: "shared" | "per peer"
  readonly binaries?: "embedded" | "installed"
  readonly settings?: ReadonlyArray<string>
  /** Variables of peer `index` alone. Only the *server* placement has them. */
  readonly environment?: (index: number) => Environment
  /** Brokers of their own instead of one for all: peer i prefers broker i. */
  readonly brokers?: Brokers
}

/** Where peer `index` finds its broker. */
export interface Brokers {
  readonly addresses: (index: number) => string
}

/** What the *server* and the *mesh* placement stand on: a broker, databases, and one configuration for all. */
export class Ground {
  readonly directory: string
  readonly config: string
  readonly nats: Nats
  readonly databases: ReadonlyArray<Postgres>
  readonly ports: ReadonlyArray<number>

  private constructor(directory: string, nats: Nats, databases: ReadonlyArray<Postgres>, ports: ReadonlyArray<number>) {
    this.directory = directory
    this.config = join(directory, "zoo.cfg")
    this.nats = nats
    this.databases = databases
    this.ports = ports
  }

  static async start(options: ServersOptions): Promise<Ground> {
    const directory = temporary("servers")
    const nats = await Nats.start()
    const shared = options.postgres !== "per peer"
    const databases = await Promise.all(
      (shared ? [[1, 2, 3]] : [[1], [2], [3]]).map((ids) => Postgres.start(ids.map(databaseOf), options.binaries))
    )
    const ports = await freePorts(9)
    const ground = new Ground(directory, nats, databases, ports.slice(0, 3))
    const members = ground.ports.map(
      (port, i) => `server.${i + 1}=127.0.0.1:${ports[3 + i]}:${ports[6 + i]}:participant;127.0.0.1:${port}`
    )
    const urls = ground.ports.map((_, i) => {
      const name = databaseOf(i + 1)
      const url = shared ? ground.database(i).url(name) : ground.database(i).socketUrl(name)
      return `postgres.url.${i + 1}=${url}`
    })
    writeFileSync(
      ground.config,
      lines([
        "tickTime=2000",
        "initLimit=10",
        "syncLimit=5",
        "maxClientCnxns=0",
        "4lw.commands.whitelist=*",
        NO_ADMIN,
        `nats.servers=${nats.address}`,
        ...members,
        ...urls,
        ...(options.settings ?? [])
      ])
    )
    mkdirSync(join(directory, "logs"))
    return ground
  }

  /** The Postgres server of peer `index`. */
  database(index: number): Postgres {
    return this.databases[index % this.databases.length]!
  }

  log(name: string): string {
    return join(this.directory, "logs", `${name}.log`)
  }

  async stop(): Promise<void> {
    await Promise.all([this.nats.kill(), ...this.databases.map((one) => one.kill())])
  }
}

export const databaseOf = (sid: number): string => `peer${sid}`

/** A lone frontend that comes and goes as it likes: `npm run serve -- frontend`. */
export class Frontend {
  readonly port: number
  readonly process: Running

  constructor(ground: Ground, name: string, port: number) {
    this.port = port
    const args = ["serve", "frontend", "--config", ground.config, "--name", name, "--port", `${port}`]
    this.process = zkmesh(`frontend ${name}`, args, ground.log(`frontend-${name}`))
  }

  async serving(): Promise<void> {
    await Promise.race([serving([this.port]), failure(this.process)])
  }
}

/** The *server* placement: one process per peer. Peers are counted from 0, their ids from 1. */
export class Servers {
  readonly ground: Ground
  private readonly peers: Array<Running | undefined> = [undefined, undefined, undefined]

  private readonly options: ServersOptions

  private constructor(ground: Ground, options: ServersOptions) {
    this.ground = ground
    this.options = options
  }

  static async start(options: ServersOptions = {}): Promise<Servers> {
    const servers = new Servers(await Ground.start(options), options)
    await servers.startPeers(0, 1, 2)
    return servers
  }

  get ports(): ReadonlyArray<number> {
    return this.ground.ports
  }

  get connect(): string {
    return connectString(this.ports)
  }

  peer(index: number): Running {
    const one = this.peers[index]
    if (one === undefined) throw new Error(`peer ${index + 1} does not run`)
    return one
  }

  /** Starts peers (again), and returns once they serve. */
  async startPeers(...indices: ReadonlyArray<number>): Promise<void> {
    for (const index of indices) this.launch(index)
    await this.serving(...indices)
  }

  /** Resolves once the peers themselves serve (all three if none are named). */
  async serving(...indices: ReadonlyArray<number>): Promise<void> {
    const wanted = indices.length === 0 ? [0, 1, 2] : indices
    await Promise.all(wanted.map((index) => Promise.race([this.servesItself(index), failure(this.peer(index))])))
  }

  private servesItself(index: number): Promise<true> {
    const probe = async () => ((await this.monitor(index)).get("zk_peer_id") === `${index + 1}` ? true : undefined)
    return eventually(probe, `peer ${index + 1} to serve`, 90_000)
  }

  /** Starts a peer without waiting for it. */
  launch(index: number): Running {
    const args = ["server", "--config", this.ground.config, "--id", `${index + 1}`]
    const { brokers, environment } = this.options
    const env = {
      ...(brokers === undefined ? {} : { ZKMESH_NATS_SERVERS: brokers.addresses(index) }),
      ...environment?.(index)
    }
    const peer = zkmesh(`peer ${index + 1}`, args, this.ground.log(`peer-${index + 1}`), env)
    this.peers[index] = peer
    return peer
  }

  async leader(): Promise<number> {
    return eventually(
      async () => {
        const modes = await Promise.all(this.ports.map((port, i) => (this.peers[i]?.exit ? undefined : mode(port))))
        const index = modes.indexOf("leader")
        return index < 0 ? undefined : index
      },
      "a leader",
      30_000
    )
  }

  monitor(index: number): Promise<Map<string, string>> {
    return monitor(this.ports[index]!)
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map((one) => one?.kill()))
    await this.ground.stop()
  }
}

/** The *mesh* placement: one process per service and peer, and frontends of their own. */
export class Mesh {
  readonly ground: Ground
  readonly services = new Map<string, Running>()
  readonly frontends: Array<Frontend> = []

  private constructor(ground: Ground) {
    this.ground = ground
  }

  static async start(extraFrontends: number, options: ServersOptions = {}): Promise<Mesh> {
    const ground = await Ground.start(options)
    const mesh = new Mesh(ground)
    for (const service of ["election", "broadcast", "znode", "session", "frontend"]) {
      for (const sid of [1, 2, 3]) mesh.launch(service, sid)
    }
    for (const [i, port] of (await freePorts(extraFrontends)).entries()) {
      mesh.frontends.push(new Frontend(ground, `extra-${i + 1}`, port))
    }
    const all = [...mesh.services.values(), ...mesh.frontends.map((one) => one.process)]
    await Promise.race([mesh.serving(), ...all.map(failure)])
    return mesh
  }

  /** Every client port: the peers' own frontends and the extra ones. */
  get ports(): ReadonlyArray<number> {
    return [...this.ground.ports, ...this.frontends.map((one) => one.port)]
  }

  get connect(): string {
    return connectString(this.ports)
  }

  /** Resolves once every peer serves, each at its own frontend, and the extra frontends do. */
  async serving(): Promise<void> {
    await servingThemselves(this.ground.ports, 120_000)
    await serving(this.frontends.map((one) => one.port))
  }

  /** Starts a service of a peer (again). */
  launch(service: string, sid: number): Running {
    const name = `${service}-${sid}`
    const args = ["serve", service, "--config", this.ground.config]
    if (service === "frontend") {
      // Its own peer first, the others when that one does not serve.
      const preferred = [sid, ...[1, 2, 3].filter((other) => other !== sid)].flatMap((one) => ["--peer", `${one}`])
      args.push("--name", name, "--port", `${this.ground.ports[sid - 1]}`, ...preferred)
    } else args.push("--id", `${sid}`)
    const running = zkmesh(name, args, this.ground.log(name))
    this.services.set(name, running)
    return running
  }

  async stop(): Promise<void> {
    await Promise.all([...this.services.values(), ...this.frontends.map((one) => one.process)].map((one) => one.kill()))
    await this.ground.stop()
  }
}

/** Fails when the process ends; never resolves. */
export async function failure(running: Running): Promise<never> {
  const exit = await running.exited
  throw new Error(`${running.name} ended (${exit.signal ?? exit.code}):\n${running.tail()}`)
}

const lines = (all: ReadonlyArray<string>): string => `${all.join("\n")}\n`
