/** Which requests are sampled when they come: one in so many by chance, and all of those that somebody asked for. */
import type { TraceTarget } from "@zkmesh/messages"

/** What is known of a request when it comes. The path is only looked for if somebody has asked for a path. */
export interface Candidate {
  readonly session: number
  readonly paths: () => ReadonlyArray<string>
}

interface Wanted {
  readonly target: TraceTarget
  readonly until: number
}

/** More would make every request slow to judge. */
const MAX_TARGETS = 64
const NEVER = 2 ** 31 - 1

export class Sampler {
  readonly ratio: number
  private targets: Array<Wanted> = []
  private readonly random: () => number
  /** By chance in a second at most. */
  private readonly perSecond: number
  private second = Number.NEGATIVE_INFINITY
  private taken = 0
  /** Requests until the next one that is sampled by chance. */
  private left: number

  /** `perSecond`: how many are sampled by chance in a second at most; 0: no limit. */
  constructor(ratio: number, perSecond = 0, random: () => number = Math.random) {
    this.ratio = ratio
    this.random = random
    this.perSecond = perSecond
    this.left = this.gap()
  }

  /**
   * The one branch that requests pay, however many come at a time: of the next `count` so many are not sampled. If they are
   * fewer, the one after them is to be decided on.
   */
  pass(count: number): number {
    const isWanted = this.targets.length > 0
    if (count === 0 || (this.left > count && !isWanted)) {
      this.left -= count
      return count
    }
    const passed = isWanted ? 0 : this.left - 1
    this.left -= passed + 1
    return passed
  }

  /** After `pass`: whether the request is really sampled. */
  decide(candidate: Candidate, now: number): boolean {
    const byChance = this.left <= 0 && this.ratio > 0 && this.mayTake(now)
    if (this.left <= 0) this.left = this.gap()
    return byChance || this.isWanted(candidate, now)
  }

  /** Everything of this session, or at this path, is sampled until `until`. False if too much is already. */
  want(target: TraceTarget, until: number, now: number): boolean {
    this.targets = this.targets.filter((one) => one.until > now && !isSame(one.target, target))
    if (until <= now) return true
    if (this.targets.length >= MAX_TARGETS) return false
    this.targets.push({ target, until })
    return true
  }

  /** What many requests would cost is bounded, however many there are. */
  private mayTake(now: number): boolean {
    if (this.perSecond === 0) return true
    if (now - this.second >= 1000) {
      this.second = now
      this.taken = 0
    }
    return ++this.taken <= this.perSecond
  }

  private isWanted(candidate: Candidate, now: number): boolean {
    if (this.targets.length === 0) return false
    let isLate = false
    let paths: ReadonlyArray<string> | undefined
    for (const { target, until } of this.targets) {
      if (until <= now) isLate = true
      else if (target.kind === "session" ? target.session === candidate.session : false) return true
      else if (target.kind === "path") {
        paths ??= candidate.paths()
        if (paths.some((path) => isAtOrBelow(path, target.path))) return true
      }
    }
    if (isLate) this.targets = this.targets.filter((one) => one.until > now)
    return false
  }

  /** How many requests pass until one is sampled: as if each had been drawn on its own. */
  private gap(): number {
    if (this.ratio <= 0) return NEVER
    if (this.ratio >= 1) return 1
    return Math.min(NEVER, Math.ceil(Math.log(1 - this.random()) / Math.log(1 - this.ratio)) || 1)
  }
}

const isSame = (a: TraceTarget, b: TraceTarget): boolean =>
  a.kind === "session" ? b.kind === "session" && a.session === b.session : b.kind === "path" && a.path === b.path

const isAtOrBelow = (path: string, top: string): boolean => path === top || top === "/" || path.startsWith(`${top}/`)
