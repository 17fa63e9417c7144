/** What Grafana's dashboards ask for. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ROOT } from "./engine.ts"

interface Board {
  readonly panels: ReadonlyArray<{ readonly targets: ReadonlyArray<{ readonly expr: string }> }>
}

const FUNCTIONS = new Set(["sum", "rate"])
/** Made by Prometheus itself for everything that it scrapes. */
const PROMETHEUS = new Set(["up"])

/** The metrics that the queries of every dashboard name, by dashboard. */
export function metricsAsked(): ReadonlyMap<string, ReadonlySet<string>> {
  const directory = join(ROOT, "infra/grafana/dashboards")
  const files = readdirSync(directory).filter((file) => file.endsWith(".json"))
  return new Map(files.map((file) => [file, namesIn(JSON.parse(readFileSync(join(directory, file), "utf8")) as Board)]))
}

function namesIn({ panels }: Board): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { expr } of panels.flatMap((panel) => panel.targets)) {
    const bare = expr.replaceAll(/\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)/g, " ")
    for (const [name] of bare.matchAll(/[a-zA-Z_]\w*/g)) {
      if (!FUNCTIONS.has(name) && !PROMETHEUS.has(name)) names.add(name)
    }
  }
  return names
}

/** The names in an answer of `/metrics`. */
export const metricsServed = (text: string): ReadonlyArray<string> =>
  text.split("\n").flatMap((line) => /^([a-zA-Z_]\w*)(?:\{| )/.exec(line)?.[1] ?? [])
