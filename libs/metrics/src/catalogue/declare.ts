/** How a metric is declared: whose it is, what it counts, in which unit. */

/** Which service measures it. `process` is every process of whatever service; `none`: nothing here does what it measures. */
export type Owner = "frontend" | "session" | "znode" | "broadcast" | "election" | "process" | "none"

/**
 * `summary` knows count, sum and extremes, `distribution` quantiles as well. The plurals are families: one for each value
 * of the label `key`.
 */
export type Kind =
  | "gauge"
  | "counter"
  | "summary"
  | "distribution"
  | "gauges"
  | "counters"
  | "summaries"
  | "distributions"

export interface Declaration {
  readonly owner: Owner
  readonly kind: Kind
  readonly unit: string
  readonly help: string
}

const of =
  <const K extends Kind>(owner: Owner, kind: K) =>
  (unit: string, help: string) => ({ owner, kind, unit, help })

/** The kinds of declarations, for one owner. */
export const ownedBy = (owner: Owner) => ({
  gauge: of(owner, "gauge"),
  counter: of(owner, "counter"),
  summary: of(owner, "summary"),
  distribution: of(owner, "distribution"),
  gauges: of(owner, "gauges"),
  counters: of(owner, "counters"),
  summaries: of(owner, "summaries"),
  distributions: of(owner, "distributions")
})
