import { type ChildProcess, spawn } from "node:child_process"
import { createWriteStream, existsSync, readFileSync } from "node:fs"
import { isOpen } from "./ports.ts"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SpawnOptions {
  readonly name: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
  readonly env?: Record<string, string>
  /** Everything that it prints goes here as well. */
  readonly logFile?: string
  /** Runs under this user when we are root (Postgres refuses to run as root). */
  readonly user?: string
}

const KEPT_LINES = 400
const alive = new Set<Running>()

process.on("exit", () => {
  for (const one of alive) one.killGroup("SIGKILL")
})

/** A process of the test's own, with its children: whatever becomes of the test, none of them outlives it. */
export class Running {
  readonly name: string
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  readonly lines: Array<string> = []
  exit: Exit | undefined
  private readonly watchers = new Set<() => void>()

  constructor(options: SpawnOptions) {
    this.name = options.name
    const [command, args] = wrapped(options)
    this.child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    })
    const file = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: "a" })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      let rest = ""
      stream.setEncoding("utf8")
      stream.on("data", (text: string) => {
        file?.write(text)
        const parts = (rest + text).split("\n")
        rest = parts.pop()!
        this.take(parts)
      })
      stream.on("end", () => rest !== "" && this.take([rest]))
    }
    this.exited = new Promise((resolve) => {
      const done = (exit: Exit) => {
        this.exit = exit
        alive.delete(this)
        file?.end()
        resolve(exit)
        for (const wake of this.watchers) wake()
      }
      this.child.once("error", (error) => {
        this.take([String(error)])
        done({ code: 127, signal: null })
      })
      this.child.once("close", (code, signal) => done({ code, signal }))
    })
    alive.add(this)
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start:\n${this.tail()}`)
    return this.child.pid
  }

  /** The last lines that it printed, for an error's message. */
  tail(count = 40): string {
    return this.lines.slice(-count).join("\n")
  }

  /** Resolves with the first line, printed already or later, that matches. */
  line(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    return this.until(() => this.lines.find((line) => pattern.test(line)), `a line like ${pattern}`, timeoutMs)
  }

  /** Resolves once `probe` gives something; asked again with every line that is printed. Fails when the process ends. */
  until<A>(probe: () => A | undefined, what: string, timeoutMs: number): Promise<A> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer)
        this.watchers.delete(check)
        act()
      }
      const check = () => {
        const found = probe()
        if (found !== undefined) end(() => resolve(found))
        else if (this.exit !== undefined) {
          end(() => reject(new Error(`${this.name} ended (${this.how()}) before ${what}:\n${this.tail()}`)))
        }
      }
      const timer = setTimeout(
        () => end(() => reject(new Error(`${this.name}: no ${what} in ${timeoutMs} ms:\n${this.tail()}`))),
        timeoutMs
      )
      this.watchers.add(check)
      check()
    })
  }

  /** Resolves once the port takes connections. */
  async port(port: number, timeoutMs = 30_000): Promise<void> {
    await eventually(
      async () => {
        if (this.exit !== undefined) throw new Error(`${this.name} ended (${this.how()}):\n${this.tail()}`)
        return (await isOpen(port)) ? true : undefined
      },
      `${this.name} to listen on ${port}`,
      timeoutMs
    )
  }

  signal(signal: NodeJS.Signals): void {
    if (this.exit === undefined) process.kill(this.pid, signal)
  }

  /** A crash: SIGKILL to it and its children. */
  async kill(): Promise<void> {
    this.killGroup("SIGKILL")
    await this.exited
  }

  /** A clean stop; a process that does not end in time is killed, and that is an error. */
  async stop(timeoutMs = 10_000, signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (this.exit !== undefined) return this.exit
    this.signal(signal)
    const timer = setTimeout(() => this.killGroup("SIGKILL"), timeoutMs)
    const exit = await this.exited
    clearTimeout(timer)
    if (exit.signal === "SIGKILL") throw new Error(`${this.name} did not stop in ${timeoutMs} ms:\n${this.tail()}`)
    return exit
  }

  killGroup(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return
    try {
      process.kill(-this.child.pid, signal)
    } catch (error) {
      // The group has gone already: that is what was wanted.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
    }
  }

  private how(): string {
    return this.exit?.signal ?? `exit code ${this.exit?.code}`
  }

  private take(lines: ReadonlyArray<string>): void {
    this.lines.push(...lines)
    if (this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, this.lines.length - KEPT_LINES)
    for (const wake of this.watchers) wake()
  }
}

export const start = (options: SpawnOptions): Running => new Running(options)

/** Runs to its end; a non-zero exit code is an error that shows what was printed. */
export async function run(options: SpawnOptions & { readonly timeoutMs?: number }): Promise<string> {
  const one = start(options)
  const timer = setTimeout(() => one.killGroup("SIGKILL"), options.timeoutMs ?? 120_000)
  const exit = await one.exited
  clearTimeout(timer)
  if (exit.code !== 0) throw new Error(`${one.name} failed (${exit.signal ?? exit.code}):\n${one.tail(200)}`)
  return one.lines.join("\n")
}

/** Asks again, for states that announce themselves in no other way, until there is an answer. */
export async function eventually<A>(
  probe: () => Promise<A | undefined>,
  what: string,
  timeoutMs: number,
  everyMs = 25
): Promise<A> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await probe()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** With setpriv (util-linux) even a killed test leaves nothing behind: the kernel ends the process with its parent. */
function wrapped(options: SpawnOptions): [string, Array<string>] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find(existsSync)
  const asUser = options.user !== undefined && process.getuid?.() === 0
  if (setpriv === undefined) {
    if (asUser) throw new Error("setpriv (util-linux) is needed to run Postgres under a user of its own")
    return [options.command, [...options.args]]
  }
  const user = asUser ? [`--reuid=${options.user}`, "--regid=65534", "--clear-groups"] : []
  return [setpriv, [...user, "--pdeathsig", "KILL", "--", options.command, ...options.args]]
}

/** A process's resident memory, bytes. */
export const resident = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024
