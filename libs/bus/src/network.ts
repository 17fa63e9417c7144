/**
 * A network that can be made to fail, between owners (peers, frontends) that share one bus: a seam for experiments and
 * for tests of whole ensembles in one process.
 *
 * Faults happen where a message arrives. A link that has lost one breaks as it would between processes: `gap` once the
 * other end can be heard again, `silent` when it has not been heard for the link's limit.
 */
import { Context, Effect, Layer } from "effect"
import type { BreakReason } from "./bus.ts"

interface Rule {
  cut: boolean
  delayMs: number
  loss: number
}

/** Runs what arrives from one owner at another, late if it must be, always in order. */
class Path {
  readonly rule: Rule = { cut: false, delayMs: 0, loss: 0 }
  private queue: Array<{ readonly dueMs: number; readonly run: () => void }> = []
  private timer: NodeJS.Timeout | undefined

  push(run: () => void): void {
    if (this.rule.delayMs === 0 && this.queue.length === 0) {
      run()
      return
    }
    this.queue.push({ dueMs: performance.now() + this.rule.delayMs, run })
    this.arm()
  }

  close(): void {
    clearTimeout(this.timer)
    this.queue = []
  }

  private arm(): void {
    const first = this.queue[0]
    if (this.timer !== undefined || first === undefined) return
    this.timer = setTimeout(() => this.drain(), Math.max(0, first.dueMs - performance.now()))
  }

  private drain(): void {
    this.timer = undefined
    // A timer may fire a fraction of a millisecond early.
    const nowMs = performance.now() + 1
    while (this.queue.length > 0 && this.queue[0]!.dueMs <= nowMs) this.queue.shift()!.run()
    this.arm()
  }
}

/** What hears of a cut and its healing: the ends of links. */
export interface Affected {
  readonly owner: string
  readonly other: () => string | undefined
  readonly onCut: () => void
  readonly onHeal: () => void
}

export interface NetworkControls {
  /** Nothing passes between an owner on the left and one on the right, in either direction, until `heal`. */
  readonly partition: (left: ReadonlyArray<string>, right: ReadonlyArray<string>) => void
  /** Nothing passes between `owner` and anybody else, including owners that appear later. */
  readonly isolate: (owner: string) => void
  /** Ends all partitions and isolations; delays and losses stay. */
  readonly heal: () => void
  /** What `from` sends arrives at `to` so much later. */
  readonly delay: (from: string, to: string, ms: number) => void
  /** The chance that what `from` sends in one turn is lost on its way to `to`. */
  readonly lose: (from: string, to: string, chance: number) => void
}

export class FaultyNetwork implements NetworkControls {
  /** Whose an address is: learnt as owners listen and dial. */
  readonly owners = new Map<string, string>()
  /** The limits of links by their id: the end that listens has to know as well. */
  readonly limits = new Map<string, number>()
  /** Why a link broke at one end, for the other end to be told the same. */
  readonly causes = new Map<string, BreakReason>()
  private readonly random: () => number
  private readonly paths = new Map<string, Path>()
  private readonly isolated = new Set<string>()
  private readonly affected = new Set<Affected>()

  constructor(random: () => number) {
    this.random = random
  }

  readonly partition = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): void => {
    for (const one of left) {
      for (const other of right) this.path(one, other).rule.cut = this.path(other, one).rule.cut = true
    }
    this.tell()
  }

  readonly isolate = (owner: string): void => {
    this.isolated.add(owner)
    this.tell()
  }

  readonly heal = (): void => {
    for (const path of this.paths.values()) path.rule.cut = false
    this.isolated.clear()
    for (const end of [...this.affected]) end.onHeal()
  }

  readonly delay = (from: string, to: string, ms: number): void => {
    this.path(from, to).rule.delayMs = ms
  }

  readonly lose = (from: string, to: string, chance: number): void => {
    this.path(from, to).rule.loss = chance
  }

  isCut(from: string | undefined, to: string): boolean {
    if (from === undefined || from === to) return false
    return this.isolated.has(from) || this.isolated.has(to) || this.path(from, to).rule.cut
  }

  /** Draws whether what arrives now is lost. */
  loses(from: string | undefined, to: string): boolean {
    if (from === undefined || from === to) return false
    const { loss } = this.path(from, to).rule
    return loss > 0 && this.random() < loss
  }

  arrive(from: string | undefined, to: string, run: () => void): void {
    if (from === undefined || from === to) run()
    else this.path(from, to).push(run)
  }

  join(end: Affected): () => void {
    this.affected.add(end)
    return () => void this.affected.delete(end)
  }

  close(): void {
    for (const path of this.paths.values()) path.close()
  }

  private tell(): void {
    for (const end of [...this.affected]) if (this.isCut(end.other(), end.owner)) end.onCut()
  }

  private path(from: string, to: string): Path {
    const key = `${from} ${to}`
    const known = this.paths.get(key)
    if (known !== undefined) return known
    const path = new Path()
    this.paths.set(key, path)
    return path
  }
}

/** The controls of the network that the faulty buses of one ensemble share. */
export class Network extends Context.Service<Network, FaultyNetwork>()("@zkmesh/bus/Network") {
  /** `random` decides about losses: give a seeded one to see the same losses again. */
  static readonly layer = (random: () => number = Math.random): Layer.Layer<Network> =>
    Layer.effect(
      Network,
      Effect.acquireRelease(
        Effect.sync(() => new FaultyNetwork(random)),
        (network) => Effect.sync(() => network.close())
      )
    )
}
