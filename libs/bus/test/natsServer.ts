/** A real nats-server for tests: started on a free port, killed with the scope. */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"

const findServer = (): string | undefined => {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  return directories
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, "nats-server"))
    .find(isExecutable)
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT" || (cause as NodeJS.ErrnoException).code === "EACCES")
      return false
    throw cause
  }
}

const program = findServer()
if (program === undefined && process.env["CI"] !== undefined) throw new Error("nats-server is not installed")
/** False where nobody has installed nats-server; a build server must have it. */
export const hasNats = program !== undefined

export interface NatsServer {
  readonly port: number
  readonly url: string
  /** Kills it and waits for its end. */
  readonly stop: Effect.Effect<void>
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once("exit", () => resolve())
  })

const listening = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    const words: Array<string> = []
    let port = 0
    createInterface({ input: child.stderr! }).on("line", (line) => {
      words.push(line)
      port = Number(/Listening for client connections on \S+:(\d+)/.exec(line)?.[1] ?? port)
      if (line.includes("Server is ready")) resolve(port)
    })
    child.once("exit", (code) => reject(new Error(`nats-server exits with ${code}: ${words.join("\n")}`)))
  })

/** Starts a server; `port` -1: any that is free. */
export const natsServer = (
  port = -1,
  more: ReadonlyArray<string> = []
): Effect.Effect<NatsServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (program === undefined) return yield* Effect.die(new Error("nats-server is not installed"))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(program, ["-a", "127.0.0.1", "-p", String(port), ...more], { stdio: ["ignore", "ignore", "pipe"] })
      ),
      (child) =>
        Effect.promise(() => {
          child.kill("SIGKILL")
          return ended(child)
        })
    )
    const actual = yield* Effect.promise(() => listening(child))
    const stop = Effect.promise(() => {
      child.kill("SIGKILL")
      return ended(child)
    })
    return { port: actual, url: `127.0.0.1:${actual}`, stop }
  })
