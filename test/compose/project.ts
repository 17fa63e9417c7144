/** docker-compose.yml, run for real under a project name and on ports of its own. */
import { execFile, execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fourLetterWord } from "../setup/four-letter-words.ts"
import { freePorts } from "../setup/ports.ts"
import { eventually } from "../setup/processes.ts"
import { ROOT } from "./engine.ts"

const IMAGE = "zkmesh:test"

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const execute = (args: ReadonlyArray<string>, env: Record<string, string>, timeout: number): Promise<Result> =>
  new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, ...env }, timeout, maxBuffer: 64 * 2 ** 20 }
    execFile("docker", args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr })
    })
  })

export interface Container {
  readonly id: string
  readonly service: string
  readonly pid: number
  readonly running: boolean
  readonly startedAt: string
  readonly address: string
}

interface Inspected {
  readonly Id: string
  readonly Config: { readonly Labels: Record<string, string> }
  readonly State: { readonly Pid: number; readonly Running: boolean; readonly StartedAt: string }
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> }
}

export class Project {
  readonly name = `zkmesh-test-${process.pid}`
  readonly port: number
  readonly replicaPort: number
  readonly prometheusPort: number
  /** Where this project's own passwords are. */
  private readonly secrets = mkdtempSync(join(tmpdir(), "zkmesh-secrets-"))
  private readonly env: Record<string, string>

  private constructor([port, replicaPort, stats, prometheusPort, grafana, jaeger]: ReadonlyArray<number>) {
    this.port = port!
    this.replicaPort = replicaPort!
    this.prometheusPort = prometheusPort!
    execFileSync(join(ROOT, "infra/secrets/make"), [this.secrets])
    this.env = {
      ZKMESH_SECRETS: this.secrets,
      COMPOSE_PROJECT_NAME: this.name,
      // What is in the profile is started by name, as far as its images can be had.
      COMPOSE_PROFILES: "",
      // It is built once for all, with the name that comes next.
      ZKMESH_PULL_POLICY: "missing",
      ZKMESH_IMAGE: process.env["ZKMESH_TEST_IMAGE"] ?? IMAGE,
      ZKMESH_PORT: `${port}`,
      ZKMESH_REPLICA_PORT: `${replicaPort}`,
      ZKMESH_HAPROXY_STATS_PORT: `${stats}`,
      ZKMESH_PROMETHEUS_PORT: `${prometheusPort}`,
      ZKMESH_GRAFANA_PORT: `${grafana}`,
      ZKMESH_JAEGER_PORT: `${jaeger}`
    }
  }

  static async make(): Promise<Project> {
    return new Project(await freePorts(6))
  }

  get connect(): string {
    return `127.0.0.1:${this.port}`
  }

  /** `docker compose …`; what it prints. A failure is an error with all of it. */
  async compose(...args: ReadonlyArray<string>): Promise<string> {
    const { code, stdout, stderr } = await execute(["compose", ...args], this.env, 300_000)
    if (code !== 0) throw new Error(`docker compose ${args.join(" ")} failed:\n${stderr}\n${stdout}`)
    return stdout
  }

  /** Builds the image, unless ZKMESH_TEST_IMAGE names one that is there. */
  async build(): Promise<void> {
    if (process.env["ZKMESH_TEST_IMAGE"] === undefined) await this.compose("build", "-q")
  }

  /** `docker compose up -d`, then until clients are served: how long that took, ms. */
  async up(...args: ReadonlyArray<string>): Promise<number> {
    const since = performance.now()
    await this.compose("up", "-d", "--no-build", ...args)
    await this.serves(this.port)
    return performance.now() - since
  }

  async down(...args: ReadonlyArray<string>): Promise<void> {
    await this.compose("--profile", "observability", "down", "--remove-orphans", "-t", "10", ...args)
  }

  /** Takes it down with all that it has left behind. */
  async dispose(): Promise<void> {
    await this.down("-v")
    rmSync(this.secrets, { recursive: true })
  }

  /** The file that holds one of its secrets. */
  secret(name: string): string {
    return join(this.secrets, name)
  }

  /** The passwords that this project was made with. */
  passwords(): ReadonlyArray<string> {
    const files = readdirSync(this.secrets).filter((file) => file.endsWith("-password"))
    const routes = /ROUTE_PASSWORD: "(.*)"/.exec(readFileSync(join(this.secrets, "nats.conf"), "utf8"))
    return [...files.map((file) => readFileSync(join(this.secrets, file), "utf8").trim()), routes![1]!]
  }

  /** What the engine tells of all containers: their environment, their commands. */
  async inspect(): Promise<string> {
    const ids = (await this.compose("ps", "-a", "-q")).split("\n").filter((id) => id !== "")
    return (await execute(["inspect", ...ids], {}, 30_000)).stdout
  }

  /** So many containers of a service, all others as they are. */
  async scale(service: string, count: number): Promise<void> {
    await this.compose(
      "up",
      "-d",
      "--no-build",
      "--no-recreate",
      "--no-deps",
      "--scale",
      `${service}=${count}`,
      service
    )
  }

  /** Resolves with the mode (leader, follower, observer) once somebody serves behind the port. */
  serves(port: number, timeoutMs = 120_000): Promise<string> {
    const ask = async () => /^Mode: (.*)$/m.exec((await fourLetterWord(port, "srvr", 2000)) ?? "")?.[1]
    return eventually(ask, `somebody to serve behind port ${port}`, timeoutMs, 100)
  }

  /** The containers of a service, running or not. */
  async containers(service: string): Promise<ReadonlyArray<Container>> {
    const ids = (await this.compose("ps", "-a", "-q", service)).split("\n").filter((id) => id !== "")
    if (ids.length === 0) return []
    const { stdout, code, stderr } = await execute(["inspect", ...ids], {}, 30_000)
    if (code !== 0) throw new Error(`docker inspect of ${service} failed: ${stderr}`)
    return (JSON.parse(stdout) as ReadonlyArray<Inspected>).map((one) => ({
      id: one.Id,
      service,
      pid: one.State.Pid,
      running: one.State.Running,
      startedAt: one.State.StartedAt,
      address: Object.values(one.NetworkSettings.Networks)[0]?.IPAddress ?? ""
    }))
  }

  /**
   * kill -9 of the container's first process, from the engine's own namespace of processes: the container dies as in a crash.
   * (`docker kill` would be taken for an operator's wish, and the restart policy would let it be.)
   */
  async crash({ pid, service }: Container): Promise<void> {
    const image = this.env["ZKMESH_IMAGE"]!
    const args = ["run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--entrypoint", "bash"]
    const { code, stderr } = await execute([...args, image, "-c", `kill -9 ${pid}`], {}, 60_000)
    if (code !== 0) throw new Error(`${service} could not be killed: ${stderr}`)
  }

  /** Runs a command in a container; undefined if it fails, or the container does not run. */
  async exec({ id }: Container, ...command: ReadonlyArray<string>): Promise<string | undefined> {
    const { code, stdout } = await execute(["exec", id, ...command], {}, 60_000)
    return code === 0 ? stdout : undefined
  }

  /** Resolves once the container runs again, after it has crashed, and does what it is there for. */
  healed({ id, service, startedAt }: Container, timeoutMs = 60_000): Promise<true> {
    const probe = async () => {
      const now = (await this.containers(service)).find((one) => one.id === id)
      if (now === undefined || !now.running || now.startedAt === startedAt) return undefined
      const command = /^(nats|haproxy)/.test(service)
        ? undefined
        : service.startsWith("postgres")
          ? ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "zkmesh"]
          : ["bin/serves"]
      return command === undefined || (await this.exec(now, ...command)) !== undefined ? (true as const) : undefined
    }
    return eventually(probe, `${service} to heal`, timeoutMs, 250)
  }

  /** What the services logged last, for a failure's message. */
  async logs(): Promise<string> {
    return this.compose("logs", "--no-color", "--tail", "40")
  }
}
