import { Lock } from "./lock.ts"
import { Queue, type QueueHistory } from "./queue.ts"
import { ConnectionLost, dataOf, type Reply, Session } from "./session.ts"
import { Err, Op } from "./wire.ts"

/** An attempted write, and what became of it. */
export interface Write {
  readonly session: number
  readonly kind: "register" | "sequential" | "counter" | "pair"
  /** Of a register or pair the value, of a sequential znode its number within the session. */
  readonly value: number
  readonly sentAt: number
  /** Set once it was acknowledged; a write that was not may or may not have been carried out. */
  ackedAt: number | undefined
  zxid: number
  /** Of a register the version, of a sequential znode its path. */
  version: number
  path: string
}

export interface WorkloadOptions {
  readonly ports: ReadonlyArray<number>
  /** Its own place in the tree; made here. */
  readonly root: string
  readonly sessions: number
  readonly timeoutMs: number
  /** Pipelined writes of each kind and session. */
  readonly window: number
  /** How long each client rests after each thing that it does, ms (5). */
  readonly paceMs?: number
}

/** Everything that the clients did and saw: what the checker judges. */
export interface History {
  readonly root: string
  readonly writes: ReadonlyArray<Write>
  readonly sessions: ReadonlyArray<Session>
  readonly queue: QueueHistory
  /** How often somebody had the lock. */
  readonly locked: number
  /** Sessions that were left to die, and the ephemerals that must die with them. */
  readonly dead: ReadonlyArray<{ readonly path: string; readonly diedAt: number; readonly timeoutMs: number }>
  readonly violations: ReadonlyArray<string>
}

export const DEAD_TIMEOUT_MS = 4000
const PACE_MS = 5

/**
 * Clients that never stop: registers (each written by one session, pipelined, and read by another that watches it),
 * pairs of registers written by one multi, sequential znodes, a counter that all increment by compare-and-set, a queue, a
 * lock, and an ephemeral for each. Every acknowledgement is kept.
 */
export class Workload {
  readonly writes: Array<Write> = []
  readonly sessions: Array<Session> = []
  readonly violations: Array<string> = []
  private readonly dead: Array<{ path: string; diedAt: number; timeoutMs: number }> = []
  private readonly options: WorkloadOptions
  private readonly lanes: Array<Promise<void>> = []
  private readonly ackWaiters = new Set<(write: Write) => void>()
  private readonly watched: Array<Watched> = []
  private readonly queue: Queue
  private readonly lock: Lock
  private stopping = false

  private constructor(options: WorkloadOptions) {
    this.options = options
    this.queue = new Queue(`${options.root}/queue`)
    this.lock = new Lock(`${options.root}/lock`, this.violations)
  }

  static async start(options: WorkloadOptions): Promise<Workload> {
    const workload = new Workload(options)
    await workload.begin()
    return workload
  }

  /** Resolves with the next acknowledged write that `wanted` accepts; a bound on the time is an error. */
  nextAck(wanted: (write: Write) => boolean, timeoutMs = 30_000): Promise<Write> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer)
        this.ackWaiters.delete(look)
        act()
      }
      const look = (write: Write) => {
        if (wanted(write)) end(() => resolve(write))
      }
      const timer = setTimeout(
        () => end(() => reject(new Error(`no such write was acknowledged in ${timeoutMs} ms`))),
        timeoutMs
      )
      this.ackWaiters.add(look)
    })
  }

  /** Resolves when `count` more writes of every session have been acknowledged. */
  async progress(count: number, timeoutMs = 30_000): Promise<void> {
    await Promise.all(
      this.sessions.map(async (_, index) => {
        const since = performance.now()
        let seen = 0
        await this.nextAck((write) => write.session === index && write.sentAt > since && ++seen >= count, timeoutMs)
      })
    )
  }

  /** Sends nothing more, waits for what is on its way; the sessions stay open, with their ephemerals. */
  async stop(): Promise<History> {
    this.stopping = true
    await Promise.all(this.lanes)
    const { dead, sessions, violations, writes } = this
    return {
      root: this.options.root,
      writes,
      sessions,
      queue: this.queue,
      locked: this.lock.held,
      dead,
      violations: [
        ...violations,
        ...sessions.flatMap((one, i) => one.violations.map((text) => `session ${i}: ${text}`))
      ]
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.sessions.map((one) => one.close()))
  }

  /** A client that dies: it makes an ephemeral and goes without a word. */
  async die(): Promise<void> {
    const session = await Session.open({ ports: this.options.ports, timeoutMs: DEAD_TIMEOUT_MS })
    const path = `${this.options.root}/dead-${this.dead.length}`
    must(await session.create(path, "", 1))
    session.abandon()
    this.dead.push({ path, diedAt: performance.now(), timeoutMs: DEAD_TIMEOUT_MS })
  }

  private async begin(): Promise<void> {
    const { ports, root, sessions, timeoutMs } = this.options
    for (let index = 0; index < sessions; index++) {
      const watched = new Watched(index, this.violations)
      this.watched.push(watched)
      const onEvent = ({ path, zxid }: { path: string; zxid: number }) => {
        if (path.startsWith(`${root}/lock/`)) this.lock.fired(path)
        else watched.fired(zxid)
      }
      this.sessions.push(await Session.open({ ports, timeoutMs, onEvent, onDisconnect: () => watched.lost() }, index))
    }
    const first = this.sessions[0]!
    must(await first.create(root, ""))
    for (const name of ["seq", "counter", "queue", "lock", "lock-guarded"])
      must(await first.create(`${root}/${name}`, "0"))
    for (const index of this.sessions.keys()) {
      for (const name of ["reg", "left", "right"]) must(await first.create(`${root}/${name}-${index}`, "0"))
    }
    for (const [index, session] of this.sessions.entries()) {
      await session.sync(root)
      must(await session.create(`${root}/live-${index}`, "", 1))
      for (let lane = 0; lane < this.options.window; lane++) {
        this.lane(session, () => this.writeRegister(index))
        this.lane(session, () => this.createSequential(index))
      }
      this.lane(session, () => this.writePair(index))
      this.lane(session, () => this.increment(index))
      this.lane(session, () => this.readOther(index))
      this.lane(session, () => (index % 2 === 0 ? this.queue.offer(session) : this.queue.take(session, index)))
      this.lane(session, () => this.lock.once(session, index, () => this.stopping))
    }
  }

  /** Does one thing after the other; a lost connection costs the one in flight, an ended session the test. */
  private lane(session: Session, work: () => Promise<void>): void {
    const run = async () => {
      while (!this.stopping) {
        try {
          await session.ready()
          await work()
          // Enough to be under way all the time, not so much that the history cannot be checked in a test's time.
          await new Promise((resolve) => setTimeout(resolve, this.options.paceMs ?? PACE_MS))
        } catch (error) {
          if (error instanceof ConnectionLost) continue
          this.violations.push(String(error))
          return
        }
      }
    }
    this.lanes.push(run())
  }

  private readonly lastValue = { register: new Map<number, number>(), sequential: new Map<number, number>() }

  private attempt(session: number, kind: Write["kind"], value: number): Write {
    const sentAt = performance.now()
    const write = { session, kind, value, sentAt, ackedAt: undefined, zxid: 0, version: 0, path: "" } satisfies Write
    this.writes.push(write)
    return write
  }

  /** `zxid`: of the write, as a Stat of its reply tells. The reply itself may be of a later state, never of an earlier one. */
  private acknowledge(write: Write, { error, zxid: repliedAt }: Reply, zxid = 0): void {
    const { kind, value, session } = write
    if (error !== 0) {
      this.violations.push(`${kind} ${value} of session ${session} failed with ${error}`)
      return
    }
    if (zxid > repliedAt) {
      this.violations.push(`${kind} ${value} of session ${session} was written at ${zxid}, and told of at ${repliedAt}`)
    }
    write.ackedAt = performance.now()
    write.zxid = zxid
    for (const look of this.ackWaiters) look(write)
  }

  private next(kind: "register" | "sequential", session: number): number {
    const value = (this.lastValue[kind].get(session) ?? 0) + 1
    this.lastValue[kind].set(session, value)
    return value
  }

  private async writeRegister(index: number): Promise<void> {
    const write = this.attempt(index, "register", this.next("register", index))
    const reply = await this.sessions[index]!.set(`${this.options.root}/reg-${index}`, `${write.value}`)
    if (reply.error !== 0) return this.acknowledge(write, reply)
    const stat = reply.body.stat()
    write.version = stat.version
    this.acknowledge(write, reply, stat.mzxid)
  }

  private async createSequential(index: number): Promise<void> {
    const write = this.attempt(index, "sequential", this.next("sequential", index))
    const reply = await this.sessions[index]!.create2(`${this.options.root}/seq/s-`, `${index}:${write.value}`, 2)
    if (reply.error !== 0) return this.acknowledge(write, reply)
    write.path = reply.body.text()
    this.acknowledge(write, reply, reply.body.stat().czxid)
  }

  /** Both or none: two registers that are never seen to differ. */
  private async writePair(index: number): Promise<void> {
    const value = this.writes.length
    const write = this.attempt(index, "pair", value)
    const reply = await this.sessions[index]!.request(Op.multi, (writer) => {
      for (const side of ["left", "right"]) {
        writer.int(Op.setData).bool(false).int(-1)
        writer
          .text(`${this.options.root}/${side}-${index}`)
          .buffer(Buffer.from(`${value}`))
          .int(-1)
      }
      return writer.int(-1).bool(true).int(-1)
    })
    if (reply.error !== 0) return this.acknowledge(write, reply)
    if (reply.body.int() === -1) {
      this.violations.push(`a multi of session ${index} failed`)
      return
    }
    reply.body.bool()
    reply.body.int()
    this.acknowledge(write, reply, reply.body.stat().mzxid)
  }

  private async increment(index: number): Promise<void> {
    const session = this.sessions[index]!
    const path = `${this.options.root}/counter`
    const { data, stat } = dataOf(await session.get(path))
    if (stat.version !== Number(data)) {
      this.violations.push(`the counter is ${data} after ${stat.version} writes`)
    }
    const write = this.attempt(index, "counter", Number(data) + 1)
    const reply = await session.set(path, `${write.value}`, stat.version)
    if (reply.error === Err.ok) return this.acknowledge(write, reply, reply.body.stat().mzxid)
    if (reply.error !== Err.badVersion) return this.acknowledge(write, reply)
    // Another was faster: nothing was attempted after all.
    this.writes.splice(this.writes.lastIndexOf(write), 1)
  }

  /** Reads the next session's register, again whenever its watch fires: what is read may never go back. */
  private async readOther(index: number): Promise<void> {
    const other = (index + 1) % this.sessions.length
    const reply = await this.sessions[index]!.get(`${this.options.root}/reg-${other}`, true)
    const { data, stat } = dataOf(reply)
    await this.watched[index]!.read(Number(data), stat.mzxid, reply.zxid, () => this.stopping)
  }
}

/** What one session knows of the register that it watches. */
class Watched {
  private readonly index: number
  private readonly violations: Array<string>
  private value = 0
  private mzxid = 0
  private readAt = 0
  private wake: (() => void) | undefined

  constructor(index: number, violations: Array<string>) {
    this.index = index
    this.violations = violations
  }

  async read(value: number, mzxid: number, zxid: number, stopping: () => boolean): Promise<void> {
    if (mzxid < this.mzxid || (mzxid === this.mzxid && value !== this.value)) {
      this.violations.push(`session ${this.index} read ${value} of ${mzxid} after ${this.value} of ${this.mzxid}`)
    }
    this.value = value
    this.mzxid = mzxid
    this.readAt = zxid
    await new Promise<void>((resolve) => {
      this.wake = resolve
      const timer = setInterval(() => stopping() && this.lost(), 50)
      const done = this.wake
      this.wake = () => {
        clearInterval(timer)
        done()
      }
    })
  }

  fired(zxid: number): void {
    if (zxid > 0 && zxid <= this.readAt) {
      this.violations.push(`session ${this.index} was told at ${zxid} of a change that it read at ${this.readAt}`)
    }
    this.lost()
  }

  lost(): void {
    this.wake?.()
    this.wake = undefined
  }
}

function must(reply: Reply): void {
  if (reply.error !== 0) throw new Error(`the workload could not be set up: error ${reply.error}`)
}
