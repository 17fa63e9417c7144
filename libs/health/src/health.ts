import { Context } from "effect"

/**
 * What a part of a process is up to, the worst first. `failed`: it has stopped, and is built again. `starting`: it loads
 * what it needs. `looking`: nobody leads, as far as it knows. `syncing`: there is a leader, whose history it takes.
 * `readOnly`: it serves read-only clients alone. `serving`: it does what it is there for.
 */
export const CONDITIONS = ["failed", "starting", "looking", "syncing", "readOnly", "serving"] as const
export type Condition = (typeof CONDITIONS)[number]

export interface Report {
  readonly condition: Condition
  /** For a person: why it is not serving, or what it serves as. */
  readonly why?: string | undefined
}

export interface Overall extends Report {
  /** True if every part serves. */
  readonly ready: boolean
  readonly parts: Readonly<Record<string, Report>>
}

/** What the parts of a process (of a peer, where a process has several) say of themselves, asked whenever somebody asks. */
export class Health {
  private readonly probes = new Map<string, () => Report>()

  /** `probe` answers for `part` from now on, in the place of whoever did before. Returns what takes it away again. */
  probe(part: string, probe: () => Report): () => void {
    this.probes.set(part, probe)
    return () => {
      if (this.probes.get(part) === probe) this.probes.delete(part)
    }
  }

  /** `part` is in this condition until something else is said of it. */
  set(part: string, report: Report): void {
    this.probes.set(part, () => report)
  }

  /** The worst of all parts, and why. Nothing there yet: it starts. */
  overall(): Overall {
    const parts: Record<string, Report> = {}
    let worst: Report = { condition: "serving" }
    for (const [part, probe] of this.probes) {
      const report = probe()
      parts[part] = report
      if (CONDITIONS.indexOf(report.condition) < CONDITIONS.indexOf(worst.condition)) {
        worst = { condition: report.condition, why: report.why === undefined ? part : `${part}: ${report.why}` }
      }
    }
    // Who looks for a leader and serves readers meanwhile is read-only: the one is the reason for the other.
    const reader = Object.entries(parts).find(([, { condition }]) => condition === "readOnly")
    if (worst.condition === "looking" && reader !== undefined) {
      const [part, { why }] = reader
      worst = { condition: "readOnly", why: why === undefined ? part : `${part}: ${why}` }
    }
    if (this.probes.size === 0) worst = { condition: "starting", why: "nothing has been started yet" }
    return { ...worst, ready: worst.condition === "serving", parts }
  }
}

/** The health of this process; where it has several peers, each is given one of its own. */
export const CurrentHealth = Context.Reference<Health>("@zkmesh/health/CurrentHealth", {
  defaultValue: () => new Health()
})
