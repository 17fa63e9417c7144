import { ensureTools } from "../setup/packages.ts"
import { ensureEngine } from "./engine.ts"

/** Before anything is composed: an engine with the images, and the clients that are let loose on it. */
export function setup(): void {
  const say = (line: string) => console.log(line)
  ensureTools(["zookeeper", "java", "zkCli", "kazoo", "python", "postgresExporter"], say)
  ensureEngine(say)
}
