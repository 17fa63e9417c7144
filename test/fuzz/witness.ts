import { Session, type WatchEvent } from "../recorder/session.ts"
import { Op } from "../recorder/wire.ts"

const AUTH = 100
const EPHEMERAL = 1
const NODE_DATA_CHANGED = 3
/** The rights of whoever made the node, and nobody else's. */
const CREATOR = ["auth", ""] as const

/**
 * A well-behaved client beside the attackers. Whatever they do, each of its operations succeeds, in order, on one
 * connection; its ephemeral node stands, and every change of the node that it watches is told to it.
 */
export class Witness {
  operations = 0
  slowestMs = 0
  readonly complaints: Array<string> = []
  private readonly session: Session
  private readonly root: string
  private events = 0
  private stopping = false
  private work: Promise<void> | undefined

  private constructor(session: Session, root: string) {
    this.session = session
    this.root = root
  }

  static async start(port: number, root: string): Promise<Witness> {
    let told: (event: WatchEvent) => void = () => undefined
    const session = await Session.open({
      ports: [port],
      timeoutMs: 10_000,
      onEvent: (event) => told(event),
      onDisconnect: () => witness.complaints.push("the connection was lost")
    })
    const witness = new Witness(session, root)
    told = (event) => {
      if (event.type === NODE_DATA_CHANGED && event.path === `${root}/n`) witness.events++
      else witness.complaints.push(`an event of type ${event.type} for ${event.path}`)
    }
    await session.request(AUTH, (w) => w.int(0).text("digest").text(`witness:${root}`), -4)
    await witness.make("", 0)
    await witness.make("/n", 0)
    await witness.make("/e", EPHEMERAL)
    witness.work = witness.run()
    return witness
  }

  /** Ends it after the operation at hand; says what it has to complain of. */
  async stop(): Promise<ReadonlyArray<string>> {
    this.stopping = true
    await this.work
    await this.session.close()
    return [...this.complaints, ...this.session.violations]
  }

  private async make(name: string, flags: number): Promise<void> {
    const path = `${this.root}${name}`
    const body = (w: Parameters<Parameters<Session["request"]>[1]>[0]) =>
      w.text(path).buffer(Buffer.from("0")).int(1).int(31).text(CREATOR[0]).text(CREATOR[1]).int(flags)
    const { error } = await this.session.request(Op.create, body)
    if (error !== 0) throw new Error(`create of ${path} failed with ${error}`)
  }

  private async run(): Promise<void> {
    for (let round = 1; !this.stopping && this.complaints.length === 0; round++) {
      const began = performance.now()
      try {
        await this.round(round)
      } catch (error) {
        this.complaints.push(String(error))
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - began)
    }
  }

  /** All of it in flight at once: what comes later sees what came before. */
  private async round(round: number): Promise<void> {
    const { session, root } = this
    const replies = await Promise.all([
      session.get(`${root}/n`, true),
      session.set(`${root}/n`, `${round}`, round - 1),
      session.get(`${root}/n`),
      session.create(`${root}/c`, "x"),
      session.children(root),
      session.delete(`${root}/c`),
      session.exists(`${root}/e`)
    ])
    this.expect("errors", replies.map((reply) => reply.error).join(), "0,0,0,0,0,0,0")
    const [watched, , read, , listed, , owner] = replies
    this.expect("the watched read", watched.body.buffer().toString(), `${round - 1}`)
    this.expect("the read after the write", read.body.buffer().toString(), `${round}`)
    this.expect("the children", listed.body.texts().sort().join(), "c,e,n")
    this.expect("the ephemeral node's owner", owner.body.stat().ephemeralOwner, session.id)
    this.expect("events", this.events, round)
    this.operations += replies.length
  }

  private expect(what: string, actual: unknown, wanted: unknown): void {
    if (actual !== wanted) throw new Error(`${what}: ${String(actual)}, wanted ${String(wanted)}`)
  }
}
