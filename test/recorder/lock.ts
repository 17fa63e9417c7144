import { ConnectionLost, dataOf, type Reply, type Session } from "./session.ts"
import { Err } from "./wire.ts"

const EPHEMERAL_SEQUENTIAL = 3
const PAUSE_MS = 20

/**
 * A lock as ZooKeeper's recipes have it: an ephemeral sequential znode for everybody who wants it, whose is the first one,
 * and each watches the one before it. Who has it writes a register in two steps that a second owner would disturb.
 */
export class Lock {
  private readonly root: string
  private readonly violations: Array<string>
  private readonly waiting = new Map<string, () => void>()
  private holder: number | undefined
  private count = 0
  /** How often it was had. */
  held = 0

  /** The znodes `root` and `root-guarded` are there. */
  constructor(root: string, violations: Array<string>) {
    this.root = root
    this.violations = violations
  }

  /** Takes the lock, does what only its owner may do, and lets it go; earlier if `isOver`. */
  async once(session: Session, index: number, isOver: () => boolean): Promise<void> {
    const name = `${index}-${this.count++}-`
    let isMine = false
    try {
      const path = await this.queue(session, name)
      isMine = await this.turn(session, path, isOver)
      if (isMine) await this.guarded(session, index)
    } finally {
      if (isMine && this.holder === index) this.holder = undefined
      await this.leave(session, name)
    }
  }

  private async queue(session: Session, name: string): Promise<string> {
    const reply = await session.create(`${this.root}/${name}`, "", EPHEMERAL_SEQUENTIAL)
    if (reply.error !== Err.ok) throw new Error(`nobody can queue for the lock: ${reply.error}`)
    return reply.body.text()
  }

  /** Resolves with true once this znode is the first. */
  private async turn(session: Session, path: string, isOver: () => boolean): Promise<boolean> {
    const name = path.slice(this.root.length + 1)
    while (!isOver()) {
      const names = (await session.children(this.root)).body.texts().sort((a, b) => numberOf(a) - numberOf(b))
      const place = names.indexOf(name)
      if (place < 0) {
        this.violations.push(`${path} has gone, though its session lives`)
        return false
      }
      if (place === 0) return true
      await this.gone(session, `${this.root}/${names[place - 1]}`, isOver)
    }
    return false
  }

  /** Resolves when the znode has gone, or the watch that would tell may have, or it is over. */
  private async gone(session: Session, path: string, isOver: () => boolean): Promise<void> {
    const told = new Promise<void>((resolve) => {
      const before = this.waiting.get(path)
      this.waiting.set(path, () => {
        before?.()
        resolve()
      })
    })
    if ((await session.exists(path, true)).error === Err.noNode) return
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      timer = setInterval(() => (isOver() || !session.connected) && resolve(), PAUSE_MS)
    })
    await Promise.race([told, over])
    clearInterval(timer)
  }

  /** A session was told of a change below `root`. */
  fired(path: string): void {
    const wake = this.waiting.get(path)
    this.waiting.delete(path)
    wake?.()
  }

  private async guarded(session: Session, index: number): Promise<void> {
    if (this.holder !== undefined)
      this.violations.push(`session ${index} has the lock, and session ${this.holder} has it`)
    this.holder = index
    const path = `${this.root}-guarded`
    const { data, stat } = dataOf(await session.get(path))
    const reply = await session.set(path, `${Number(data) + 1}`, stat.version)
    if (reply.error !== Err.ok)
      this.violations.push(`session ${index} has the lock, and somebody else wrote: ${reply.error}`)
    else this.held++
  }

  /** Whatever has become of it: the znode goes, by this or another connection of the session. */
  private async leave(session: Session, prefix: string): Promise<void> {
    for (;;) {
      try {
        await session.ready()
        for (const name of (await session.children(this.root)).body.texts()) {
          if (name.startsWith(prefix)) must(await session.delete(`${this.root}/${name}`))
        }
        return
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }
}

const numberOf = (name: string): number => Number(name.slice(-10))

const must = ({ error }: Reply): void => {
  if (error !== Err.ok && error !== Err.noNode) throw new Error(`the lock could not be let go: ${error}`)
}
