import { ConnectionLost, dataOf, type Session } from "./session.ts"
import { Err } from "./wire.ts"

/** One item of the queue, from when it was offered; what nobody knows has not happened for sure. */
export interface Item {
  readonly value: string
  /** The znode that was acknowledged; undefined: whether it was made is not known. */
  path: string | undefined
}

/** What somebody took from the queue: its znode was deleted. */
export interface Taken {
  readonly path: string
  readonly value: string
  readonly session: number
  /** False: whether it was deleted is not known. */
  isSure: boolean
}

export interface QueueHistory {
  readonly offered: ReadonlyArray<Item>
  readonly taken: ReadonlyArray<Taken>
}

const FULL = 20
const SEQUENTIAL = 2

/** A queue as ZooKeeper's recipes have it: sequential znodes, taken by whoever deletes the first one. */
export class Queue implements QueueHistory {
  readonly offered: Array<Item> = []
  readonly taken: Array<Taken> = []
  private readonly root: string
  private next = 0

  constructor(root: string) {
    this.root = root
  }

  /** Offers something, unless nobody takes what is there. */
  async offer(session: Session): Promise<void> {
    if ((await session.children(this.root)).body.texts().length >= FULL) return
    const item: Item = { value: `item-${this.next++}`, path: undefined }
    this.offered.push(item)
    const reply = await session.create(`${this.root}/q-`, item.value, SEQUENTIAL)
    if (reply.error !== Err.ok) throw new Error(`an item could not be offered: ${reply.error}`)
    item.path = reply.body.text()
  }

  /** Takes the first item that nobody else takes. */
  async take(session: Session, index: number): Promise<void> {
    for (const name of (await session.children(this.root)).body.texts().sort()) {
      const path = `${this.root}/${name}`
      const read = await session.get(path)
      if (read.error === Err.noNode) continue
      const taken: Taken = { path, value: dataOf(read).data, session: index, isSure: false }
      try {
        if ((await session.delete(path)).error === Err.noNode) continue
        taken.isSure = true
        this.taken.push(taken)
      } catch (error) {
        if (error instanceof ConnectionLost) this.taken.push(taken)
        throw error
      }
      return
    }
  }
}

/** What is wrong with a queue, given what is still in it: path to value. */
export function* checkQueue({ offered, taken }: QueueHistory, left: ReadonlyMap<string, string>): Generator<string> {
  const takers = new Map<string, Taken>()
  const offers = new Set(offered.map(({ value }) => value))
  for (const one of taken) {
    if (!offers.has(one.value)) yield `session ${one.session} took ${one.value}, which nobody offered`
    if (!one.isSure) continue
    const other = takers.get(one.path)
    if (other !== undefined) yield `${one.path} was taken by session ${other.session} and by session ${one.session}`
    takers.set(one.path, one)
    if (left.has(one.path)) yield `${one.path} was taken and is still there`
  }
  const values = new Set<string>()
  for (const value of [...left.values(), ...[...takers.values()].map((one) => one.value)]) {
    if (values.has(value)) yield `${value} was in the queue twice`
    values.add(value)
  }
  const perhaps = new Set(taken.map(({ path }) => path))
  for (const { path, value } of offered) {
    if (path !== undefined && !left.has(path) && !perhaps.has(path)) yield `${value} was offered, and is lost`
  }
}
