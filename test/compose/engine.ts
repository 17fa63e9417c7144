/** The Docker engine, and the images that docker-compose.yml names: found, pulled, or made by a script. */
import { execFile, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"

export const ROOT = resolve(import.meta.dirname, "../..")

/** Without these nothing runs. */
const NEEDED = ["node:24-trixie-slim", "postgres:17", "nats:2.10", "haproxy:3.0"]
/** What comes along to look inside; where it cannot be had the tests leave it out, and say so. */
const OBSERVABILITY = {
  prometheus: "prom/prometheus:v2.53.3",
  grafana: "grafana/grafana:11.4.0",
  jaeger: "jaegertracing/all-in-one:1.62.0",
  "nats-exporter": "natsio/prometheus-nats-exporter:0.17.3",
  "postgres-exporter-1": "quay.io/prometheuscommunity/postgres-exporter:v0.17.1"
} as const
export type Observability = keyof typeof OBSERVABILITY

const PULL_MS = 180_000

interface Ran {
  readonly ok: boolean
  readonly output: string
}

const docker = (args: ReadonlyArray<string>, timeout = 30_000): Ran => {
  const { error, status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8", timeout })
  return { ok: status === 0, output: error === undefined ? `${stdout}${stderr}` : error.message }
}

const has = (image: string): boolean => docker(["image", "inspect", image]).ok

/** A script that provides engine and images where no registry is reached. */
const providerScript = (): string | undefined => {
  const named = process.env["ZKMESH_BASE_IMAGES"]
  if (named !== undefined && named !== "") return resolve(ROOT, named)
  const beside = join(ROOT, "../shared/docker/base-images")
  return existsSync(beside) ? beside : undefined
}

/** Makes sure that an engine answers and has every image that the ensemble needs. Throws with what is to be done. */
export function ensureEngine(say: (line: string) => void): void {
  const engine = docker(["compose", "version"]).ok && docker(["info"]).ok
  const missing = engine ? NEEDED.filter((image) => !has(image) && !docker(["pull", "-q", image], PULL_MS).ok) : NEEDED
  if (engine && missing.length === 0) return
  const script = providerScript()
  if (script === undefined) {
    const what = engine ? `no registry gives ${missing.join(", ")}` : "no Docker engine with Compose v2 answers"
    throw new Error(`${what}: install Docker, or name a script that provides both in ZKMESH_BASE_IMAGES`)
  }
  say(`${script} provides ${engine ? missing.join(", ") : "the engine and the images"}`)
  const { status, stdout, stderr } = spawnSync(script, ["all"], { encoding: "utf8", timeout: 900_000, cwd: ROOT })
  if (status !== 0) throw new Error(`${script} failed:\n${stdout}\n${stderr}`)
}

/** Which of the observability profile's images are there, or come: all are asked for at once. */
export async function availableObservability(say: (line: string) => void): Promise<ReadonlySet<Observability>> {
  const found = new Set<Observability>()
  const seek = async ([name, image]: readonly [Observability, string]): Promise<void> => {
    if (has(image) || (await pulled(image))) found.add(name)
    else say(`${image} is not here and no registry gives it: ${name} is left out`)
  }
  await Promise.all((Object.entries(OBSERVABILITY) as ReadonlyArray<[Observability, string]>).map(seek))
  return found
}

const pulled = (image: string): Promise<boolean> =>
  new Promise((resolve) => {
    execFile("docker", ["pull", "-q", image], { timeout: PULL_MS }, (error) => resolve(error === null))
  })
