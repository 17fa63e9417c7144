import { Context } from "effect"
import { Registry } from "./registry.ts"

/** The metrics of this process; where it has several peers, each is given its own. */
export const CurrentMetrics = Context.Reference<Registry>("@zkmesh/metrics/CurrentMetrics", {
  defaultValue: () => new Registry()
})
