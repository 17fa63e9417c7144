/** Clients that watch a whole tree for as long as they live, and count what they are told. */
import type { Znode } from "../recorder/checker.ts"
import { Session, type WatchEvent } from "../recorder/session.ts"
import { Op } from "../recorder/wire.ts"

const PERSISTENT = 0
const RECURSIVE = 1
const CREATED = 1
const DELETED = 2
const DATA_CHANGED = 3
const CHILDREN_CHANGED = 4

/** One watches everything below `root`, and how the children of `<root>/seq` change. */
class Watcher {
  readonly session: Session
  readonly events: Array<WatchEvent>

  private constructor(session: Session, events: Array<WatchEvent>) {
    this.session = session
    this.events = events
  }

  static async start(ports: ReadonlyArray<number>, root: string, index: number): Promise<Watcher> {
    const events: Array<WatchEvent> = []
    const session = await Session.open({ ports, timeoutMs: 20_000, onEvent: (event) => events.push(event) }, index)
    await session.request(Op.addWatch, (w) => w.text(root).int(RECURSIVE))
    await session.request(Op.addWatch, (w) => w.text(`${root}/seq`).int(PERSISTENT))
    return new Watcher(session, events)
  }

  /** What is wrong with what it was told, given what became of the tree. */
  *check(root: string, tree: ReadonlyMap<string, Znode>): Generator<string> {
    const counts = new Map<string, number>()
    let last = 0
    for (const { type, path, zxid } of this.events) {
      counts.set(`${type} ${path}`, (counts.get(`${type} ${path}`) ?? 0) + 1)
      if (zxid < last) yield `told of ${path} at ${zxid} after ${last}`
      last = Math.max(last, zxid)
    }
    const count = (type: number, path: string): number => counts.get(`${type} ${path}`) ?? 0
    for (const [path, { stat }] of tree) {
      if (count(CREATED, path) !== 1) yield `told ${count(CREATED, path)} times that ${path} was created`
      if (count(DELETED, path) !== 0) yield `told that ${path} was deleted`
      const changes = count(DATA_CHANGED, path)
      if (changes !== stat.version) yield `told of ${changes} changes of ${path}, which has had ${stat.version}`
    }
    const children = count(CHILDREN_CHANGED, `${root}/seq`)
    const created = tree.get(`${root}/seq`)?.stat.cversion
    if (children !== created) yield `told of ${children} changes of ${root}/seq's children, which has had ${created}`
  }
}

export class LastingWatches {
  private readonly root: string
  private readonly watchers: ReadonlyArray<Watcher>

  private constructor(root: string, watchers: ReadonlyArray<Watcher>) {
    this.root = root
    this.watchers = watchers
  }

  /** `count` clients; `root` is not there yet. */
  static async start(ports: ReadonlyArray<number>, root: string, count: number): Promise<LastingWatches> {
    const all = Array.from({ length: count }, (_, index) => Watcher.start(ports, root, index))
    return new LastingWatches(root, await Promise.all(all))
  }

  get reconnects(): number {
    return this.watchers.reduce((sum, { session }) => sum + session.connections - 1, 0)
  }

  get events(): number {
    return this.watchers.reduce((sum, { events }) => sum + events.length, 0)
  }

  /** Once nobody changes the tree any more: what is wrong; empty if all is well. */
  async check(tree: ReadonlyMap<string, Znode>): Promise<Array<string>> {
    // What was to be told before the answer has been told by then.
    await Promise.all(this.watchers.map(({ session }) => session.sync(this.root)))
    return this.watchers.flatMap((watcher, index) =>
      [...watcher.check(this.root, tree), ...watcher.session.violations].map((text) => `watcher ${index}: ${text}`)
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.watchers.map(({ session }) => session.close()))
  }
}
