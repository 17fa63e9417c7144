import { join } from "node:path"
import { temporary } from "../setup/directories.ts"
import { tools } from "../setup/packages.ts"
import { type Running, run, start } from "../setup/processes.ts"
import { javaClient } from "./java.ts"
import { checkZkCli } from "./zkcli.ts"

const here = import.meta.dirname

/** The clients that people have, each with its daily work, against any connect string. */
export const clients: ReadonlyArray<{ readonly name: string; readonly check: (connect: string) => Promise<void> }> = [
  { name: "kazoo", check: (connect) => kazoo("kazoo_daily.py", connect) },
  { name: "kazoo's recipes", check: (connect) => kazoo("kazoo_recipes.py", connect) },
  { name: "zkCli.sh", check: checkZkCli },
  { name: "the C client", check: cClient },
  { name: "the Java client and Curator", check: javaClient }
]

async function kazoo(script: string, connect: string): Promise<void> {
  await run({
    name: script,
    command: tools.python.path,
    args: [join(here, script), connect],
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    timeoutMs: 150_000
  })
}

/**
 * Kazoo clients that work until they are stopped, and then say in a line of JSON what they went through. `pauseMs`: between
 * a write and the next one of the same client.
 */
export const crowd = (connect: string, root: string, count: number, pauseMs = 20): Running =>
  start({
    name: "a crowd of kazoo clients",
    command: tools.python.path,
    args: [join(here, "kazoo_crowd.py"), connect, root, `${count}`, `${pauseMs}`],
    env: { PYTHONDONTWRITEBYTECODE: "1" }
  })

let compiled: Promise<string> | undefined

async function cClient(connect: string): Promise<void> {
  compiled ??= compile()
  await run({ name: "the C client", command: await compiled, args: [connect], timeoutMs: 100_000 })
}

async function compile(): Promise<string> {
  const program = join(temporary("c-client"), "client")
  const warnings = ["-O1", "-Wall", "-Wextra", "-Werror"]
  await run({
    name: "gcc",
    command: tools.gcc.path,
    args: [...warnings, "-o", program, join(here, "client.c"), "-lzookeeper_mt", "-lpthread"]
  })
  return program
}
