/**
 * What the exporters of docker-compose.yml serve, found out without their images: Debian's exporter of Postgres is asked
 * about a real database, and NATS's, which Debian does not have, names the numbers of a broker's monitoring after their keys.
 */
import { spawn } from "node:child_process"
import { tools } from "../setup/packages.ts"
import { freePorts } from "../setup/ports.ts"
import { eventually } from "../setup/processes.ts"
import { metricsServed } from "./dashboards.ts"

const PATIENCE_MS = 60_000

/** The names of what the exporter serves about the database at `address`. */
export async function postgresSeries(address: string, passwordFile: string): Promise<ReadonlyArray<string>> {
  const [port] = await freePorts(1)
  const child = spawn(tools.postgresExporter.path, [`--web.listen-address=127.0.0.1:${port}`], {
    stdio: "ignore",
    env: {
      DATA_SOURCE_URI: `${address}:5432/zkmesh?sslmode=disable`,
      DATA_SOURCE_USER: "zkmesh",
      DATA_SOURCE_PASS_FILE: passwordFile
    }
  })
  try {
    const scrape = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined)
      const text = await response?.text()
      // It answers before it has reached the database.
      return text !== undefined && /^pg_up 1$/m.test(text) ? metricsServed(text) : undefined
    }
    return await eventually(scrape, "the exporter to reach Postgres", PATIENCE_MS, 250)
  } finally {
    child.kill("SIGKILL")
  }
}

/** `gnatsd_varz_in_msgs` for `"in_msgs": 5` in a broker's answer to /varz. */
export const natsSeries = (varz: string): ReadonlyArray<string> =>
  Object.entries(JSON.parse(varz) as Record<string, unknown>).flatMap(([key, value]) =>
    typeof value === "number" ? [`gnatsd_varz_${key}`] : []
  )
