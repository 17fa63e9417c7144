import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { tools } from "../setup/packages.ts"

export interface LoadReport {
  readonly answered: number
  /** How often a connection was lost; each time the client came back by itself. */
  readonly lost: number
  readonly slowestMs: number
}

/** kazoo at work all the time; its own retry hides lost connections, anything else is a failure. */
export class KazooLoad {
  private readonly child: ChildProcess
  private readonly ended: Promise<number | null>
  private out = ""
  private errors = ""

  private constructor(connect: string, root: string, clients: number) {
    const args = [join(import.meta.dirname, "kazoo_load.py"), connect, root, `${clients}`]
    this.child = spawn(tools.python.path, args, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } })
    this.ended = new Promise((resolve) => this.child.once("close", resolve))
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.out += text))
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.errors += text))
  }

  static async start(connect: string, root: string, clients: number): Promise<KazooLoad> {
    const load = new KazooLoad(connect, root, clients)
    const ready = new Promise<void>((resolve) => {
      load.child.stdout!.on("data", () => load.out.includes("ready") && resolve())
    })
    await Promise.race([ready, load.ended.then(() => Promise.reject(new Error(`kazoo did not start: ${load.errors}`)))])
    return load
  }

  async stop(): Promise<LoadReport> {
    this.child.stdin!.end()
    const code = await this.ended
    if (code !== 0) throw new Error(`kazoo's clients saw failures:\n${this.errors}`)
    return JSON.parse(this.out.trim().split("\n").at(-1)!) as LoadReport
  }

  kill(): void {
    this.child.kill("SIGKILL")
  }
}
